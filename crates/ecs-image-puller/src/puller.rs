//! One call, from the credential to the tag.

use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::engine::Engine;
use crate::event::EventSink;
use crate::load::Load;
use crate::record::{Identity, IdentityKey};
use crate::sharing::{Flights, Landing, PullFlight, PullKey};
use crate::{PullFailure, PullRecord, PullRequest, Pulled, PullerSettings, Verified};

mod backoff;
mod cached;
mod cool_down;
mod credential;
mod download;
mod limits;
mod manifest;
mod operation;
mod recover;

use cool_down::CoolDowns;
use manifest::Answer;
use operation::Operation;

/// Pulls images through an [`Engine`].
///
/// One puller serves many calls at once; a cool-down that a registry asks for and the limits of load hold for all of
/// them. A call runs in the future that it returns and nowhere else: dropping that stops the engine's pull, unless other
/// calls wait for the same pull, and leaves nothing behind.
///
/// Calls for the same digest and platform that run at the same time share one pull of the engine. Each keeps its own
/// limits, retries and events. Who asks with another credential than the one that the pull is made with joins after the
/// registry has shown it the manifest.
#[derive(Debug)]
pub struct Puller {
    engine: Arc<dyn Engine>,
    settings: PullerSettings,
    /// How this puller tells credentials apart; not the key of the record.
    identities: IdentityKey,
    cool_downs: CoolDowns,
    load: Arc<Load>,
    /// Each with what tells that it has its turn.
    manifests: Flights<(String, Identity), Arc<SetOnce<()>>, Answer>,
    pulls: Flights<PullKey, PullFlight, Arc<Landing>>,
    record: PullRecord,
}

impl Puller {
    /// A puller with these limits, and with a record that ends with it.
    pub fn new(engine: Arc<dyn Engine>, settings: PullerSettings) -> Self {
        Self {
            engine,
            identities: IdentityKey::random(),
            cool_downs: CoolDowns::default(),
            load: Arc::new(Load::new(&settings)),
            settings,
            manifests: Flights::default(),
            pulls: Flights::default(),
            record: PullRecord::in_memory(),
        }
    }

    /// The same with a record that stays, or that other pullers use too.
    #[must_use]
    pub fn with_record(mut self, record: PullRecord) -> Self {
        self.record = record;
        self
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The limits.
    #[must_use]
    pub fn settings(&self) -> &PullerSettings {
        &self.settings
    }

    /// Makes the engine have the image: asks the keychain, resolves the digest, pulls that, checks that the engine has
    /// it, and gives it the name that was asked for.
    ///
    /// # Errors
    ///
    /// [`PullFailure`] with a diagnosis and everything that is known. A refusal is final at once unless the keychain
    /// has another credential; what may pass is retried as the settings say. No error leads to an anonymous pull.
    pub async fn pull(&self, request: &PullRequest, events: &dyn EventSink) -> Result<Pulled, PullFailure> {
        let mut operation = Operation::new(self, request, events);
        let outcome = operation.pull().await;
        operation
            .finish(outcome)
            .map(|(status, facts)| Pulled { status, facts })
    }

    /// Finds out whether the image could be pulled: the same up to the manifest, without the layers.
    ///
    /// # Errors
    ///
    /// As [`pull`](Self::pull).
    pub async fn check(
        &self,
        request: &PullRequest,
        events: &dyn EventSink,
    ) -> Result<Verified, PullFailure> {
        let mut operation = Operation::new(self, request, events);
        let outcome = operation.check().await;
        let found = operation.take_distribution();
        operation.finish(outcome).map(|(status, facts)| Verified {
            status,
            facts,
            manifest_size: found.as_ref().and_then(|found| found.size),
            platforms: found.map(|found| found.platforms).unwrap_or_default(),
        })
    }
}
