//! Which credential an earlier pull was made with, in this process and in others.

use std::path::Path;
use std::sync::Arc;

use ecs_image_puller::testing::{Call, FakeEngine, FakeImage};
use ecs_image_puller::{
    Behavior, CachedImages, EngineError, EngineErrorKind, ImageDetails, PullRecord, PullRequest, Puller,
    PullerSettings, Status,
};
use ecs_registry_auth::{CredentialSource, Diagnosis, ErrorClass, ErrorName, Provenance, RegistryCredential};
use ecs_registry_auth::{ResolvedCredential, Stage};

use crate::support::*;

/// Private, for alice and bob; `mallory` has a credential that the registry refuses.
fn private() -> FakeEngine {
    let image = FakeImage::new(DIGEST)
        .private("alice", "right")
        .or_private("bob", "right");
    FakeEngine::new().with_image(IMAGE, image)
}

fn as_user(username: &str) -> PullRequest {
    let registry = ecs_registry_auth::Registry::from_host("registry.example.com");
    let resolved = ResolvedCredential::new(
        RegistryCredential::basic(username, "right"),
        Provenance::new(CredentialSource::EngineAuth, registry),
    );
    request(IMAGE, Rotating::answers(vec![Ok(Some(resolved))]))
}

fn nobody() -> PullRequest {
    request(IMAGE, Rotating::answers(vec![]))
}

/// As another process would be: nothing but the engine and the directory is the same.
fn process(engine: &FakeEngine, directory: &Path, cached_images: CachedImages) -> Puller {
    let settings = PullerSettings {
        cached_images,
        ..PullerSettings::default()
    };
    Puller::new(Arc::new(engine.clone()), settings).with_record(PullRecord::in_directory(directory))
}

/// What the registry and the engine were asked for since `before` calls.
fn asked(engine: &FakeEngine, before: usize) -> (usize, usize) {
    let calls = &engine.calls()[before..];
    let count = |is: fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count();
    (
        count(|call| matches!(call, Call::Distribution(..))),
        count(|call| matches!(call, Call::Pull(..))),
    )
}

