//! What is tried again, how often, and what is final.

use std::sync::Arc;
use std::time::Duration;

use ecs_image_puller::testing::{FakeEngine, FakeImage, Fault};
use ecs_image_puller::{EngineError, EngineErrorKind, PullFrame, Puller, PullerSettings, Silent};
use ecs_registry_auth::{ErrorClass, Stage};
use tokio::time::Instant;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    for fault in [
        Fault::Refuse(answer(
            500,
            "received unexpected HTTP status: 503 Service Unavailable",
        )),
        Fault::Refuse(answer(
            500,
            "Get \"https://registry.example.com/v2/\": dial tcp: i/o timeout",
        )),
        Fault::Refuse(EngineError::new(
            EngineErrorKind::Unreachable,
            "connection refused",
        )),
        Fault::Break(
            vec![PullFrame::layer("a", "Downloading")],
            Some(EngineError::new(
                EngineErrorKind::Interrupted,
                "connection closed",
            )),
        ),
        Fault::Break(vec![PullFrame::failed("unexpected EOF")], None),
        Fault::Break(
            vec![PullFrame::failed(
                "filesystem layer verification failed for digest sha256:ab",
            )],
            None,
        ),
        // A stream that ends well and brought nothing.
        Fault::Break(vec![PullFrame::layer("a", "Pull complete")], None),
    ] {
        let engine = engine();
        engine.fail_pull(fault.clone());
        let (outcome, events) = pull(&puller(&engine), &right()).await;
        let pulled = outcome.unwrap_or_else(|failure| panic!("{fault:?}: {failure}"));
        assert_eq!(pulled.facts.attempts, 2, "{fault:?}");
        assert_eq!(pulled.facts.history.len(), 1, "{fault:?}");
        assert!(events.contains(&"retry".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_same_again_would_not_change_is_final() {
    for (fault, class) in [
        (
            Fault::Refuse(answer(500, "unauthorized: authentication required")),
            ErrorClass::Refused,
        ),
        (
            Fault::Refuse(answer(
                404,
                "pull access denied for team/app, repository does not exist or may require 'docker login'",
            )),
            ErrorClass::Refused,
        ),
        (
            Fault::Refuse(answer(404, "manifest for x not found: manifest unknown")),
            ErrorClass::NotFound,
        ),
        (
            Fault::Break(vec![PullFrame::failed("write /x: no space left on device")], None),
            ErrorClass::Other,
        ),
        (
            Fault::Refuse(answer(400, "invalid tag format")),
            ErrorClass::Configuration,
        ),
        (
            Fault::Refuse(answer(500, "x509: certificate signed by unknown authority")),
            ErrorClass::Other,
        ),
        (
            Fault::Refuse(answer(
                500,
                "toomanyrequests: You have reached your pull rate limit.",
            )),
            ErrorClass::RateLimited,
        ),
    ] {
        let engine = engine();
        engine.fail_pull(fault.clone());
        let (outcome, _) = pull(&puller(&engine), &right()).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.diagnosis().class(), class, "{fault:?}");
        assert_eq!(count_pulls(&engine), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_error_of_a_stream_is_the_verdict() {
    let engine = engine();
    engine.fail_pull(Fault::Stall(vec![
        PullFrame::layer("a", "Downloading"),
        PullFrame::failed("no space left on device"),
        PullFrame::failed("context canceled"),
    ]));
    let begun = Instant::now();
    let (outcome, _) = pull(&puller(&engine), &right()).await;
    assert!(outcome.unwrap_err().diagnosis().message().contains("full"));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn attempts_come_to_an_end_and_all_are_told() {
    let engine = engine();
    for _ in 0..20 {
        engine.fail_pull(Fault::Refuse(answer(
            500,
            "received unexpected HTTP status: 502 Bad Gateway",
        )));
    }
    let begun = Instant::now();
    let (outcome, _) = pull(&puller(&engine), &right()).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.facts().attempts, 5);
    assert_eq!(failure.facts().history.len(), 5);
    assert!(
        failure
            .facts()
            .history
            .iter()
            .all(|attempt| attempt.stage == Stage::Pull)
    );
    assert!(failure.diagnosis().is_retriable());
    let waited = begun.elapsed();
    assert!(
        waited > Duration::from_millis(12_700) && waited < Duration::from_secs(16),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn backoff_begins_anew_with_each_call() {
    let engine = engine();
    let puller = puller(&engine);
    for _ in 0..3 {
        engine.fail_pull(Fault::Refuse(answer(
            500,
            "received unexpected HTTP status: 502 Bad Gateway",
        )));
        let begun = Instant::now();
        pull(&puller, &right()).await.0.unwrap();
        assert!(
            begun.elapsed() < Duration::from_millis(1400),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_is_left_alone_for_as_long_as_it_asks() {
    let engine = engine();
    let puller = puller(&engine);
    engine.fail_distribution(answer(
        429,
        "toomanyrequests: retry-after: 30s, allowed: 44000/minute",
    ));
    let begun = Instant::now();
    let (first, recorder) = (right(), Recorder::default());
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let outcome = puller.pull(&right(), &recorder).await;
        (outcome, begun.elapsed())
    };
    let (first, (second, after)) = tokio::join!(pull(&puller, &first), second);
    assert_eq!(first.0.unwrap().facts.attempts, 2);
    assert_eq!(second.unwrap().facts.attempts, 1);
    assert!(after >= Duration::from_secs(30), "{after:?}");
    assert!(recorder.names().contains(&"wait".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_fails_at_once_and_says_how_long() {
    // The second is allowed, and longer than the whole call may take.
    for seconds in [3600, 60] {
        let engine = engine();
        let settings = PullerSettings {
            pull_timeout: Duration::from_secs(60),
            ..PullerSettings::default()
        };
        let puller = Puller::new(Arc::new(engine.clone()), settings);
        engine.fail_distribution(answer(429, &format!("toomanyrequests: Retry-After: {seconds}")));
        let begun = Instant::now();
        let (outcome, _) = pull(&puller, &right()).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.diagnosis().class(), ErrorClass::RateLimited);
        assert!(
            failure
                .diagnosis()
                .next_step()
                .unwrap()
                .contains(&format!("{seconds} s"))
        );
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_vague_answer_is_explained_by_the_registry() {
    for (status, message, class) in [
        (401, "unauthorized: authentication required", ErrorClass::Refused),
        (404, "manifest unknown: manifest unknown", ErrorClass::NotFound),
        (429, "toomanyrequests: slow down", ErrorClass::RateLimited),
    ] {
        let engine = engine();
        for _ in 0..5 {
            engine.fail_pull(Fault::Refuse(answer(500, "something went wrong")));
            engine.fail_distribution(answer(status, message));
        }
        // With a digest nobody asks the registry first.
        let image = format!("registry.example.com/team/app@{DIGEST}");
        let (outcome, _) = pull(
            &puller(&engine),
            &request(&image, Rotating::passwords(&["right"])),
        )
        .await;
        assert_eq!(outcome.unwrap_err().diagnosis().class(), class, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_ask_is_no_witness() {
    let engine = engine();
    engine.fail_pull(Fault::Refuse(answer(409, "something went wrong")));
    engine.fail_distribution(EngineError::new(EngineErrorKind::Unsupported, "Not Found"));
    let image = format!("registry.example.com/team/app@{DIGEST}");
    let (outcome, _) = pull(
        &puller(&engine),
        &request(&image, Rotating::passwords(&["right"])),
    )
    .await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.diagnosis().cause(), Some("something went wrong"));
    assert!(
        failure.diagnosis().message().contains("could not get"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_say_how_long_is_left_alone_for_a_second() {
    let engine = engine();
    engine.fail_distribution(answer(429, "toomanyrequests: slow down"));
    let begun = Instant::now();
    pull(&puller(&engine), &right()).await.0.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_witness_is_asked_when_the_registry_may_be_asked() {
    let image = FakeImage::new(DIGEST)
        .private("alice", "right")
        .at_pace(Duration::from_secs(1));
    let engine = FakeEngine::new().with_image(IMAGE, image);
    let puller = puller(&engine);
    // The pull fails in a way that the registry is to explain, while the registry wants to be left alone.
    engine.fail_pull(Fault::Break(
        vec![
            PullFrame::layer("a", "Downloading"),
            PullFrame::failed("something went wrong"),
        ],
        None,
    ));
    engine.fail_distribution(answer(429, "toomanyrequests: retry-after: 30s"));
    let pinned = format!("registry.example.com/team/app@{DIGEST}");
    let (first, second) = (request(&pinned, Rotating::passwords(&["right"])), right());
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        puller.check(&second, &Silent).await
    };
    let watch = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(count_distributions(&engine), 1);
    };
    let (first, second, ()) = tokio::join!(pull(&puller, &first), late, watch);
    assert_eq!(first.0.unwrap().facts.attempts, 2);
    assert_eq!(second.unwrap().facts.attempts, 2);
}
