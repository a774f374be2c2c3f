//! When an image that the engine has will do.

use ecs_image_puller::testing::{FakeEngine, Fault};
use ecs_image_puller::{Behavior, ImageDetails, Status};

use crate::support::*;

fn with_present(engine: &FakeEngine) {
    let pinned = format!("registry.example.com/team/app@{DIGEST}");
    engine.put_present(
        IMAGE,
        ImageDetails::new("sha256:id").with_repo_digests(vec![pinned]),
    );
}

#[tokio::test(start_paused = true)]
async fn each_behavior_asks_the_registry_when_it_should() {
    // Behaviour, whether the engine has the image, whether this puller pulled it, and what happens.
    for (behavior, present, before, status, pulls) in [
        (Behavior::Default, true, false, Status::Pulled, 1),
        (Behavior::Always, true, false, Status::Pulled, 1),
        (Behavior::Once, true, false, Status::Pulled, 1),
        (Behavior::Once, true, true, Status::Cached, 1),
        (Behavior::PreferCached, false, false, Status::Pulled, 1),
        (Behavior::PreferCached, true, false, Status::Cached, 0),
    ] {
        let engine = engine();
        if present {
            with_present(&engine);
        }
        let puller = puller(&engine);
        if before {
            pull(&puller, &right()).await.0.unwrap();
        }
        let (outcome, _) = pull(&puller, &right().with_behavior(behavior)).await;
        let pulled = outcome.unwrap();
        assert_eq!(
            (pulled.status, count_pulls(&engine)),
            (status, pulls),
            "{behavior} {present} {before}"
        );
        assert_eq!(pulled.facts.digest.as_deref(), Some(DIGEST), "{behavior}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_default_falls_back_and_only_after_what_may_pass() {
    let passing = Fault::Refuse(answer(
        500,
        "received unexpected HTTP status: 503 Service Unavailable",
    ));
    let denied = Fault::Refuse(answer(403, "denied: requested access to the resource is denied"));
    let quota = Fault::Refuse(answer(
        500,
        "toomanyrequests: You have reached your pull rate limit.",
    ));
    let absent = Fault::Refuse(answer(404, "manifest unknown"));
    for (behavior, fault, falls_back) in [
        (Behavior::Default, &passing, true),
        (Behavior::Default, &quota, true),
        (Behavior::Default, &denied, false),
        (Behavior::Default, &absent, false),
        (Behavior::Always, &passing, false),
    ] {
        let engine = engine();
        with_present(&engine);
        for _ in 0..5 {
            engine.fail_pull(fault.clone());
        }
        let (outcome, _) = pull(&puller(&engine), &right().with_behavior(behavior)).await;
        match outcome {
            Ok(pulled) => {
                assert!(falls_back, "{behavior} {fault:?}");
                assert_eq!(pulled.status, Status::Cached);
                assert_eq!(pulled.facts.notes.len(), 1);
            }
            Err(failure) => assert!(!falls_back, "{behavior} {fault:?}: {failure}"),
        }
    }
}