#[tokio::test(start_paused = true)]
async fn what_one_credential_pulled_is_not_given_to_another_without_proof() {
    use Behavior::{Once, PreferCached};
    use CachedImages::{Trust, Verify};
    // After a pull by alice in another process: who asks how, what comes of it, and how many manifests and pulls that
    // takes. `None` is a refusal.
    for (who, behavior, cached_images, status, manifests, pulls) in [
        ("alice", Once, Verify, Some(Status::Cached), 0, 0),
        ("alice", PreferCached, Verify, Some(Status::Cached), 0, 0),
        ("bob", Once, Verify, Some(Status::Cached), 1, 0),
        ("bob", PreferCached, Verify, Some(Status::Cached), 1, 0),
        ("mallory", Once, Verify, None, 1, 0),
        ("mallory", PreferCached, Verify, None, 1, 0),
        ("", Once, Verify, None, 1, 0),
        ("", PreferCached, Verify, None, 1, 0),
        ("mallory", Once, Trust, Some(Status::Cached), 0, 0),
        ("mallory", PreferCached, Trust, Some(Status::Cached), 0, 0),
        ("", PreferCached, Trust, Some(Status::Cached), 0, 0),
    ] {
        let case = format!("{who:?} {behavior} {cached_images:?}");
        let (engine, directory) = (private(), tempfile::tempdir().unwrap());
        let first = process(&engine, directory.path(), Verify);
        pull(&first, &as_user("alice")).await.0.unwrap();
        let before = engine.calls().len();
        let second = process(&engine, directory.path(), cached_images);
        let request = if who.is_empty() { nobody() } else { as_user(who) };
        let (outcome, _) = pull(&second, &request.with_behavior(behavior)).await;
        match (outcome, status) {
            (Ok(pulled), Some(status)) => {
                assert_eq!(pulled.status, status, "{case}");
                assert_eq!(pulled.facts.digest.as_deref(), Some(DIGEST), "{case}");
                assert!(pulled.facts.notes.is_empty(), "{case}: {:?}", pulled.facts.notes);
            }
            (Err(failure), None) => assert_eq!(failure.diagnosis().class(), ErrorClass::Refused, "{case}"),
            (outcome, _) => panic!("{case}: {outcome:?}"),
        }
        assert_eq!(asked(&engine, before), (manifests, pulls), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn proof_is_remembered_and_once_is_about_pulls() {
    let (engine, directory) = (private(), tempfile::tempdir().unwrap());
    let pinned = format!("registry.example.com/team/app@{DIGEST}");
    // In the machine image before anything was recorded.
    engine.put_present(
        IMAGE,
        ImageDetails::new("sha256:id").with_repo_digests(vec![pinned]),
    );
    for (behavior, status, manifests, pulls) in [
        (Behavior::PreferCached, Status::Cached, 1, 0),
        (Behavior::PreferCached, Status::Cached, 0, 0),
        (Behavior::Once, Status::Pulled, 1, 1),
        (Behavior::Once, Status::Cached, 0, 0),
    ] {
        let before = engine.calls().len();
        let puller = process(&engine, directory.path(), CachedImages::Verify);
        let (outcome, _) = pull(&puller, &as_user("alice").with_behavior(behavior)).await;
        assert_eq!(outcome.unwrap().status, status, "{behavior}");
        assert_eq!(asked(&engine, before), (manifests, pulls), "{behavior}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_anybody_may_pull_anybody_may_have() {
    let (engine, directory) = (FakeEngine::new(), tempfile::tempdir().unwrap());
    engine.put_image(IMAGE, FakeImage::new(DIGEST));
    let puller = process(&engine, directory.path(), CachedImages::Verify);
    pull(&puller, &nobody()).await.0.unwrap();
    let before = engine.calls().len();
    for request in [nobody(), as_user("alice")] {
        let (outcome, _) = pull(&puller, &request.with_behavior(Behavior::PreferCached)).await;
        assert_eq!(outcome.unwrap().status, Status::Cached);
    }
    assert_eq!(engine.calls().len(), before);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_built_here_is_everybodys_and_one_from_elsewhere_is_not() {
    let elsewhere = "registry.example.net/app@sha256:ff".to_owned();
    for (repo_digests, expected) in [(vec![], Some(Status::Cached)), (vec![elsewhere], None)] {
        let (engine, directory) = (private(), tempfile::tempdir().unwrap());
        engine.put_present(
            IMAGE,
            ImageDetails::new("sha256:id").with_repo_digests(repo_digests),
        );
        let puller = process(&engine, directory.path(), CachedImages::Verify);
        let (outcome, _) = pull(&puller, &nobody().with_behavior(Behavior::PreferCached)).await;
        assert_eq!(outcome.ok().map(|pulled| pulled.status), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_the_registry_no_longer_has_or_an_engine_that_cannot_ask_means_a_pull() {
    for fault in [
        answer(404, "manifest unknown: manifest unknown"),
        EngineError::new(EngineErrorKind::Unsupported, "no such endpoint"),
    ] {
        let (engine, directory) = (private(), tempfile::tempdir().unwrap());
        let puller = process(&engine, directory.path(), CachedImages::Verify);
        pull(&puller, &as_user("alice")).await.0.unwrap();
        let before = engine.calls().len();
        engine.fail_distribution(fault);
        let (outcome, _) = pull(&puller, &as_user("bob").with_behavior(Behavior::PreferCached)).await;
        assert_eq!(outcome.unwrap().status, Status::Pulled);
        assert_eq!(asked(&engine, before), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fall_back_needs_access_too() {
    // Who asks while the registry is down, and whether the image that alice pulled will do.
    for (who, cached_images, falls_back) in [
        ("alice", CachedImages::Verify, true),
        ("bob", CachedImages::Verify, false),
        ("", CachedImages::Verify, false),
        ("bob", CachedImages::Trust, true),
    ] {
        let (engine, directory) = (private(), tempfile::tempdir().unwrap());
        let first = process(&engine, directory.path(), CachedImages::Verify);
        pull(&first, &as_user("alice")).await.0.unwrap();
        for _ in 0..9 {
            engine.fail_distribution(answer(500, "dial tcp 192.0.2.1:443: connect: connection refused"));
        }
        let second = process(&engine, directory.path(), cached_images);
        let request = if who.is_empty() { nobody() } else { as_user(who) };
        match pull(&second, &request).await.0 {
            Ok(pulled) => {
                assert!(falls_back, "{who} {cached_images:?}");
                assert_eq!(pulled.status, Status::Cached);
            }
            Err(failure) => {
                assert!(!falls_back, "{who} {cached_images:?}: {failure}");
                assert!(failure.facts().notes[0].contains("access"), "{failure:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_cannot_be_obtained_never_gets_the_cached_image() {
    for behavior in [Behavior::Default, Behavior::Once, Behavior::PreferCached] {
        let (engine, directory) = (FakeEngine::new(), tempfile::tempdir().unwrap());
        engine.put_image(IMAGE, FakeImage::new(DIGEST));
        let puller = process(&engine, directory.path(), CachedImages::Verify);
        // Even if anybody may have it, and if the failure may pass.
        pull(&puller, &nobody()).await.0.unwrap();
        let broken = Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Credential,
            Stage::Credential,
            "Secrets Manager does not answer",
        )
        .with_retriable(true);
        let request = request(IMAGE, Rotating::answers(vec![Err(broken.clone())])).with_behavior(behavior);
        let failure = pull(&puller, &request).await.0.unwrap_err();
        assert_eq!(*failure.diagnosis(), broken, "{behavior}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_used_stops_no_pull_and_gives_nothing_away() {
    let files = tempfile::tempdir().unwrap();
    let in_the_way = files.path().join("file");
    std::fs::write(&in_the_way, "not a directory").unwrap();
    let engine = private();
    let puller = process(&engine, &in_the_way, CachedImages::Verify);
    let (outcome, _) = pull(&puller, &as_user("alice")).await;
    let notes = outcome.unwrap().facts.notes;
    assert!(
        notes[0].contains("could not be recorded") && notes[0].contains("file"),
        "{notes:?}"
    );
    let refused = pull(&puller, &as_user("mallory").with_behavior(Behavior::PreferCached)).await;
    assert_eq!(refused.0.unwrap_err().diagnosis().class(), ErrorClass::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_put_aside_and_begun_anew() {
    let (engine, directory) = (private(), tempfile::tempdir().unwrap());
    for damage in [&b""[..], b"garbage", &[0; 100_000]] {
        let puller = process(&engine, directory.path(), CachedImages::Verify);
        pull(&puller, &as_user("alice")).await.0.unwrap();
        std::fs::write(directory.path().join("pulls.redb"), damage).unwrap();
        let again = process(&engine, directory.path(), CachedImages::Verify);
        for (status, behavior) in [(Status::Pulled, Behavior::Once), (Status::Cached, Behavior::Once)] {
            let (outcome, _) = pull(&again, &as_user("alice").with_behavior(behavior)).await;
            let pulled = outcome.unwrap();
            assert_eq!(
                (pulled.status, pulled.facts.notes.len()),
                (status, 0),
                "{:?}",
                pulled.facts
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_or_a_behavior_that_needs_no_record_makes_no_file() {
    let (engine, files) = (private(), tempfile::tempdir().unwrap());
    let directory = files.path().join("state/ecs-pull");
    let puller = process(&engine, &directory, CachedImages::Verify);
    engine.put_present(IMAGE, ImageDetails::new("sha256:id"));
    for behavior in [Behavior::PreferCached, Behavior::Once, Behavior::Always] {
        // What was built here is given to whoever prefers it; the others ask the registry and are refused.
        let (outcome, _) = pull(&puller, &as_user("mallory").with_behavior(behavior)).await;
        assert_eq!(outcome.is_ok(), behavior == Behavior::PreferCached);
    }
    assert!(!directory.exists());
    pull(&puller, &as_user("alice")).await.0.unwrap();
    assert!(directory.join("pulls.redb").exists());
}

#[tokio::test(start_paused = true)]
async fn the_files_hold_no_credential_and_are_for_their_owner() {
    let (engine, directory) = (private(), tempfile::tempdir().unwrap());
    engine.put_image(
        IMAGE,
        FakeImage::new(DIGEST).private("alice", "right horse battery"),
    );
    let registry = ecs_registry_auth::Registry::from_host("registry.example.com");
    let credential = RegistryCredential::basic("alice", "right horse battery");
    let resolved = ResolvedCredential::new(
        credential,
        Provenance::new(CredentialSource::EngineAuth, registry),
    );
    let request = request(IMAGE, Rotating::answers(vec![Ok(Some(resolved))]));
    let puller = process(&engine, &directory.path().join("state"), CachedImages::Verify);
    pull(&puller, &request).await.0.unwrap();
    // What an unkeyed hash of the password, or of user and password, would look like.
    let hashes = [
        "right horse battery",
        "alice:right horse battery",
        "aliceright horse battery",
    ]
    .map(|text| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.path().join("state")).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        let content = std::fs::read(&path).unwrap();
        let holds = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
        for needle in [&b"alice"[..], b"horse", b"YWxpY2U6", b"cmlnaHQgaG9yc2"] {
            assert!(!holds(needle), "{}", path.display());
        }
        for hash in &hashes {
            assert!(!holds(hash.as_ref()), "{}", path.display());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
    names.sort();
    assert_eq!(names, ["pulls.key", "pulls.lock", "pulls.redb"]);
}
