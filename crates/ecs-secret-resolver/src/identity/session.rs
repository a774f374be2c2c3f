//! The keys of one identity, loaded once for all regions and services.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_types::DateTime;
use tokio::sync::Mutex;

use super::{CredentialsStore, Identity, Kind, RoleKeys};
use crate::aws::failure::{AwsFailure, FailureKind};

/// Keys are loaded anew this long before they end: no call should start with keys that end under way.
const EARLY: Duration = Duration::from_secs(60);
/// Keys that do not say when they end may come from a file that is replaced: it is read again at least every minute.
const UNDATED: Duration = Duration::from_secs(45);
/// A final failure is repeated for this long, so that ten secrets of a task do not ask ten times.
const FAILURE: Duration = Duration::from_secs(3);
/// No source of keys may hang for longer.
const LONGEST_LOAD: Duration = Duration::from_secs(40);

/// One identity's keys: single flight, cached until shortly before they end.
pub(crate) struct Session {
    identity: Identity,
    source: Source,
    state: Mutex<State>,
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

pub(crate) enum Source {
    /// Already in memory: nothing to cache.
    Ready(RoleKeys),
    Stored {
        store: CredentialsStore,
        id: Arc<str>,
    },
    Provider(SharedCredentialsProvider),
    AssumeRole {
        source: Arc<Session>,
        role: Box<AssumeRoleProvider>,
    },
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Loaded {
        credentials: Credentials,
        until: SystemTime,
    },
    Failed {
        failure: AwsFailure,
        /// Whoever was waiting by then has waited for this.
        ended: Instant,
        /// Whoever comes later is told the same until then.
        until: Option<SystemTime>,
    },
}

/// A failed load, in a form that passes through the SDK.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the keys of the identity cannot be loaded")]
pub(crate) struct SessionFailure(pub(crate) AwsFailure);

impl Session {
    pub(crate) fn new(
        identity: Identity,
        source: Source,
        now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity,
            source,
            state: Mutex::default(),
            now,
        })
    }

    /// For the SDK.
    pub(crate) fn provider(self: &Arc<Self>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(SessionProvider(self.clone()))
    }

    /// Keys that have not ended.
    pub(crate) async fn credentials(&self) -> Result<Credentials, AwsFailure> {
        let now = &*self.now;
        match &self.source {
            Source::Ready(keys) if keys.has_expired(now()) => Err(expired(&format!(
                "the keys that were given ended at {}",
                keys.expiration().map(shown).unwrap_or_default()
            ))),
            Source::Ready(keys) => Ok(keys.credentials()),
            Source::Stored { store, id } => stored(store, id, None, now).await,
            Source::Provider(_) | Source::AssumeRole { .. } => self.cached().await,
        }
    }

    async fn cached(&self) -> Result<Credentials, AwsFailure> {
        // Whoever waits here finds the result of the load that was under way.
        let began = Instant::now();
        let mut state = self.state.lock().await;
        let now = (self.now)();
        match &*state {
            State::Loaded { credentials, until } if now < *until => return Ok(credentials.clone()),
            State::Failed {
                failure,
                ended,
                until,
            } if began <= *ended || until.is_some_and(|until| now < until) => return Err(failure.clone()),
            _ => *state = State::Empty,
        }
        let loaded = match tokio::time::timeout(LONGEST_LOAD, Box::pin(self.load())).await {
            Ok(loaded) => loaded,
            Err(_) => Err(AwsFailure::new("credentials", FailureKind::TimedOut)),
        };
        *state = match &loaded {
            Ok(credentials) => {
                tracing::debug!(identity = %self.identity, "keys loaded");
                State::Loaded {
                    credentials: credentials.clone(),
                    until: credentials.expiry().map_or(now + UNDATED, |end| end - EARLY),
                }
            }
            Err(failure) => State::Failed {
                failure: failure.clone(),
                ended: Instant::now(),
                until: (!failure.is_transient()).then(|| (self.now)() + FAILURE),
            },
        };
        loaded
    }

    async fn load(&self) -> Result<Credentials, AwsFailure> {
        match &self.source {
            // The source's keys come first, so that their failure is told as their own and not as one of AssumeRole.
            Source::AssumeRole { source, role } => {
                source
                    .call(|| async {
                        let answer = role.provide_credentials().await;
                        answer.map_err(|error| self.failure(&error, Some("sts:AssumeRole")))
                    })
                    .await
            }
            Source::Provider(provider) => {
                let answer = provider.provide_credentials().await;
                answer.map_err(|error| self.failure(&error, None))
            }
            Source::Ready(_) | Source::Stored { .. } => self.credentials().await,
        }
    }

    fn failure(&self, error: &CredentialsError, action: Option<&'static str>) -> AwsFailure {
        let mut failure = AwsFailure::from_credentials(error, (self.now)());
        if let Some(action) = action
            && failure.action == "credentials"
        {
            failure.action = action;
        }
        failure
    }

    /// Makes a call with these keys, and once more with others where AWS says that these have ended.
    pub(crate) async fn call<T, F>(&self, call: impl Fn() -> F) -> Result<T, AwsFailure>
    where
        F: Future<Output = Result<T, AwsFailure>>,
    {
        // Before the call, so that their failure is their own and their time is not the call's.
        let used = self.credentials().await?.access_key_id().to_owned();
        let answer = call().await;
        if let Err(failure) = &answer
            && failure.are_keys_refused()
            && self.renew(&used).await == Ok(true)
        {
            tracing::debug!(identity = %self.identity, "the keys had expired: trying again with others");
            self.credentials().await?;
            return call().await;
        }
        answer
    }

    /// After AWS said that these keys have ended: others, if there is any way to get them.
    async fn renew(&self, refused_access_key_id: &str) -> Result<bool, AwsFailure> {
        match &self.source {
            Source::Ready(_) => Ok(false),
            Source::Stored { store, id } => stored(store, id, Some(refused_access_key_id), &*self.now)
                .await
                .map(|_| true),
            // Whether the keys of a role's source have ended too is for STS to say.
            Source::Provider(_) | Source::AssumeRole { .. } => {
                self.forget(refused_access_key_id).await;
                Ok(true)
            }
        }
    }

    async fn forget(&self, access_key_id: &str) {
        let mut state = self.state.lock().await;
        if matches!(&*state, State::Loaded { credentials, .. } if credentials.access_key_id() == access_key_id)
        {
            *state = State::Empty;
        }
    }
}

