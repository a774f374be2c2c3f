//! What was fetched, for as long as it may be used.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ecs_registry_auth::{Diagnosis, RegistryCredential};
use moka::Expiry;

/// What tells one answer from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    pub(super) identity: Arc<str>,
    /// Changes with the keys that are stored for the identity.
    pub(super) generation: u64,
    pub(super) region: Arc<str>,
    /// The ARN or name, with the suffix of ECS.
    pub(super) secret: Arc<str>,
    /// A staging label that a rotation adds to the request.
    pub(super) stage: Option<&'static str>,
}

/// A credential and the version of the secret that it is from.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) credential: Arc<RegistryCredential>,
    /// The ARN that Secrets Manager answered with.
    pub(super) arn: Option<Arc<str>>,
    pub(super) version: Option<Arc<str>>,
    pub(super) role: Option<Arc<str>>,
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) answer: Result<Arc<Fetched>, Arc<Diagnosis>>,
    lifetime: Duration,
}

impl Entry {
    /// A value: its lifetime is up to a tenth shorter, drawn here and never again, so that what was fetched together
    /// is not all fetched anew together.
    pub(super) fn value(fetched: Fetched, lifetime: Duration) -> Self {
        let random = RandomState::new().hash_one(0) % 1000;
        let share = f64::from(u16::try_from(random).unwrap_or_default()) / 10_000.0;
        Self {
            answer: Ok(Arc::new(fetched)),
            lifetime: lifetime.mul_f64(1.0 - share),
        }
    }

    /// A final failure.
    pub(super) fn failure(diagnosis: Diagnosis, lifetime: Duration) -> Self {
        Self {
            answer: Err(Arc::new(diagnosis)),
            lifetime,
        }
    }
}

/// Every entry has its own lifetime.
pub(super) struct OwnLifetime;

impl Expiry<CacheKey, Entry> for OwnLifetime {
    fn expire_after_create(&self, _: &CacheKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_differ_by_at_most_a_tenth() {
        let fetched = Fetched {
            credential: RegistryCredential::basic("alice", "p").into(),
            arn: None,
            version: None,
            role: None,
        };
        let lifetimes: Vec<Duration> = (0..50)
            .map(|_| Entry::value(fetched.clone(), Duration::from_secs(1000)).lifetime)
            .collect();
        assert!(
            lifetimes
                .iter()
                .all(|lifetime| (900..=1000).contains(&lifetime.as_secs()))
        );
        assert!(lifetimes.iter().any(|lifetime| *lifetime != lifetimes[0]));
    }
}
