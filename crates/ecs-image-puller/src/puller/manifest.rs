//! Which digest the image has, before anything is downloaded.

use std::pin::pin;
use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ImageReference, Stage};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::sync::SetOnce;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::limits::{self, Budget};
use super::operation::Operation;
use crate::diagnosis::{self, Verdict, diagnose};
use crate::engine::{Distribution, EngineError, EngineErrorKind};
use crate::event::EventKind;
use crate::sharing::Boarded;

impl Operation<'_> {
    /// Resolves the digest, unless the image carries one, and sees that the platform exists.
    ///
    /// An engine that cannot ask, and a manifest of schema 1, leave the digest to the pull.
    pub(super) async fn resolve_digest(&mut self) -> Result<(), Diagnosis> {
        if let Some(digest) = self.request.image().digest() {
            let digest = digest.to_owned();
            self.found_digest(&digest);
            // The engine takes whatever platform the digest has, so a wish for one is checked first all the same.
            if self.request.platform().is_none() {
                return Ok(());
            }
        }
        let image = self.request.image();
        match self.ask_registry(image).await {
            Err(Refused::Unsupported(error)) => {
                let error = diagnosis::clean(error.message(), &self.redactor);
                tracing::debug!(
                    error,
                    "the engine does not resolve digests: the image is pulled by its name"
                );
                Ok(())
            }
            Err(Refused::Failed(diagnosis)) => Err(diagnosis),
            Ok(()) => Ok(()),
        }
    }

    /// The same for a check, which has nothing else to go by.
    pub(super) async fn verify_manifest(&mut self) -> Result<(), Diagnosis> {
        match self.ask_registry(self.request.image()).await {
            Ok(()) => Ok(()),
            Err(Refused::Failed(diagnosis)) => Err(diagnosis),
            Err(Refused::Unsupported(error)) => {
                let provenance = self.provenance();
                Err(diagnose(&error, None, &self.evidence(Stage::Manifest, &provenance)).diagnosis)
            }
        }
    }

    /// Asks for the manifest of the image, under the name that is given; afterwards, access is shown.
    pub(super) async fn ask_registry(&mut self, image: &ImageReference) -> Result<(), Refused> {
        self.stage = Stage::Manifest;
        let begun = Instant::now();
        let limit = self.puller.settings.manifest_timeout;
        let mut budget = Budget::new(limit);
        let outcome = self.ask_until_final(image, &mut budget).await;
        self.facts.timings.manifest += begun.elapsed();
        let distribution = match outcome {
            Some(outcome) => outcome?,
            None => {
                return Err(Refused::Failed(self.out_of_time(|operation| {
                    let last = operation.facts.history.last();
                    limits::manifest(operation.request.image(), limit, last)
                })));
            }
        };
        self.is_access_shown = true;
        if !distribution.is_schema1() {
            self.found_digest(&distribution.digest);
            if let Some(digest) = self.facts.digest.clone() {
                self.emit(EventKind::Manifest { digest });
            }
        }
        let platform_exists = match self.request.platform() {
            Some(wanted) => {
                distribution.platforms.is_empty()
                    || distribution
                        .platforms
                        .iter()
                        .any(|offered| wanted.accepts(offered))
            }
            // What the engine runs besides its own platform is the engine's to know.
            None => true,
        };
        self.distribution = Some(distribution);
        if platform_exists {
            Ok(())
        } else {
            Err(Refused::Failed(self.platform_missing(Stage::Manifest).diagnosis))
        }
    }

    /// `None` when the time ran out. What this side waits for its turn is not the registry's time.
    async fn ask_until_final(
        &mut self,
        image: &ImageReference,
        budget: &mut Budget,
    ) -> Option<Result<Distribution, Refused>> {
        let mut backoff = Backoff::new(&self.puller.settings.manifest_retry);
        loop {
            self.wait_for_registry().await;
            let begun = Instant::now();
            let verdict = match self.ask_once(image, budget).await? {
                Answer::Given(Ok(distribution)) => return Some(Ok(distribution)),
                Answer::Given(Err(error)) if error.kind() == EngineErrorKind::Unsupported => {
                    return Some(Err(Refused::Unsupported(error)));
                }
                Answer::Given(Err(error)) => self.explain(&error, Stage::Manifest).await,
                Answer::TooLate => limits::request(image, self.puller.settings.manifest_timeout),
            };
            if let Err(diagnosis) = budget.spend(self.recover(&mut backoff, verdict, begun)).await? {
                return Some(Err(Refused::Failed(diagnosis)));
            }
        }
    }

    /// One request, which equal calls share. `None` when this call's time ran out.
    pub(super) async fn ask_once(&self, image: &ImageReference, budget: &mut Budget) -> Option<Answer> {
        let puller = self.puller;
        let request = || {
            let (engine, load) = (puller.engine.clone(), puller.load.clone());
            let (image, credential) = (image.clone(), self.credential.clone());
            let limit = puller.settings.manifest_timeout;
            let asked = Arc::<SetOnce<()>>::default();
            let is_asked = asked.clone();
            let request = async move {
                let _permit = load.manifest().await;
                // Only this sets it, once.
                let _ = is_asked.set(());
                let credential = credential.as_ref().map(|resolved| &*resolved.credential);
                // Who joins late has time left when the first has none: a request that hangs would be everybody's.
                match tokio::time::timeout(limit, engine.distribution(&image, credential)).await {
                    Ok(answer) => Answer::Given(answer),
                    Err(_) => Answer::TooLate,
                }
            };
            (asked, request.boxed())
        };
        let (asked, flight) =
            match puller
                .manifests
                .board((image.familiar(), self.identity()), |_| true, request)
            {
                Boarded::Joined(asked, flight) | Boarded::Began(asked, flight) => (asked, flight),
                Boarded::Refused => {
                    let (asked, request) = request();
                    (asked, request.shared())
                }
            };
        match select(flight, pin!(asked.wait())).await {
            Either::Left((answer, _)) => Some(answer),
            Either::Right((_, flight)) => budget.spend(flight).await,
        }
    }

    /// The image is not built for the platform that was asked for.
    pub(super) fn platform_missing(&self, stage: Stage) -> Verdict {
        let provenance = self.provenance();
        diagnosis::platform_missing(&self.evidence(stage, &provenance))
    }
}

/// What became of a request for a manifest.
#[derive(Clone)]
pub(super) enum Answer {
    Given(Result<Distribution, EngineError>),
    /// None came within the limit of one request.
    TooLate,
}

pub(super) enum Refused {
    /// The engine cannot ask.
    Unsupported(EngineError),
    Failed(Diagnosis),
}