async fn stored(
    store: &CredentialsStore,
    id: &Arc<str>,
    refused: Option<&str>,
    now: &(dyn Fn() -> SystemTime + Send + Sync),
) -> Result<Credentials, AwsFailure> {
    match store.usable(id, refused, now).await {
        Ok(keys) => Ok(keys.credentials()),
        Err(error @ super::StoredKeysError::Expired { .. }) => Err(expired(&error.to_string())),
        Err(error) => {
            Err(AwsFailure::new("credentials", FailureKind::NoCredentials).with_message(&error.to_string()))
        }
    }
}

fn expired(message: &str) -> AwsFailure {
    AwsFailure::new("credentials", FailureKind::ExpiredKeys).with_message(message)
}

fn shown(time: SystemTime) -> String {
    DateTime::from(time)
        .fmt(aws_smithy_types::date_time::Format::DateTime)
        .unwrap_or_default()
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("identity", &self.identity.key())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct SessionProvider(Arc<Session>);

impl ProvideCredentials for SessionProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0
                .credentials()
                .await
                .map_err(|failure| CredentialsError::provider_error(SessionFailure(failure)))
        })
    }
}

/// What a session needs besides its identity's description is the context's to give.
pub(crate) fn source_of(identity: &Identity) -> Option<Source> {
    match identity.kind() {
        Kind::Ready(keys) => Some(Source::Ready(keys.clone())),
        Kind::Stored { store, id } => Some(Source::Stored {
            store: store.clone(),
            id: id.clone(),
        }),
        Kind::Provider(provider) => Some(Source::Provider(provider.clone())),
        Kind::Caller | Kind::AssumeRole(_) | Kind::Instance(_) => None,
    }
}
