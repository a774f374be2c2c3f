//! What the tests share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ecs_image_puller::testing::{Call, FakeEngine, FakeImage};
use ecs_image_puller::{
    EngineError, EngineErrorKind, Event, EventSink, PullFailure, PullRequest, Pulled, Puller, PullerSettings,
};
use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ImageReference, Keychain, Provenance, RegistryCredential,
    ResolveFuture, ResolvedCredential,
};

pub(crate) const IMAGE: &str = "registry.example.com/team/app:v1";
pub(crate) const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A private image, for alice.
pub(crate) fn engine() -> FakeEngine {
    FakeEngine::new().with_image(IMAGE, FakeImage::new(DIGEST).private("alice", "right"))
}

pub(crate) fn puller(engine: &FakeEngine) -> Puller {
    Puller::new(Arc::new(engine.clone()), PullerSettings::default())
}

pub(crate) fn answer(status: u16, message: &str) -> EngineError {
    EngineError::new(EngineErrorKind::Answer(status), message)
}

/// Gives these credentials one after another, each after a refusal of the one before.
#[derive(Debug)]
pub(crate) struct Rotating {
    answers: Mutex<VecDeque<Result<Option<ResolvedCredential>, Diagnosis>>>,
    candidates: Vec<Candidate>,
}

impl Rotating {
    pub(crate) fn passwords(passwords: &[&str]) -> Arc<Self> {
        Self::answers(
            passwords
                .iter()
                .map(|password| Ok(Some(alice(password))))
                .collect(),
        )
    }

    pub(crate) fn answers(answers: Vec<Result<Option<ResolvedCredential>, Diagnosis>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into()),
            candidates: vec![
                Candidate::new(CredentialSource::EngineAuth, false, "it is for ghcr.io")
                    .with_key("https://ghcr.io"),
            ],
        })
    }

    fn next(&self) -> ResolveFuture<'static> {
        let next = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(None));
        Box::pin(std::future::ready(next))
    }
}

impl Keychain for Rotating {
    fn resolve<'a>(&'a self, _: &'a ImageReference) -> ResolveFuture<'a> {
        self.next()
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        _: &'a ImageReference,
        _: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        self.next()
    }

    fn candidates(&self, _: &ImageReference) -> Vec<Candidate> {
        self.candidates.clone()
    }
}

pub(crate) fn alice(password: &str) -> ResolvedCredential {
    for_host("registry.example.com", password)
}

pub(crate) fn for_host(host: &str, password: &str) -> ResolvedCredential {
    let mut provenance = Provenance::new(
        CredentialSource::EngineAuth,
        ecs_registry_auth::Registry::from_host(host),
    );
    provenance.key = Some(format!("https://{host}").into());
    ResolvedCredential::new(RegistryCredential::basic("alice", password), provenance)
}

pub(crate) fn request(image: &str, keychain: Arc<dyn Keychain>) -> PullRequest {
    PullRequest::new(image.parse().unwrap(), keychain)
}

/// A request with the right password.
pub(crate) fn right() -> PullRequest {
    request(IMAGE, Rotating::passwords(&["right"]))
}

/// Keeps every event.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    pub(crate) fn names(&self) -> Vec<String> {
        self.json()
            .iter()
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let events = self.0.lock().unwrap();
        events
            .iter()
            .map(|event| serde_json::to_value(event).unwrap())
            .collect()
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// Pulls and gives the events' names too.
pub(crate) async fn pull(
    puller: &Puller,
    request: &PullRequest,
) -> (Result<Pulled, PullFailure>, Vec<String>) {
    let recorder = Recorder::default();
    let outcome = puller.pull(request, &recorder).await;
    (outcome, recorder.names())
}

pub(crate) fn count_pulls(engine: &FakeEngine) -> usize {
    engine
        .calls()
        .iter()
        .filter(|call| matches!(call, Call::Pull(..)))
        .count()
}

pub(crate) fn count_distributions(engine: &FakeEngine) -> usize {
    engine
        .calls()
        .iter()
        .filter(|call| matches!(call, Call::Distribution(..)))
        .count()
}
