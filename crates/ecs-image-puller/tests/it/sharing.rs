//! Equal pulls at once, and how many pulls there are at once.

use std::sync::Arc;
use std::time::Duration;

use ecs_image_puller::testing::{Call, FakeEngine, FakeImage, Fault};
use ecs_image_puller::{
    EngineError, EngineErrorKind, PullFrame, PullRequest, Puller, PullerSettings, Silent,
};
use ecs_registry_auth::{CredentialSource, ErrorClass, Provenance, RegistryCredential, ResolvedCredential};
use futures_util::future::join_all;

use crate::support::*;

const PINNED: &str =
    "registry.example.com/team/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A private image for alice and bob, of which registry and engine take seven seconds.
fn slow() -> FakeEngine {
    let image = FakeImage::new(DIGEST)
        .private("alice", "right")
        .or_private("bob", "right")
        .at_pace(Duration::from_secs(1));
    FakeEngine::new().with_image(IMAGE, image)
}

fn as_user(image: &str, username: &str, password: &str) -> PullRequest {
    let registry = ecs_registry_auth::Registry::from_host("registry.example.com");
    let resolved = ResolvedCredential::new(
        RegistryCredential::basic(username, password),
        Provenance::new(CredentialSource::EngineAuth, registry),
    );
    request(image, Rotating::answers(vec![Ok(Some(resolved))]))
}

fn sent_to_pull(engine: &FakeEngine) -> Vec<String> {
    let calls = engine.calls();
    let pulls = calls.iter().filter_map(|call| match call {
        Call::Pull(_, username) => Some(username.clone().unwrap_or_default()),
        _ => None,
    });
    pulls.collect()
}

