//! One pull of the engine, for everybody who waits for it.

use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{ImageReference, RegistryCredential};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::Progress;
use crate::engine::{Engine, EngineError, EngineErrorKind, PullOrder};
use crate::load::Load;
use crate::progress::{Layers, Phase};
use crate::record::Identity;
use crate::{Platform, PullerSettings};

/// What makes two pulls the same: the credential is looked at apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PullKey {
    /// The repository, in the engine's spelling.
    pub(crate) repository: String,
    /// Digest, or else tag.
    pub(crate) version: String,
    pub(crate) platform: Option<Platform>,
    /// Whose it is where it is not for all: this credential could not show access to join the others.
    pub(crate) apart: Option<Identity>,
}

/// A pull that others may join.
#[derive(Clone, Debug)]
pub(crate) struct PullFlight {
    /// Whose credential it is made with.
    pub(crate) identity: Identity,
    pub(crate) progress: Arc<Progress>,
}

/// How a pull ended.
#[derive(Debug)]
pub(crate) struct Landing {
    pub(crate) outcome: Result<(), Stopped>,
    /// Until the last byte was there.
    pub(crate) download: Duration,
    /// From then on.
    pub(crate) extract: Duration,
}

/// What ended a pull of the engine too early.
#[derive(Clone, Debug)]
pub(crate) enum Stopped {
    Engine(EngineError),
    /// No message came in time.
    Begin,
    /// No further message came in time.
    Inactivity(Phase, usize),
}

/// Runs one pull of the engine to its end, once there is room for it. Whatever ends it drops the stream, which ends the
/// engine's side, so that no attempt overlaps with the one before.
pub(crate) async fn fly(
    engine: Arc<dyn Engine>,
    load: Arc<Load>,
    image: ImageReference,
    key: PullKey,
    credential: Option<Arc<RegistryCredential>>,
    settings: PullerSettings,
    progress: Arc<Progress>,
) -> Arc<Landing> {
    let _permit = load.pull(image.registry()).await;
    let begun = Instant::now();
    let order = PullOrder::new(&image, &key.version)
        .with_platform(key.platform.as_ref())
        .with_credential(credential.as_deref());
    let outcome = follow(&*engine, order, &settings, &progress, begun).await;
    let (download, extract) = progress.read(|layers| layers.split(begun, Instant::now()));
    Arc::new(Landing {
        outcome,
        download,
        extract,
    })
}

async fn follow(
    engine: &dyn Engine,
    order: PullOrder<'_>,
    settings: &PullerSettings,
    progress: &Progress,
    begun: Instant,
) -> Result<(), Stopped> {
    let first = begun + settings.begin_timeout;
    let started = tokio::time::timeout_at(first, engine.pull(order)).await;
    let mut stream = started.map_err(|_| Stopped::Begin)?.map_err(Stopped::Engine)?;
    let mut deadline = first;
    let mut any = false;
    loop {
        let frame = match tokio::time::timeout_at(deadline, stream.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(frame)) => frame.map_err(Stopped::Engine)?,
            Err(_) if any => {
                let (phase, layers) = progress.read(Layers::phase);
                return Err(Stopped::Inactivity(phase, layers));
            }
            Err(_) => return Err(Stopped::Begin),
        };
        if let Some(error) = frame.error {
            return Err(Stopped::Engine(EngineError::new(EngineErrorKind::Stream, error)));
        }
        let now = Instant::now();
        any = true;
        deadline = now + settings.inactivity_timeout;
        progress.take(&frame, now);
        // An engine that talks without a pause must leave its callers time to take what it says.
        tokio::task::coop::consume_budget().await;
    }
}
