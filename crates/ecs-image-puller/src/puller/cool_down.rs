//! Registries that asked to be left alone for a while.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecs_registry_auth::{Registry, RegistryCredential};
use tokio::time::Instant;

/// Whom a registry counts requests for: itself and a credential, known by a hash whose key never leaves the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Account(Registry, u64);

/// Until when each account waits. Shared by all calls of a puller.
#[derive(Debug, Default)]
pub(super) struct CoolDowns {
    hasher: RandomState,
    until: Mutex<HashMap<Account, Instant>>,
}

impl CoolDowns {
    pub(super) fn account(&self, registry: &Registry, credential: Option<&RegistryCredential>) -> Account {
        let mut hasher = self.hasher.build_hasher();
        if let Some(credential) = credential {
            credential.username.hash(&mut hasher);
            for secret in credential.secrets() {
                secret.expose().hash(&mut hasher);
            }
        }
        credential.is_some().hash(&mut hasher);
        Account(registry.clone(), hasher.finish())
    }

    /// Nobody asks for this account before `until`.
    pub(super) fn set(&self, account: Account, until: Instant) {
        let mut all = self.all();
        let now = Instant::now();
        all.retain(|_, until| *until > now);
        let known = all.entry(account).or_insert(until);
        *known = until.max(*known);
    }

    /// Until when this account waits, if it does.
    pub(super) fn until(&self, account: &Account) -> Option<Instant> {
        self.all()
            .get(account)
            .copied()
            .filter(|until| *until > Instant::now())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Account, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cool_down_is_for_one_registry_and_one_credential() {
        let all = CoolDowns::default();
        let registry = Registry::from_host("r.example.com");
        let alice = RegistryCredential::basic("alice", "a");
        let account = all.account(&registry, Some(&alice));
        let until = Instant::now() + Duration::from_secs(5);
        all.set(account.clone(), until);
        all.set(account.clone(), until - Duration::from_secs(3));
        assert_eq!(all.until(&account), Some(until));
        assert_eq!(
            all.until(&all.account(&registry, Some(&RegistryCredential::basic("alice", "b")))),
            None
        );
        assert_eq!(all.until(&all.account(&registry, None)), None);
        assert_eq!(
            all.until(&all.account(&Registry::from_host("s.example.com"), Some(&alice))),
            None
        );
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(all.until(&account), None);
    }
}
