//! Digest first.

use ecs_image_puller::testing::{Call, FakeEngine, FakeImage};
use ecs_image_puller::{Distribution, EngineError, EngineErrorKind, Silent, Status};
use ecs_registry_auth::{ErrorClass, ErrorName};

use crate::support::*;

fn user() -> Option<String> {
    Some("alice".to_owned())
}

#[tokio::test]
async fn the_digest_is_pulled_and_named_as_it_was_asked_for() {
    let engine = engine();
    let (outcome, events) = pull(&puller(&engine), &right()).await;
    let pulled = outcome.unwrap();
    assert_eq!(pulled.status, Status::Pulled);
    assert_eq!(pulled.facts.digest.as_deref(), Some(DIGEST));
    assert_eq!(
        pulled.facts.reference.as_deref(),
        Some(format!("registry.example.com/team/app@{DIGEST}").as_str())
    );
    assert_eq!((pulled.facts.attempts, pulled.facts.bytes), (1, Some(1000)));
    assert_eq!(
        engine.calls(),
        [
            Call::Distribution(IMAGE.to_owned(), user()),
            Call::Pull(format!("registry.example.com/team/app {DIGEST}"), user()),
            Call::Tag(IMAGE.to_owned()),
        ]
    );
    assert_eq!(
        events,
        [
            "queued",
            "credential",
            "manifest",
            "layer",
            "layer",
            "layer",
            "layer",
            "layer",
            "done"
        ]
    );
}

#[tokio::test]
async fn an_image_with_a_digest_is_neither_resolved_nor_tagged() {
    let engine = engine();
    let image = format!("registry.example.com/team/app:v1@{DIGEST}");
    let (outcome, _) = pull(
        &puller(&engine),
        &request(&image, Rotating::passwords(&["right"])),
    )
    .await;
    assert_eq!(outcome.unwrap().facts.digest.as_deref(), Some(DIGEST));
    assert_eq!(
        engine.calls(),
        [Call::Pull(
            format!("registry.example.com/team/app {DIGEST}"),
            user()
        )]
    );
}

#[tokio::test]
async fn schema_1_and_engines_that_cannot_ask_are_pulled_by_name() {
    let mut schema1 = FakeImage::new(DIGEST);
    schema1.distribution = Distribution::new(DIGEST)
        .with_manifest("application/vnd.docker.distribution.manifest.v1+prettyjws", 10);
    let old = FakeEngine::new().with_image(IMAGE, FakeImage::new(DIGEST));
    old.fail_distribution(EngineError::new(EngineErrorKind::Unsupported, "page not found"));
    for engine in [FakeEngine::new().with_image(IMAGE, schema1), old] {
        let (outcome, _) = pull(&puller(&engine), &right()).await;
        assert_eq!(outcome.unwrap().facts.digest.as_deref(), Some(DIGEST));
        assert!(
            engine
                .calls()
                .contains(&Call::Pull("registry.example.com/team/app v1".to_owned(), user()))
        );
    }
}

#[tokio::test]
async fn a_missing_platform_is_found_before_the_download_and_names_those_that_exist() {
    let platforms = vec!["linux/amd64".parse().unwrap(), "linux/arm/v7".parse().unwrap()];
    let engine = FakeEngine::new().with_image(IMAGE, FakeImage::new(DIGEST).for_platforms(platforms));
    for image in [
        IMAGE.to_owned(),
        format!("registry.example.com/team/app@{DIGEST}"),
    ] {
        let request = request(&image, Rotating::passwords(&["right"]))
            .with_platform(Some("linux/arm64/v8".parse().unwrap()));
        let (outcome, _) = pull(&puller(&engine), &request).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.diagnosis().class(), ErrorClass::NotFound);
        assert!(
            failure
                .diagnosis()
                .message()
                .contains("linux/amd64, linux/arm/v7"),
            "{failure}"
        );
    }
    assert_eq!(count_pulls(&engine), 0);
}

#[tokio::test]
async fn a_missing_tag_is_final_at_once() {
    let engine = engine();
    let request = request(
        "registry.example.com/team/app:v2",
        Rotating::passwords(&["right"]),
    );
    let (outcome, _) = pull(&puller(&engine), &request).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.diagnosis().name(), ErrorName::CannotPullContainer);
    assert_eq!(failure.diagnosis().class(), ErrorClass::NotFound);
    assert_eq!(engine.calls().len(), 1);
}

#[tokio::test]
async fn a_check_downloads_nothing() {
    let engine = engine();
    let verified = puller(&engine).check(&right(), &Silent).await.unwrap();
    assert_eq!(verified.status, Status::Verified);
    assert_eq!(verified.facts.digest.as_deref(), Some(DIGEST));
    assert_eq!(engine.calls(), [Call::Distribution(IMAGE.to_owned(), user())]);
}
