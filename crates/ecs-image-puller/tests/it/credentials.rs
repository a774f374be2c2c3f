//! Which credential is sent, to whom, and what follows a refusal.

use std::sync::Arc;
use std::time::Duration;

use ecs_image_puller::testing::{Call, FakeEngine, FakeImage};
use ecs_image_puller::{Behavior, CachedImages, ImageDetails, Puller, PullerSettings};
use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ErrorClass, ErrorName, ImageReference, Keychain, ResolveFuture,
    ResolvedCredential, Stage,
};

use crate::support::*;

/// Has a credential, and takes for ever to look for another one.
#[derive(Debug)]
struct Hanging;

impl Keychain for Hanging {
    fn resolve<'a>(&'a self, _: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(std::future::ready(Ok(Some(alice("wrong")))))
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        _: &'a ImageReference,
        _: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        Box::pin(std::future::pending())
    }

    fn candidates(&self, _: &ImageReference) -> Vec<Candidate> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_wrong_password_is_final_at_once() {
    let engine = engine();
    let (outcome, events) = pull(&puller(&engine), &request(IMAGE, Rotating::passwords(&["wrong"]))).await;
    let failure = outcome.unwrap_err();
    let diagnosis = failure.diagnosis();
    assert_eq!(diagnosis.name(), ErrorName::CannotPullContainer);
    assert_eq!(diagnosis.class(), ErrorClass::Refused);
    assert!(!diagnosis.is_retriable());
    assert!(
        diagnosis.message().contains("https://registry.example.com"),
        "{diagnosis}"
    );
    assert_eq!(failure.facts().attempts, 1);
    assert_eq!(engine.calls().len(), 1);
    assert_eq!(events, ["queued", "credential", "failed"]);
}

#[tokio::test]
async fn a_rotated_credential_is_tried_after_a_refusal() {
    let engine = engine();
    let (outcome, events) = pull(
        &puller(&engine),
        &request(IMAGE, Rotating::passwords(&["old", "right"])),
    )
    .await;
    let pulled = outcome.unwrap();
    assert_eq!(pulled.facts.attempts, 2);
    assert_eq!(pulled.facts.history.len(), 1);
    assert_eq!(
        events[..5],
        ["queued", "credential", "credential", "retry", "manifest"]
    );
    assert!(engine.has(IMAGE));
}

#[tokio::test]
async fn a_keychain_that_always_has_one_more_comes_to_an_end() {
    let engine = engine();
    let passwords: Vec<String> = (0..100).map(|number| format!("wrong {number}")).collect();
    let passwords: Vec<&str> = passwords.iter().map(String::as_str).collect();
    let (outcome, _) = pull(&puller(&engine), &request(IMAGE, Rotating::passwords(&passwords))).await;
    assert_eq!(outcome.unwrap_err().facts().attempts, 4);
}

#[tokio::test]
async fn the_same_credential_again_is_not_tried_again() {
    let engine = engine();
    let (outcome, _) = pull(
        &puller(&engine),
        &request(IMAGE, Rotating::passwords(&["wrong", "wrong"])),
    )
    .await;
    assert_eq!(outcome.unwrap_err().facts().attempts, 1);
    assert_eq!(engine.calls().len(), 1);
}

#[tokio::test]
async fn a_credential_for_another_registry_is_never_sent() {
    for keychain in [
        Rotating::answers(vec![Ok(Some(for_host("registry.example.net", "right")))]),
        // Not after a refusal either.
        Rotating::answers(vec![
            Ok(Some(alice("wrong"))),
            Ok(Some(for_host("registry.example.net", "right"))),
        ]),
    ] {
        let engine = engine();
        let (outcome, _) = pull(&puller(&engine), &request(IMAGE, keychain)).await;
        assert!(outcome.is_err());
        assert!(!engine.has(IMAGE));
        assert!(count_distributions(&engine) <= 1, "{:?}", engine.calls());
    }
}

