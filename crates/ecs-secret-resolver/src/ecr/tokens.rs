//! The tokens of one process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ecs_registry_auth::{Diagnosis, RegistryCredential};
use moka::future::Cache;

use super::fetch::fetch;
use super::keychain::EcrKeychain;
use super::request::{EcrRequest, Target};
use super::token::Token;
use crate::AwsContext;

/// More pairs of registry and identity than any instance has tasks for.
const MOST_TOKENS: u64 = 4096;
/// No token of Amazon ECR lives longer.
const LONGEST_LIFE: Duration = Duration::from_secs(12 * 3600);
/// How long a finished call is remembered whose callers have all gone.
const FLIGHT: Duration = Duration::from_secs(60);
/// A token that replaced a refused one is not replaced again before this: a second refusal is about permissions.
const AGAIN: Duration = Duration::from_secs(15 * 60);

/// The tokens of Amazon ECR that a process holds, by registry, region and identity. Cheap to clone: all clones are one.
///
/// A token is fetched once, whoever asks at the same time, and again half an hour to an hour before it ends. When that
/// fails for a passing reason, the old one is used while it lasts.
///
/// ```
/// use ecs_secret_resolver::{AwsContext, AwsOptions, EcrRequest, EcrTokens, Identity};
///
/// let tokens = EcrTokens::new(AwsContext::new(AwsOptions::default()));
/// let image = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1".parse()?;
/// let request = EcrRequest::for_image(&image, Identity::caller()).ok_or("not an image of Amazon ECR")?;
/// let keychain = tokens.keychain(request.with_container("web"));
/// # let _ = keychain;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EcrTokens(Arc<Inner>);

struct Inner {
    context: AwsContext,
    serials: AtomicU64,
    latest: Cache<Key, Arc<Token>>,
    /// Calls by the serial of the token that they replace (0 for none): equal ones are one.
    flights: Cache<(Key, u64), Arc<Token>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    target: Target,
    endpoint: Option<Arc<str>>,
    identity: Arc<str>,
    generation: u64,
}

impl Key {
    fn of(request: &EcrRequest) -> Self {
        Self {
            target: request.target.clone(),
            endpoint: request.endpoint_override.clone(),
            identity: request.identity.shared_key(),
            generation: request.identity.generation(),
        }
    }
}

impl EcrTokens {
    /// No tokens yet; they are fetched through this context.
    #[must_use]
    pub fn new(context: AwsContext) -> Self {
        Self(Arc::new(Inner {
            context,
            serials: AtomicU64::new(1),
            latest: Cache::builder()
                .max_capacity(MOST_TOKENS)
                .time_to_live(LONGEST_LIFE)
                .build(),
            flights: Cache::builder()
                .max_capacity(MOST_TOKENS)
                .time_to_live(FLIGHT)
                .build(),
        }))
    }

    /// A keychain for one container's image.
    #[must_use]
    pub fn keychain(&self, request: EcrRequest) -> EcrKeychain {
        EcrKeychain::new(self.clone(), request)
    }

    /// A token that is good now.
    pub(super) async fn token(&self, request: &EcrRequest) -> Result<Arc<Token>, Diagnosis> {
        let key = Key::of(request);
        let held = self.0.latest.get(&key).await;
        if let Some(token) = &held
            && self.0.context.now() < token.refresh_at
        {
            return Ok(token.clone());
        }
        let replaces = held.as_ref().map_or(0, |token| token.serial);
        let error = match self.replace(&key, request, replaces, false).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        match held {
            Some(token) if error.is_retriable() && self.0.context.now() < token.expires_at => {
                tracing::warn!(
                    registry = %request.target.name(), %error,
                    "the token cannot be refreshed before its time; the old one is used while it lasts"
                );
                Ok(token)
            }
            _ => {
                // Whoever may not have a token now must not go on with one from before.
                if !error.is_retriable() {
                    self.0.latest.invalidate(&key).await;
                }
                Err(error)
            }
        }
    }

    /// Another token after the registry refused this credential; `None` when a new one would be refused as well.
    pub(super) async fn after_refusal(
        &self,
        request: &EcrRequest,
        refused: &Arc<RegistryCredential>,
    ) -> Result<Option<Arc<Token>>, Diagnosis> {
        let key = Key::of(request);
        let held = self.0.latest.get(&key).await;
        let replaces = match held {
            // Somebody else was refused first.
            Some(token) if !Arc::ptr_eq(&token.credential, refused) => return Ok(Some(token)),
            Some(token) if token.after_refusal && self.0.context.now() < token.fetched_at + AGAIN => {
                return Ok(None);
            }
            Some(token) => token.serial,
            None => 0,
        };
        let token = self.replace(&key, request, replaces, true).await?;
        Ok((!Arc::ptr_eq(&token.credential, refused)).then_some(token))
    }

    async fn replace(
        &self,
        key: &Key,
        request: &EcrRequest,
        replaces: u64,
        after_refusal: bool,
    ) -> Result<Arc<Token>, Diagnosis> {
        let call = async {
            // A call that has ended since the caller looked.
            if let Some(current) = self.0.latest.get(key).await
                && current.serial != replaces
            {
                return Ok(current);
            }
            let fetched = fetch(&self.0.context, request).await?;
            let token = Arc::new(Token::new(
                self.0.serials.fetch_add(1, Ordering::Relaxed),
                fetched.credential,
                self.0.context.now(),
                fetched.expires_at,
                after_refusal,
            ));
            self.0.latest.insert(key.clone(), token.clone()).await;
            tracing::debug!(registry = %request.target.name(), region = request.target.region(), "token fetched");
            Ok(token)
        };
        let flight = (key.clone(), replaces);
        let landed = self.0.flights.try_get_with_by_ref(&flight, call).await;
        // Those who waited have it. Kept any longer it would outlive the token's own place.
        self.0.flights.invalidate(&flight).await;
        landed.map_err(|error: Arc<Diagnosis>| Arc::unwrap_or_clone(error))
    }
}

impl fmt::Debug for EcrTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EcrTokens")
            .field("held", &self.0.latest.entry_count())
            .finish_non_exhaustive()
    }
}
