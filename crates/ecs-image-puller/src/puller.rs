//! One call, from the credential to the tag.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Engine;
use crate::event::EventSink;
use crate::{PullFailure, PullRequest, Pulled, PullerSettings, Verified};

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
use operation::Operation;

/// Pulls images through an [`Engine`].
///
/// One puller serves many calls at once; a cool-down that a registry asks for holds for all of them. A call runs in the
/// future that it returns and nowhere else: dropping that stops the engine's pull and leaves nothing behind.
#[derive(Debug)]
pub struct Puller {
    engine: Arc<dyn Engine>,
    settings: PullerSettings,
    cool_downs: CoolDowns,
    /// References that were pulled, for [`Behavior::Once`](crate::Behavior::Once).
    pulled: Mutex<HashSet<Box<str>>>,
}

impl Puller {
    /// A puller with these limits.
    pub fn new(engine: Arc<dyn Engine>, settings: PullerSettings) -> Self {
        Self {
            engine,
            settings,
            cool_downs: CoolDowns::default(),
            pulled: Mutex::default(),
        }
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

    fn pulled(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        // A set is whole after each of its steps, whoever panicked elsewhere.
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