#[tokio::test]
async fn a_broken_credential_never_turns_into_an_anonymous_pull() {
    let engine = FakeEngine::new().with_image(IMAGE, FakeImage::new(DIGEST));
    // Nor into the image that another pull brought.
    engine.put_present(IMAGE, ImageDetails::new("sha256:id"));
    let broken = Diagnosis::new(
        ErrorName::ResourceInitialization,
        ErrorClass::Credential,
        Stage::Credential,
        "the secret cannot be read",
    );
    let request =
        request(IMAGE, Rotating::answers(vec![Err(broken.clone())])).with_behavior(Behavior::Default);
    let (outcome, events) = pull(&puller(&engine), &request).await;
    let failure = outcome.unwrap_err();
    assert_eq!(*failure.diagnosis(), broken);
    assert_eq!(failure.facts().attempts, 0);
    assert!(engine.calls().is_empty());
    assert_eq!(events, ["queued", "failed"]);
}

#[tokio::test]
async fn an_anonymous_pull_says_once_what_was_tried() {
    let engine = FakeEngine::new().with_image(IMAGE, FakeImage::new(DIGEST));
    let recorder = Recorder::default();
    let request = request(IMAGE, Rotating::answers(vec![]));
    let pulled = puller(&engine).pull(&request, &recorder).await.unwrap();
    assert_eq!(
        pulled.facts.provenance.unwrap().source,
        CredentialSource::Anonymous
    );
    let told: Vec<_> = recorder
        .json()
        .into_iter()
        .filter(|event| event["event"] == "credential")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["candidates"][0]["key"], "https://ghcr.io");
}

#[tokio::test]
async fn a_refused_anonymous_pull_names_the_keys_that_did_not_match() {
    let engine = engine();
    let (outcome, _) = pull(&puller(&engine), &request(IMAGE, Rotating::answers(vec![]))).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.diagnosis().class(), ErrorClass::Refused);
    assert!(
        failure.diagnosis().message().contains("it is for ghcr.io"),
        "{failure}"
    );
    assert_eq!(engine.calls(), [Call::Distribution(IMAGE.to_owned(), None)]);
}

#[tokio::test]
async fn what_the_engine_says_loses_the_password() {
    let engine = engine();
    let keychain = Rotating::passwords(&["hunter22>?~"]);
    engine.fail_distribution(answer(
        401,
        "unauthorized: hunter22>?~ is wrong: https://a:b@registry.example.com/token?account=x&t=hunter22%3E%3F~",
    ));
    let (outcome, _) = pull(&puller(&engine), &request(IMAGE, keychain)).await;
    let shown = format!("{:?}", outcome.unwrap_err());
    assert!(!shown.contains("hunter22"), "{shown}");
    assert!(!shown.contains("a:b@"), "{shown}");
}

#[tokio::test]
async fn a_next_step_that_repeats_the_engine_loses_the_password_too() {
    let engine = engine();
    engine.fail_distribution(answer(
        500,
        "denied: User: hunter22 is not authorized to perform: ecr:BatchGetImage on resource: \
         arn:aws:ecr:eu-west-1:111111111111:repository/hunter22",
    ));
    let (outcome, _) = pull(
        &puller(&engine),
        &request(IMAGE, Rotating::passwords(&["hunter22"])),
    )
    .await;
    let failure = outcome.unwrap_err();
    let next_step = failure.diagnosis().next_step().unwrap();
    assert!(next_step.contains("ecr:BatchGetImage"), "{next_step}");
    assert!(!format!("{failure:?}").contains("hunter22"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stays_one_while_the_keychain_is_slow() {
    // By tag the limit of the manifest runs out, by digest that of the whole call.
    let pinned = format!("registry.example.com/team/app@{DIGEST}");
    for image in [IMAGE, &pinned] {
        let engine = engine();
        engine.put_present(image, ImageDetails::new("sha256:id"));
        let settings = PullerSettings {
            pull_timeout: Duration::from_secs(90),
            cached_images: CachedImages::Trust,
            ..PullerSettings::default()
        };
        let puller = Puller::new(Arc::new(engine.clone()), settings);
        let request = request(image, Arc::new(Hanging)).with_behavior(Behavior::Default);
        let (outcome, _) = pull(&puller, &request).await;
        let failure = outcome.expect_err("the engine's image is not for whoever was refused");
        assert_eq!(failure.diagnosis().class(), ErrorClass::Refused, "{failure}");
        assert!(!failure.diagnosis().is_retriable());
        assert_eq!(
            failure.facts().notes,
            ["no other credential could be obtained in time"]
        );
        let checked = puller.check(&request, &ecs_image_puller::Silent).await;
        assert_eq!(checked.unwrap_err().diagnosis().class(), ErrorClass::Refused);
    }
}
