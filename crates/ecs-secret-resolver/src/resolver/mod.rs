//! Secrets, fetched once and kept for a while.

use std::fmt;
use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use futures_util::future::join_all;
use moka::future::Cache;
use tokio::sync::Semaphore;

use crate::{AwsContext, Identity};

mod cache;
mod fetch;
mod keychain;
mod request;
mod settings;

use cache::{CacheKey, Entry, Fetched, OwnLifetime};
pub use keychain::SecretKeychain;
use request::Plan;
pub use request::SecretRequest;
pub use settings::ResolverSettings;

/// Fetches secrets. Cheap to clone: all clones share limits and what was fetched.
///
/// Equal requests that come at once make one call. Values are kept for a while, final failures for a moment, and what an
/// identity fetched is forgotten once it is denied access or its keys change.
///
/// ```
/// use ecs_registry_auth::Keychain;
/// use ecs_secret_resolver::{
///     AssumeRole, AwsContext, AwsOptions, Identity, ResolverSettings, SecretRequest, SecretResolver,
/// };
///
/// let resolver = SecretResolver::new(AwsContext::new(AwsOptions::default()), ResolverSettings::default());
/// let role = AssumeRole::new("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")?;
/// let keychain = resolver.keychain(
///     SecretRequest::new("arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf")
///         .with_identity(Identity::assume_role(role)),
/// );
/// // `keychain.resolve(&image).await` fetches; this asks nobody:
/// let image = "registry.example.com/team/app:v1".parse()?;
/// assert!(keychain.candidates(&image)[0].chosen);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SecretResolver(Arc<Inner>);

struct Inner {
    context: AwsContext,
    settings: ResolverSettings,
    entries: Cache<CacheKey, Entry>,
    permits: Semaphore,
}

impl SecretResolver {
    /// A resolver that has fetched nothing yet.
    #[must_use]
    pub fn new(context: AwsContext, settings: ResolverSettings) -> Self {
        let entries = Cache::builder()
            .max_capacity(settings.capacity)
            .expire_after(OwnLifetime)
            .support_invalidation_closures()
            .build();
        Self(Arc::new(Inner {
            context,
            entries,
            permits: Semaphore::new(settings.concurrency),
            settings,
        }))
    }

    /// The context that it reaches AWS through.
    #[must_use]
    pub fn context(&self) -> &AwsContext {
        &self.0.context
    }

    /// The keychain of one container. A request that cannot work is told when the keychain is asked.
    #[must_use]
    pub fn keychain(&self, request: SecretRequest) -> SecretKeychain {
        SecretKeychain::new(self.clone(), request)
    }

    /// Fetches the secrets of a task ahead: at once, each of them once, and without stopping at the first failure. The
    /// answers are in the order of the keychains.
    ///
    /// # Errors
    ///
    /// For each keychain what its `resolve` would answer.
    pub async fn prefetch(&self, keychains: &[SecretKeychain]) -> Vec<Result<(), Diagnosis>> {
        join_all(keychains.iter().map(SecretKeychain::prefetch)).await
    }

    /// The region of a plan: its own, or that of the context.
    async fn region(&self, plan: &Plan) -> Result<Arc<str>, Diagnosis> {
        if let Some(region) = &plan.region {
            return Ok(region.clone());
        }
        let region: Arc<str> = self.0.context.region().await?.map(Arc::from).ok_or_else(|| {
            Diagnosis::new(
                ErrorName::ResourceInitialization,
                ErrorClass::Credential,
                Stage::Credential,
                format!("secret {} is named without an ARN and no region is set", plan.id),
            )
            .with_next_step(
                "set the region of the task (AWS_DEFAULT_REGION or --region), or name the secret by its ARN",
            )
        })?;
        request::check_partitions(&plan.id, &region, &plan.identity)?;
        Ok(region)
    }

    fn key(plan: &Plan, region: Arc<str>, stage: Option<&'static str>) -> CacheKey {
        CacheKey {
            identity: plan.identity.shared_key(),
            generation: plan.identity.generation(),
            region,
            secret: plan.requested.clone(),
            stage,
        }
    }

    /// What is kept, or else what Secrets Manager answers: one call for all who ask at once.
    async fn get(&self, plan: &Plan, key: CacheKey) -> Result<Arc<Fetched>, Diagnosis> {
        let entry = self
            .0
            .entries
            .try_get_with_by_ref(&key, self.load(plan, &key))
            .await
            .map_err(Arc::unwrap_or_clone)?;
        entry.answer.map_err(Arc::unwrap_or_clone)
    }

    /// An entry to keep, or a failure that may be gone the next time.
    async fn load(&self, plan: &Plan, key: &CacheKey) -> Result<Entry, Diagnosis> {
        match self.fetch_within_limit(plan, key).await {
            Ok(fetched) => Ok(Entry::value(fetched, self.0.settings.lifetime)),
            Err(failed) => {
                if failed.revokes {
                    self.forget(&key.identity, Some(&key.secret));
                }
                if failed.diagnosis.is_retriable() {
                    return Err(failed.diagnosis);
                }
                Ok(Entry::failure(failed.diagnosis, self.0.settings.failure_lifetime))
            }
        }
    }

    /// Forgets everything that was fetched with an identity: for an embedder that revokes it.
    pub fn forget_identity(&self, identity: &Identity) {
        self.forget(identity.key(), None);
    }

    fn forget(&self, identity: &str, secret: Option<&str>) {
        let (identity, secret) = (identity.to_owned(), secret.map(str::to_owned));
        let forgotten = self.0.entries.invalidate_entries_if(move |key, _| {
            *key.identity == identity && secret.as_deref().is_none_or(|secret| *key.secret == *secret)
        });
        if let Err(error) = forgotten {
            tracing::error!(%error, "the cache of secrets does not take predicates");
        }
    }

    /// Forgets an answer, unless another version has come since.
    async fn forget_version(&self, key: &CacheKey, version: Option<&str>) {
        let kept = self.0.entries.get(key).await;
        let is_same = match kept.as_ref().map(|entry| &entry.answer) {
            Some(Ok(fetched)) => fetched.version.as_deref() == version,
            Some(Err(_)) => true,
            None => false,
        };
        if is_same {
            self.0.entries.invalidate(key).await;
        }
    }
}

impl fmt::Debug for SecretResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretResolver")
            .field("settings", &self.0.settings)
            .field("entries", &self.0.entries.entry_count())
            .finish_non_exhaustive()
    }
}