#[tokio::test(start_paused = true)]
async fn fifty_equal_pulls_are_one() {
    let engine = slow();
    let puller = puller(&engine);
    let begun = tokio::time::Instant::now();
    let calls = (0..50).map(|_| {
        let puller = &puller;
        async move { pull(puller, &right()).await }
    });
    let ended = join_all(calls).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
    assert_eq!((count_pulls(&engine), count_distributions(&engine)), (1, 1));
    let mut shared = 0;
    for (outcome, events) in ended {
        let pulled = outcome.unwrap();
        assert_eq!(pulled.facts.digest.as_deref(), Some(DIGEST));
        assert_eq!(pulled.facts.bytes, Some(1000));
        assert_eq!(pulled.facts.timings.total, Duration::from_secs(7));
        shared += u32::from(pulled.facts.shared);
        // Waiting, downloading, downloaded, extracting, done: for everybody.
        assert_eq!(events.iter().filter(|event| *event == "layer").count(), 5);
    }
    assert_eq!(shared, 49);
    assert_eq!(engine.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn whatever_differs_is_pulled_apart() {
    let other_platform =
        || as_user(IMAGE, "alice", "right").with_platform(Some("linux/arm64".parse().unwrap()));
    let other_image = || as_user("registry.example.com/team/other:v1", "alice", "right");
    for other in [other_platform, other_image] {
        let engine = slow();
        let image = FakeImage::new(format!("sha256:{}", "f".repeat(64)));
        engine.put_image("registry.example.com/team/other:v1", image);
        let puller = puller(&engine);
        let (mine, other) = (right(), other());
        let (mine, other) = tokio::join!(pull(&puller, &mine), pull(&puller, &other));
        assert!(mine.0.is_ok() && other.0.is_ok());
        assert_eq!(count_pulls(&engine), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_may_leave_and_the_last_ends_the_pull() {
    let engine = slow();
    let puller = Arc::new(puller(&engine));
    let start = || {
        let puller = puller.clone();
        tokio::spawn(async move { puller.pull(&right(), &Silent).await })
    };
    let (first, second, third) = (start(), start(), start());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    first.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(engine.running(), 1);
    second.abort();
    let pulled = third.await.unwrap().unwrap();
    assert_eq!((count_pulls(&engine), pulled.facts.attempts), (1, 1));

    let (first, second) = (start(), start());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    first.abort();
    second.abort();
    assert!(first.await.is_err() && second.await.is_err());
    assert_eq!((engine.running(), count_pulls(&engine)), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_one_callers_own() {
    let engine = slow();
    let puller = puller(&engine);
    let (patient, hasty) = (right(), right());
    let (patient, hasty) = tokio::join!(
        puller.pull(&patient, &Silent),
        tokio::time::timeout(Duration::from_secs(2), puller.pull(&hasty, &Silent))
    );
    assert!(hasty.is_err());
    assert!(patient.is_ok());
    assert_eq!(count_pulls(&engine), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_everybodys_and_so_is_the_next_attempt() {
    let engine = slow();
    engine.fail_pull(Fault::Break(
        vec![PullFrame::layer("a", "Downloading")],
        Some(EngineError::new(
            EngineErrorKind::Interrupted,
            "connection reset by peer",
        )),
    ));
    let puller = puller(&engine);
    let calls = (0..10).map(|_| {
        let puller = &puller;
        async move { pull(puller, &right()).await.0 }
    });
    for outcome in join_all(calls).await {
        assert_eq!(outcome.unwrap().facts.attempts, 2);
    }
    assert_eq!(count_pulls(&engine), 2);
}

#[tokio::test(start_paused = true)]
async fn another_credential_shows_access_and_then_joins() {
    // How bob asks, with which password, whether he gets it, and how often the manifest is asked for in all.
    for (image, password, is_given, manifests) in [
        (IMAGE, "right", true, 2),
        (PINNED, "right", true, 2),
        (IMAGE, "wrong", false, 2),
        (PINNED, "wrong", false, 2),
    ] {
        let engine = slow();
        let puller = puller(&engine);
        let (alice, bob) = (right(), as_user(image, "bob", password));
        let late = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            pull(&puller, &bob).await.0
        };
        let (alice, bob) = tokio::join!(pull(&puller, &alice), late);
        assert!(alice.0.is_ok());
        assert_eq!(sent_to_pull(&engine), ["alice"], "{image} {password}");
        assert_eq!(count_distributions(&engine), manifests, "{image} {password}");
        match bob {
            Ok(pulled) => {
                assert!(is_given && pulled.facts.shared, "{image} {password}");
                assert_eq!(
                    pulled.facts.provenance.unwrap().source,
                    CredentialSource::EngineAuth
                );
            }
            Err(failure) => {
                assert!(!is_given, "{image} {password}: {failure}");
                assert_eq!(failure.diagnosis().class(), ErrorClass::Refused);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_credential_by_digest_joins_without_a_question() {
    let engine = slow();
    let puller = puller(&engine);
    let (first, second) = (
        as_user(PINNED, "alice", "right"),
        as_user(PINNED, "alice", "right"),
    );
    let (first, second) = tokio::join!(pull(&puller, &first), pull(&puller, &second));
    assert!(first.0.is_ok() && second.0.is_ok());
    assert_eq!((count_pulls(&engine), count_distributions(&engine)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_one_credential_is_not_the_others() {
    let engine = slow();
    // Alice's pull begins and is refused in the middle of it; bob had joined.
    engine.fail_pull(Fault::Break(
        vec![PullFrame::layer("a", "Downloading")],
        Some(answer(401, "unauthorized: authentication required")),
    ));
    let puller = puller(&engine);
    let (alice, bob) = (right(), as_user(IMAGE, "bob", "right"));
    let late = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        pull(&puller, &bob).await
    };
    let (alice, bob) = tokio::join!(pull(&puller, &alice), late);
    assert_eq!(alice.0.unwrap_err().diagnosis().class(), ErrorClass::Refused);
    let bob = bob.0.unwrap();
    assert_eq!((bob.facts.attempts, bob.facts.shared), (1, false));
    assert_eq!(sent_to_pull(&engine), ["alice", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_ask_pulls_for_each_credential() {
    let engine = slow();
    for _ in 0..3 {
        engine.fail_distribution(EngineError::new(EngineErrorKind::Unsupported, "no such endpoint"));
    }
    let puller = puller(&engine);
    let (alice, bob) = (right(), as_user(IMAGE, "bob", "right"));
    let (alice, bob) = tokio::join!(pull(&puller, &alice), pull(&puller, &bob));
    assert!(alice.0.is_ok() && bob.0.is_ok());
    assert_eq!(sent_to_pull(&engine), ["alice", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_ask_pulls_once_for_each_credential() {
    let engine = slow();
    // As podman: never.
    for _ in 0..100 {
        engine.fail_distribution(EngineError::new(EngineErrorKind::Unsupported, "no such endpoint"));
    }
    let puller = puller(&engine);
    let calls = (0..10).map(|number| {
        let puller = &puller;
        let user = if number % 2 == 0 { "alice" } else { "bob" };
        async move { pull(puller, &as_user(IMAGE, user, "right")).await.0 }
    });
    let mut shared = 0;
    for outcome in join_all(calls).await {
        shared += u32::from(outcome.unwrap().facts.shared);
    }
    assert_eq!(shared, 8);
    assert_eq!(sent_to_pull(&engine), ["alice", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_pulls_keep_to_the_limit_and_manifests_do_not_wait() {
    let images: Vec<String> = (0..200)
        .map(|number| format!("r{}.example.com/app:v{number}", number % 2))
        .collect();
    for (limit, per_registry, most, takes) in [
        (8, 8, 8, 1 + 25 * 6),
        (8, 3, 6, 1 + 34 * 6),
        (0, 8, 1, 1 + 200 * 6),
    ] {
        let settings = PullerSettings {
            concurrent_pulls: limit,
            concurrent_pulls_per_registry: per_registry,
            concurrent_manifests: 200,
            ..PullerSettings::default()
        };
        let engine = FakeEngine::new();
        for (number, image) in images.iter().enumerate() {
            let image_of = FakeImage::new(format!("sha256:{number:064x}")).at_pace(Duration::from_secs(1));
            engine.put_image(image, image_of);
        }
        let puller = Puller::new(Arc::new(engine.clone()), settings);
        let begun = tokio::time::Instant::now();
        let calls = images.iter().map(|image| {
            let puller = &puller;
            async move { pull(puller, &request(image, Rotating::answers(vec![]))).await.0 }
        });
        let check = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(count_distributions(&engine), 200);
            let checked = request(&images[0], Rotating::answers(vec![]));
            puller.check(&checked, &Silent).await.unwrap();
            // With the answer to the question that was under way.
            assert_eq!(begun.elapsed(), Duration::from_secs(1));
        };
        let (ended, ()) = tokio::join!(join_all(calls), check);
        assert!(ended.iter().all(Result::is_ok));
        assert_eq!(engine.most_running(), most, "{limit} {per_registry}");
        assert_eq!(
            begun.elapsed(),
            Duration::from_secs(takes),
            "{limit} {per_registry}"
        );
    }
}
