//! What one call knows while it runs, and the order of its steps.

use std::sync::Arc;

use ecs_registry_auth::{Candidate, Diagnosis, ErrorClass, Provenance, Redactor, ResolvedCredential, Stage};
use tokio::time::Instant;

use super::{Puller, limits};
use crate::diagnosis::Evidence;
use crate::engine::Distribution;
use crate::event::{Event, EventKind, EventSink};
use crate::record::Identity;
use crate::{Behavior, Facts, PullFailure, PullRequest, Status};

pub(super) struct Operation<'a> {
    pub(super) puller: &'a Puller,
    pub(super) request: &'a PullRequest,
    events: &'a dyn EventSink,
    shown_image: Arc<str>,
    pub(super) started: Instant,
    pub(super) facts: Facts,
    /// `None` is an anonymous pull, once the keychain was asked.
    pub(super) credential: Option<ResolvedCredential>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) redactor: Redactor,
    /// What the registry said about the image.
    pub(super) distribution: Option<Distribution>,
    /// What the registry said against the credential, until another one is in use: what takes too long meanwhile is the
    /// keychain, and no limit makes the refusal something that may pass.
    pub(super) refusal: Option<Diagnosis>,
    /// What is being done.
    pub(super) stage: Stage,
    /// How many credentials were refused.
    pub(super) refusals: u32,
    /// The keychain was asked and has answered: `credential` is what is to be used.
    pub(super) is_resolved: bool,
    /// In this call, the registry showed the image's manifest for `credential`.
    pub(super) is_access_shown: bool,
    /// What the engine has of the image: its digest there, or else its id.
    pub(super) content: Option<String>,
    place: String,
}

impl<'a> Operation<'a> {
    pub(super) fn new(puller: &'a Puller, request: &'a PullRequest, events: &'a dyn EventSink) -> Self {
        Self {
            puller,
            request,
            events,
            shown_image: request.image().as_str().into(),
            started: Instant::now(),
            facts: Facts::default(),
            credential: None,
            candidates: Vec::new(),
            redactor: Redactor::new(),
            distribution: None,
            refusal: None,
            stage: Stage::Credential,
            refusals: 0,
            is_resolved: false,
            content: None,
            is_access_shown: false,
            place: puller.engine.place(),
        }
    }

    /// Everything that `pull` does.
    pub(super) async fn pull(&mut self) -> Result<Status, Diagnosis> {
        self.emit(EventKind::Queued);
        let behavior = self.request.behavior().unwrap_or(self.puller.settings.behavior);
        let limit = self.puller.settings.pull_timeout;
        let outcome = match tokio::time::timeout(limit, self.pull_within_limit(behavior)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.out_of_time(|operation| {
                limits::whole(
                    operation.request.image(),
                    limit,
                    operation.stage,
                    operation.facts.history.last(),
                )
            })),
        };
        match outcome {
            // A quota passes too, if only after hours. Neither a refusal nor a credential that could not be obtained
            // comes this way.
            Err(failure)
                if behavior == Behavior::Default
                    && (failure.is_retriable() || failure.class() == ErrorClass::RateLimited) =>
            {
                match self.cached_after(&failure).await {
                    true => Ok(Status::Cached),
                    false => Err(failure),
                }
            }
            other => other,
        }
    }

    async fn pull_within_limit(&mut self, behavior: Behavior) -> Result<Status, Diagnosis> {
        let cached = match behavior {
            Behavior::Default | Behavior::Always => None,
            Behavior::Once | Behavior::PreferCached => self.find_cached().await?,
        };
        if let Some(cached) = &cached
            && self.is_trusted(behavior, cached).await
        {
            return Ok(Status::Cached);
        }
        self.resolve_credential().await?;
        if let Some(cached) = &cached
            && self.may_use(behavior, cached).await?
        {
            return Ok(Status::Cached);
        }
        self.resolve_digest().await?;
        self.download().await?;
        Ok(Status::Pulled)
    }

    /// Everything that `check` does.
    pub(super) async fn check(&mut self) -> Result<Status, Diagnosis> {
        self.emit(EventKind::Queued);
        let limit = self.puller.settings.pull_timeout;
        let steps = async {
            self.resolve_credential().await?;
            self.verify_manifest().await
        };
        match tokio::time::timeout(limit, steps).await {
            Ok(outcome) => outcome.map(|()| Status::Verified),
            Err(_) => Err(self.out_of_time(|operation| {
                limits::whole(
                    operation.request.image(),
                    limit,
                    operation.stage,
                    operation.facts.history.last(),
                )
            })),
        }
    }

    /// What a limit that ran out means: a refusal stays one while the keychain is asked for another credential.
    pub(super) fn out_of_time(&mut self, diagnosis: impl FnOnce(&Self) -> Diagnosis) -> Diagnosis {
        match &self.refusal {
            Some(refusal) => {
                let note = "no other credential could be obtained in time";
                self.facts.notes.push(note.to_owned());
                refusal.clone()
            }
            None => diagnosis(self),
        }
    }

    pub(super) fn take_distribution(&mut self) -> Option<Distribution> {
        self.distribution.take()
    }

    /// Closes the books and tells how it ended.
    pub(super) fn finish(
        mut self,
        outcome: Result<Status, Diagnosis>,
    ) -> Result<(Status, Facts), PullFailure> {
        self.facts.timings.total = self.started.elapsed();
        match outcome {
            Ok(status) => {
                self.emit(EventKind::Done {
                    status,
                    digest: self.facts.digest.clone(),
                    bytes: self.facts.bytes,
                    timings: self.facts.timings,
                });
                Ok((status, self.facts))
            }
            Err(diagnosis) => {
                self.emit(EventKind::Failed {
                    error: diagnosis.clone(),
                });
                Err(PullFailure::new(diagnosis, self.facts))
            }
        }
    }

    pub(super) fn emit(&self, kind: EventKind) {
        self.events.emit(Event {
            image: self.shown_image.clone(),
            container: self.request.shared_container(),
            kind,
        });
    }

    /// Where the credential came from that is being used.
    pub(super) fn provenance(&self) -> Arc<Provenance> {
        self.facts
            .provenance
            .clone()
            .unwrap_or_else(|| Arc::new(Provenance::anonymous(self.request.image().registry().clone())))
    }

    /// Who asks the registry, as this puller knows it.
    pub(super) fn identity(&self) -> Identity {
        let credential = self.credential.as_ref().map(|resolved| &*resolved.credential);
        self.puller
            .identities
            .identity(self.request.image().registry(), credential)
    }

    /// Takes note of the digest that the image has.
    pub(super) fn found_digest(&mut self, digest: &str) {
        self.facts.digest = Some(digest.into());
        self.facts.reference = Some(self.request.image().pinned_to(digest).into());
    }

    /// What is known, for whoever explains a failure.
    pub(super) fn evidence<'b>(&'b self, stage: Stage, provenance: &'b Provenance) -> Evidence<'b> {
        Evidence {
            image: self.request.image(),
            stage,
            provenance,
            candidates: &self.candidates,
            platform: self.request.platform(),
            platforms: self
                .distribution
                .as_ref()
                .map(|distribution| distribution.platforms.as_slice())
                .unwrap_or_default(),
            place: &self.place,
            redactor: &self.redactor,
        }
    }
}
