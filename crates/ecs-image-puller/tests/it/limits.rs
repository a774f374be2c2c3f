//! Limits of time.

use std::sync::Arc;
use std::time::Duration;

use ecs_image_puller::testing::{FakeEngine, FakeImage, Fault};
use ecs_image_puller::{PullFrame, Puller, PullerSettings};
use ecs_registry_auth::{ErrorClass, ErrorName, Stage};
use tokio::time::Instant;

use crate::support::*;

fn once(engine: &FakeEngine) -> Puller {
    let mut settings = PullerSettings::default();
    settings.pull_retry.attempts = 1;
    Puller::new(Arc::new(engine.clone()), settings)
}

#[tokio::test(start_paused = true)]
async fn each_limit_names_its_phase_its_length_and_the_setting() {
    let downloading = vec![
        PullFrame::layer("a", "Downloading"),
        PullFrame::layer("b", "Download complete"),
    ];
    let extracting = vec![PullFrame::layer("a", "Extracting")];
    for (fault, after, words) in [
        (
            Fault::Hang,
            300,
            ["did not begin", "5m", "ECS_IMAGE_PULL_BEGIN_TIMEOUT"],
        ),
        (
            Fault::Stall(vec![]),
            300,
            ["did not begin", "5m", "ECS_IMAGE_PULL_BEGIN_TIMEOUT"],
        ),
        (
            Fault::Stall(downloading),
            60,
            ["in the download", "1m", "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT"],
        ),
        (
            Fault::Stall(extracting),
            60,
            ["in the extraction", "1m", "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT"],
        ),
    ] {
        let engine = engine();
        engine.fail_pull(fault.clone());
        let begun = Instant::now();
        let (outcome, _) = pull(&once(&engine), &right()).await;
        // The limit, and not up to twice the limit.
        assert_eq!(begun.elapsed().as_secs(), after, "{fault:?}");
        let failure = outcome.unwrap_err();
        let diagnosis = failure.diagnosis();
        assert_eq!(diagnosis.name(), ErrorName::DockerTimeout);
        assert_eq!(diagnosis.class(), ErrorClass::TimedOut);
        assert_eq!(diagnosis.stage(), Stage::Pull);
        let text = format!("{diagnosis} {}", diagnosis.next_step().unwrap());
        for word in words {
            assert!(text.contains(word), "{text} lacks {word}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_attempt_that_timed_out_is_gone_before_the_next_begins() {
    let engine = engine();
    engine.fail_pull(Fault::Stall(vec![PullFrame::layer("a", "Downloading")]));
    let puller = puller(&engine);
    let request = right();
    let events = |event: ecs_image_puller::Event| {
        if matches!(event.kind, ecs_image_puller::EventKind::Retry { .. }) {
            assert_eq!(engine.running(), 0);
        }
    };
    // Only `Sync` closures are sinks; the engine is one.
    let pulled = puller.pull(&request, &events).await.unwrap();
    assert_eq!(pulled.facts.attempts, 2);
    assert_eq!(engine.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_manifest_has_a_limit_over_all_attempts() {
    let engine = engine();
    for _ in 0..100 {
        engine.fail_distribution(answer(
            500,
            "received unexpected HTTP status: 500 Internal Server Error",
        ));
    }
    let mut settings = PullerSettings::default();
    settings.manifest_retry.attempts = 1000;
    let puller = Puller::new(Arc::new(engine.clone()), settings);
    let begun = Instant::now();
    let (outcome, _) = pull(&puller, &right()).await;
    assert_eq!(begun.elapsed().as_secs(), 60);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.diagnosis().name(), ErrorName::DockerTimeout);
    assert_eq!(failure.diagnosis().stage(), Stage::Manifest);
    assert!(
        failure
            .diagnosis()
            .next_step()
            .unwrap()
            .contains("ECS_MANIFEST_PULL_TIMEOUT")
    );
    assert!(
        failure.diagnosis().cause().unwrap().contains("failed to answer"),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_whole_call_has_a_limit_and_keeps_what_is_known() {
    let engine = engine();
    for _ in 0..3 {
        engine.fail_pull(Fault::Hang);
    }
    let settings = PullerSettings {
        pull_timeout: Duration::from_secs(400),
        ..PullerSettings::default()
    };
    let puller = Puller::new(Arc::new(engine.clone()), settings);
    let begun = Instant::now();
    let (outcome, _) = pull(&puller, &right()).await;
    assert_eq!(begun.elapsed().as_secs(), 400);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.diagnosis().stage(), Stage::Pull);
    assert!(
        failure
            .diagnosis()
            .next_step()
            .unwrap()
            .contains("ECS_IMAGE_PULL_TIMEOUT")
    );
    assert_eq!(failure.facts().digest.as_deref(), Some(DIGEST));
    assert_eq!(failure.facts().history.len(), 1);
    assert_eq!(engine.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_keeps_moving_may_take_long() {
    let engine = engine();
    let settings = PullerSettings {
        inactivity_timeout: Duration::from_millis(1),
        ..PullerSettings::default()
    };
    let puller = Puller::new(Arc::new(engine.clone()), settings);
    pull(&puller, &right()).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_no_time_of_the_manifest() {
    // The account is left alone for 45 s, and the limit is 30 s; the second call has asked nothing yet.
    let engine = engine();
    engine.fail_distribution(answer(429, "toomanyrequests: retry-after: 45s"));
    let settings = PullerSettings {
        manifest_timeout: Duration::from_secs(30),
        ..PullerSettings::default()
    };
    let puller = Puller::new(Arc::new(engine.clone()), settings.clone());
    let (first, second) = (right(), right());
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        pull(&puller, &second).await.0
    };
    let (first, second) = tokio::join!(pull(&puller, &first), late);
    assert!(first.0.is_ok());
    assert_eq!(second.unwrap().facts.attempts, 1);

    // One manifest at a time, each of which takes 20 s.
    let engine = FakeEngine::new();
    let settings = PullerSettings {
        concurrent_manifests: 1,
        ..settings
    };
    let puller = Puller::new(Arc::new(engine.clone()), settings);
    let checks = (0..4).map(|number| {
        let image = format!("registry.example.com/team/app:v{number}");
        let slow = FakeImage::new(DIGEST).at_pace(Duration::from_secs(20));
        engine.put_image(&image, slow);
        let puller = &puller;
        async move {
            let request = request(&image, Rotating::answers(vec![]));
            puller.check(&request, &ecs_image_puller::Silent).await
        }
    });
    for checked in futures_util::future::join_all(checks).await {
        assert_eq!(checked.unwrap().facts.attempts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_not_everybodys_for_ever() {
    let hangs = FakeImage::new(DIGEST).at_pace(Duration::from_secs(100_000));
    let engine = FakeEngine::new().with_image(IMAGE, hangs);
    let puller = puller(&engine);
    let check = |after: u64| {
        let (puller, engine) = (&puller, &engine);
        async move {
            tokio::time::sleep(Duration::from_secs(after)).await;
            if after == 50 {
                // From now on the registry answers whoever asks anew.
                engine.put_image(IMAGE, FakeImage::new(DIGEST));
            }
            let request = request(IMAGE, Rotating::answers(vec![]));
            puller.check(&request, &ecs_image_puller::Silent).await
        }
    };
    let (first, second, third) = tokio::join!(check(0), check(30), check(50));
    assert_eq!(first.unwrap_err().diagnosis().name(), ErrorName::DockerTimeout);
    assert_eq!(second.unwrap().facts.attempts, 2);
    assert_eq!(third.unwrap().facts.attempts, 2);
}
