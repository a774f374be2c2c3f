//! How much is asked of the engine at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ecs_registry_auth::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::PullerSettings;

/// The limits of one puller. Who waits is served in the order of arrival.
#[derive(Debug)]
pub(crate) struct Load {
    pulls: Arc<Semaphore>,
    per_registry: usize,
    registries: Mutex<HashMap<Registry, Weak<Semaphore>>>,
    manifests: Semaphore,
}

/// Leave for one pull, until it is dropped.
#[derive(Debug)]
pub(crate) struct PullPermit {
    _pull: OwnedSemaphorePermit,
    _registry: OwnedSemaphorePermit,
}

impl Load {
    pub(crate) fn new(settings: &PullerSettings) -> Self {
        Self {
            pulls: Arc::new(Semaphore::new(permits(settings.concurrent_pulls))),
            per_registry: permits(settings.concurrent_pulls_per_registry),
            registries: Mutex::default(),
            manifests: Semaphore::new(permits(settings.concurrent_manifests)),
        }
    }

    /// Waits until one more pull may be asked of the engine.
    pub(crate) async fn pull(&self, registry: &Registry) -> PullPermit {
        // The registry's first: who waits for a registry takes no room from the others.
        let registry = acquire(self.registry(registry)).await;
        PullPermit {
            _pull: acquire(self.pulls.clone()).await,
            _registry: registry,
        }
    }

    /// Waits until one more manifest may be asked for. Never behind a pull.
    pub(crate) async fn manifest(&self) -> impl Drop {
        match self.manifests.acquire().await {
            Ok(permit) => permit,
            Err(_) => std::future::pending().await,
        }
    }

    fn registry(&self, registry: &Registry) -> Arc<Semaphore> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = registries.get(registry).and_then(Weak::upgrade) {
            return known;
        }
        registries.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(self.per_registry));
        registries.insert(registry.clone(), Arc::downgrade(&semaphore));
        semaphore
    }
}

/// None would be none for ever, and the semaphore has an upper bound.
fn permits(limit: usize) -> usize {
    limit.clamp(1, Semaphore::MAX_PERMITS)
}

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.acquire_owned().await {
        Ok(permit) => permit,
        // Nothing here closes a semaphore.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_registry_leaves_room_for_another_and_layers_for_manifests() {
        let settings = PullerSettings {
            concurrent_pulls: 3,
            concurrent_pulls_per_registry: 2,
            concurrent_manifests: 0,
            ..PullerSettings::default()
        };
        let load = Load::new(&settings);
        let (here, there) = (
            Registry::from_host("r.example.com"),
            Registry::from_host("s.example.com"),
        );
        let first = load.pull(&here).await;
        let _second = load.pull(&here).await;
        // Many wait for one registry, and hold no place in the whole.
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(load.pull(&here))).collect();
        assert!(waiting.iter_mut().all(|pull| pull.now_or_never().is_none()));
        let third = load.pull(&there).now_or_never().unwrap();
        assert!(load.pull(&there).now_or_never().is_none());
        assert!(load.manifest().now_or_never().is_some());
        drop(third);
        assert!(load.pull(&there).now_or_never().is_some());
        drop(first);
        assert!((&mut waiting[0]).now_or_never().is_some());
    }

    #[tokio::test]
    async fn registries_that_are_done_are_forgotten() {
        let load = Load::new(&PullerSettings::default());
        for number in 0..100 {
            load.pull(&Registry::from_host(&format!("r{number}.example.com")))
                .await;
        }
        assert!(load.registries.lock().unwrap().len() <= 1);
    }
}
