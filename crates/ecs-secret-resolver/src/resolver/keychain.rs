//! The keychain of one container.

use std::sync::Arc;

use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ImageReference, Keychain, Provenance, ResolveFuture,
    ResolvedCredential,
};

use super::cache::Fetched;
use super::request::Plan;
use super::{SecretRequest, SecretResolver};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The credential that one container's `repositoryCredentials` names: for whichever registry its image is at.
///
/// It never answers `None`: a container with a secret of its own uses that alone, and a secret that cannot be had is an
/// error.
#[derive(Clone, Debug)]
pub struct SecretKeychain {
    resolver: SecretResolver,
    request: Arc<SecretRequest>,
    plan: Result<Arc<Plan>, Diagnosis>,
}

impl SecretKeychain {
    pub(super) fn new(resolver: SecretResolver, request: SecretRequest) -> Self {
        Self {
            resolver,
            plan: request.plan().map(Arc::new),
            request: Arc::new(request),
        }
    }

    pub(super) async fn prefetch(&self) -> Result<(), Diagnosis> {
        let plan = self.plan()?;
        let region = self.resolver.region(plan).await?;
        let key = SecretResolver::key(plan, region, None);
        self.resolver.get(plan, key).await.map(|_| ())
    }

    fn plan(&self) -> Result<&Plan, Diagnosis> {
        self.plan.as_deref().map_err(Clone::clone)
    }

    async fn resolve_stage(
        &self,
        image: &ImageReference,
        stage: Option<&'static str>,
    ) -> Result<ResolvedCredential, Diagnosis> {
        let plan = self.plan()?;
        let region = self.resolver.region(plan).await?;
        let key = SecretResolver::key(plan, region.clone(), stage);
        let fetched = self.resolver.get(plan, key).await?;
        Ok(self.resolved(image, plan, region, &fetched, stage))
    }

    fn resolved(
        &self,
        image: &ImageReference,
        plan: &Plan,
        region: Arc<str>,
        fetched: &Fetched,
        stage: Option<&'static str>,
    ) -> ResolvedCredential {
        let source = CredentialSource::RepositoryCredentials;
        let mut provenance = Provenance::new(source, image.registry().clone());
        provenance.origin = self.request.origin.clone();
        provenance.username = fetched.credential.username.as_deref().map(Arc::from);
        provenance.secret = Some(fetched.arn.clone().unwrap_or_else(|| plan.requested.clone()));
        provenance.version = fetched.version.clone();
        provenance.region = Some(region);
        provenance.role = fetched.role.clone();
        provenance.version_stage = Some(stage.or(plan.id.version_stage()).unwrap_or(CURRENT).into());
        if let Some(stage) = stage {
            provenance
                .notes
                .push(format!("the registry refused {CURRENT} of this secret: this is {stage}").into());
        }
        ResolvedCredential::new(fetched.credential.clone(), provenance)
    }

    async fn after_refusal(
        &self,
        image: &ImageReference,
        refused: &ResolvedCredential,
    ) -> Result<Option<ResolvedCredential>, Diagnosis> {
        if refused.provenance.source != CredentialSource::RepositoryCredentials {
            return Ok(None);
        }
        let plan = self.plan()?;
        let was = refused.provenance.version_stage.as_deref();
        let version = refused.provenance.version.as_deref();
        let was_fallback = matches!(was, Some(PENDING | PREVIOUS)) && plan.id.version_stage().is_none();
        if !was_fallback {
            let region = self.resolver.region(plan).await?;
            let key = SecretResolver::key(plan, region, None);
            self.resolver.forget_version(&key, version).await;
            let current = self.resolve_stage(image, None).await?;
            if current.provenance.version.as_deref() != version {
                tracing::info!(secret = %plan.id, "the secret was rotated: trying its new version");
                return Ok(Some(current));
            }
        }
        let chooses_version = plan.id.version_stage().is_some() || plan.id.version_id().is_some();
        if !self.resolver.0.settings.rotation_stages || chooses_version {
            return Ok(None);
        }
        let stages: &[&'static str] = match was {
            Some(PREVIOUS) => &[],
            Some(PENDING) => &[PREVIOUS],
            _ => &[PENDING, PREVIOUS],
        };
        for stage in stages {
            match self.resolve_stage(image, Some(stage)).await {
                Ok(other) if other.provenance.version.as_deref() != version => {
                    tracing::info!(secret = %plan.id, stage, "trying another stage of the secret");
                    return Ok(Some(other));
                }
                Ok(_) => {}
                // Most secrets have no such version, and the refusal of the current one is what counts.
                Err(error) => tracing::debug!(secret = %plan.id, stage, %error, "no such version"),
            }
        }
        Ok(None)
    }
}

impl Keychain for SecretKeychain {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(async move { self.resolve_stage(image, None).await.map(Some) })
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        Box::pin(self.after_refusal(image, refused))
    }

    fn candidates(&self, _: &ImageReference) -> Vec<Candidate> {
        let source = CredentialSource::RepositoryCredentials;
        let mut candidate = match &self.plan {
            Ok(plan) => Candidate::new(
                source,
                true,
                match &plan.region {
                    Some(region) => format!(
                        "the container names this secret, which is fetched in {region} with {}",
                        plan.identity
                    ),
                    None => format!(
                        "the container names this secret, which is fetched with {}",
                        plan.identity
                    ),
                },
            )
            .with_key(plan.requested.clone()),
            // It is what the pull will use, and the pull will fail on it.
            Err(error) => {
                let candidate = Candidate::new(source, true, error.message()).with_error(error.clone());
                match self.request.key() {
                    Some(key) => candidate.with_key(key),
                    None => candidate,
                }
            }
        };
        candidate.origin = self.request.origin.clone();
        vec![candidate]
    }
}
