//! Registries that asked to be left alone for a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::record::Identity;

/// Until when each credential waits at its registry. Shared by all calls of a puller.
#[derive(Debug, Default)]
pub(super) struct CoolDowns(Mutex<HashMap<Identity, Instant>>);

impl CoolDowns {
    /// Nobody asks for this account before `until`.
    pub(super) fn set(&self, account: Identity, until: Instant) {
        let mut all = self.all();
        let now = Instant::now();
        all.retain(|_, until| *until > now);
        let known = all.entry(account).or_insert(until);
        *known = until.max(*known);
    }

    /// Until when this account waits, if it does.
    pub(super) fn until(&self, account: Identity) -> Option<Instant> {
        self.all()
            .get(&account)
            .copied()
            .filter(|until| *until > Instant::now())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Identity, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ecs_registry_auth::{Registry, RegistryCredential};

    use super::*;
    use crate::record::IdentityKey;

    #[tokio::test(start_paused = true)]
    async fn a_cool_down_is_for_one_registry_and_one_credential() {
        let (all, key) = (CoolDowns::default(), IdentityKey::random());
        let registry = Registry::from_host("r.example.com");
        let alice = RegistryCredential::basic("alice", "a");
        let account = key.identity(&registry, Some(&alice));
        let until = Instant::now() + Duration::from_secs(5);
        all.set(account, until);
        all.set(account, until - Duration::from_secs(3));
        assert_eq!(all.until(account), Some(until));
        for other in [
            key.identity(&registry, Some(&RegistryCredential::basic("alice", "b"))),
            key.identity(&registry, None),
            key.identity(&Registry::from_host("s.example.com"), Some(&alice)),
        ] {
            assert_eq!(all.until(other), None);
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(all.until(account), None);
    }
}
