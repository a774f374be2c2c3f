//! Keys by credentials id, fed by an embedding agent.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::RoleKeys;

/// The execution roles' keys that a control plane sends, by credentials id. Cheap to clone: all clones are one.
///
/// An agent calls [`put`](Self::put) for every message with keys and [`remove`](Self::remove) when a task has
/// ended. Whoever needs keys that have expired waits for the next message, but not for ever.
///
/// ```
/// use ecs_secret_resolver::{CredentialsStore, Identity, RoleKeys};
///
/// let store = CredentialsStore::default();
/// let keys = RoleKeys::from_json(br#"{"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "hidden"}"#)?;
/// store.put("b0e1c6c2", keys);
/// let identity = Identity::stored(&store, "b0e1c6c2");
/// assert!(store.remove("b0e1c6c2"));
/// # Ok::<(), ecs_secret_resolver::RoleKeysError>(())
/// ```
#[derive(Clone)]
pub struct CredentialsStore(Arc<Inner>);

struct Inner {
    /// Tells the stores of one process apart, so that equal ids in two of them are two identities.
    number: u64,
    longest_wait: Duration,
    entries: RwLock<HashMap<Arc<str>, Entry>>,
    /// Counts changes: its value is the generation of the last one.
    changes: watch::Sender<u64>,
}

struct Entry {
    keys: RoleKeys,
    generation: u64,
}

/// Why a store has no usable keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredKeysError {
    /// Nothing was put under this id, or it was removed.
    #[error("no keys are stored under credentials id {0}")]
    Unknown(Arc<str>),
    /// The keys have expired and no others came in time.
    #[error("the keys of credentials id {id} have expired and no others came within {} s", waited.as_secs())]
    Expired {
        /// The credentials id.
        id: Arc<str>,
        /// How long was waited.
        waited: Duration,
    },
}

impl Default for CredentialsStore {
    /// A store that waits 30 seconds for a refresh.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

impl CredentialsStore {
    /// An empty store. Users of expired keys wait at most `longest_wait` for others.
    #[must_use]
    pub fn new(longest_wait: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Inner {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            longest_wait,
            entries: RwLock::default(),
            changes: watch::Sender::new(0),
        }))
    }

    /// Stores keys, in place of those that were there.
    pub fn put(&self, credentials_id: impl Into<Arc<str>>, keys: RoleKeys) {
        let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
        let generation = *self.0.changes.borrow() + 1;
        entries.insert(credentials_id.into(), Entry { keys, generation });
        self.0.changes.send_replace(generation);
    }

    /// Forgets keys; whether there were any. Whoever waits for them stops.
    pub fn remove(&self, credentials_id: &str) -> bool {
        let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
        let removed = entries.remove(credentials_id).is_some();
        self.0.changes.send_modify(|generation| *generation += 1);
        removed
    }

    /// The credentials ids that have keys, in no order.
    #[must_use]
    pub fn ids(&self) -> Vec<Arc<str>> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.keys().cloned().collect()
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    /// 0 when there are none.
    pub(super) fn generation(&self, id: &str) -> u64 {
        self.look(id).map_or(0, |(_, generation)| generation)
    }

    pub(super) fn role(&self, id: &str) -> Option<Arc<str>> {
        self.look(id).and_then(|(keys, _)| keys.role_arn().map(Arc::from))
    }

    fn look(&self, id: &str) -> Option<(RoleKeys, u64)> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .get(id)
            .map(|entry| (entry.keys.clone(), entry.generation))
    }

    /// Keys that have not expired and whose access key id is not `refused`, waiting for them if need be.
    pub(super) async fn usable(
        &self,
        id: &Arc<str>,
        refused: Option<&str>,
        now: impl Fn() -> SystemTime,
    ) -> Result<RoleKeys, StoredKeysError> {
        let mut changes = self.0.changes.subscribe();
        let waiting = async {
            loop {
                let (keys, _) = self
                    .look(id)
                    .ok_or_else(|| StoredKeysError::Unknown(id.clone()))?;
                if !keys.has_expired(now()) && refused != Some(keys.access_key_id()) {
                    return Ok(keys);
                }
                // The sender lives in `self`.
                let _ = changes.changed().await;
            }
        };
        tokio::time::timeout(self.0.longest_wait, waiting)
            .await
            .unwrap_or_else(|_| {
                Err(StoredKeysError::Expired {
                    id: id.clone(),
                    waited: self.0.longest_wait,
                })
            })
    }
}

impl fmt::Debug for CredentialsStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CredentialsStore")
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(access_key_id: &str, expires_in: i64) -> RoleKeys {
        let shift = Duration::from_secs(expires_in.unsigned_abs());
        let now = SystemTime::now();
        let end = if expires_in < 0 { now - shift } else { now + shift };
        RoleKeys::new(access_key_id, "hidden", None, Some(end))
    }

    async fn usable(store: &CredentialsStore, refused: Option<&str>) -> Result<String, StoredKeysError> {
        let keys = store.usable(&"id".into(), refused, SystemTime::now).await?;
        Ok(keys.access_key_id().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_last_are_given_at_once_and_unknown_ids_refused_at_once() {
        let store = CredentialsStore::default();
        let started = tokio::time::Instant::now();
        assert_eq!(
            usable(&store, None).await,
            Err(StoredKeysError::Unknown("id".into()))
        );
        store.put("id", keys("one", 60));
        assert_eq!(usable(&store, None).await.unwrap(), "one");
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn expired_keys_wait_for_the_next_message() {
        let store = CredentialsStore::default();
        store.put("id", keys("one", -1));
        let agent = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            store.put("other", keys("three", 60));
            tokio::time::sleep(Duration::from_secs(5)).await;
            store.put("id", keys("two", 60));
        };
        let (answer, ()) = tokio::join!(usable(&store, None), agent);
        assert_eq!(answer.unwrap(), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_is_bounded_and_ends_with_the_task() {
        let store = CredentialsStore::new(Duration::from_secs(7));
        store.put("id", keys("one", 60));
        let started = tokio::time::Instant::now();
        let error = usable(&store, Some("one")).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_secs(7));
        assert_eq!(
            error.to_string(),
            "the keys of credentials id id have expired and no others came within 7 s"
        );
        let agent = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(store.remove("id"));
        };
        let (answer, ()) = tokio::join!(usable(&store, Some("one")), agent);
        assert_eq!(answer, Err(StoredKeysError::Unknown("id".into())));
    }

    #[test]
    fn new_keys_are_a_new_generation() {
        let store = CredentialsStore::default();
        assert_eq!(store.generation("id"), 0);
        store.put("id", keys("one", 60));
        let first = store.generation("id");
        store.put("other", keys("two", 60));
        assert_eq!(store.generation("id"), first);
        store.put("id", keys("one", 60));
        assert!(store.generation("id") > first);
        assert!(!format!("{store:?}").contains("hidden"));
    }
}
