//! What all calls share: one configuration, one HTTP client, one session for each identity.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use ecs_registry_auth::Diagnosis;
use futures_util::future::BoxFuture;
use moka::future::Cache;
use tokio::sync::OnceCell;

use super::diagnosis::configuration_error;
use super::http::AwsHttpClient;
use super::{AwsOptions, trust};
use crate::identity::session::{self, Session, Source};
use crate::identity::{Identity, Kind};

/// More identities and regions than any instance has tasks for.
const MOST_SESSIONS: u64 = 1024;
const UNUSED: Duration = Duration::from_secs(3600);

/// How AWS is reached: cheap to clone, all clones share one HTTP client, and every identity's keys are loaded once for
/// all regions and services.
///
/// Nothing is loaded until the first call needs it: reading the certificate authorities alone takes milliseconds.
///
/// ```
/// use ecs_secret_resolver::{AwsContext, AwsOptions};
///
/// let context = AwsContext::new(AwsOptions::default().with_region("eu-west-1"));
/// # let _ = context;
/// ```
#[derive(Clone)]
pub struct AwsContext(Arc<Inner>);

struct Inner {
    origin: Origin,
    base: OnceCell<Base>,
    metadata_region: OnceCell<Option<Region>>,
    sessions: Cache<Arc<str>, Arc<Session>>,
}

enum Origin {
    Options(AwsOptions),
    Ready(Box<SdkConfig>),
}

struct Base {
    config: SdkConfig,
    /// The region that somebody set; `config` always has one.
    region: Option<Region>,
}

impl AwsContext {
    /// A context that loads its configuration when it is first needed.
    #[must_use]
    pub fn new(options: AwsOptions) -> Self {
        Self::with_origin(Origin::Options(options))
    }

    /// A context around a configuration that is there already: its HTTP client, timeouts, retries, endpoints and
    /// credentials (as the caller's own identity) are used as they are.
    #[must_use]
    pub fn from_sdk_config(config: SdkConfig) -> Self {
        Self::with_origin(Origin::Ready(Box::new(config)))
    }

    fn with_origin(origin: Origin) -> Self {
        Self(Arc::new(Inner {
            origin,
            base: OnceCell::new(),
            metadata_region: OnceCell::new(),
            sessions: Cache::builder()
                .max_capacity(MOST_SESSIONS)
                .time_to_idle(UNUSED)
                .build(),
        }))
    }

    /// The region that was set: explicitly, in the environment, in the profile, or else that of the instance metadata.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when the configuration cannot be loaded.
    pub async fn region(&self) -> Result<Option<String>, Diagnosis> {
        let base = self.base("us-east-1").await?;
        if let Some(region) = &base.region {
            return Ok(Some(region.to_string()));
        }
        let found = self
            .0
            .metadata_region
            .get_or_init(|| async {
                match self.0.origin {
                    Origin::Ready(_) => None,
                    Origin::Options(_) => metadata_region(&base.config).await,
                }
            })
            .await;
        Ok(found.as_ref().map(ToString::to_string))
    }

    /// The configuration for calls in a region with the permissions of an identity, whose keys are loaded first.
    ///
    /// Clients made from configurations of the same identity share its keys: a role is assumed once.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when the configuration cannot be loaded. A failure to load the keys is one of the calls that
    /// are made with it.
    pub async fn sdk_config(&self, identity: &Identity, region: &str) -> Result<SdkConfig, Diagnosis> {
        let session = self.session(identity, region).await?;
        self.config_of(&session, region).await
    }

    /// As [`sdk_config`](Self::sdk_config), with a session that is there already.
    pub(crate) async fn config_of(
        &self,
        session: &Arc<Session>,
        region: &str,
    ) -> Result<SdkConfig, Diagnosis> {
        let base = self.base(region).await?;
        Ok(base
            .config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .credentials_provider(session.provider())
            // The session is the cache, and it can be told to forget.
            .identity_cache(aws_config::identity::IdentityCache::no_cache())
            .build())
    }

    /// This machine's time, from the configuration's clock once there is one.
    pub(crate) fn now(&self) -> SystemTime {
        self.0
            .base
            .get()
            .and_then(|base| base.config.time_source())
            .map_or_else(SystemTime::now, |clock| clock.now())
    }

    /// The session that holds an identity's keys.
    pub(crate) async fn session(&self, identity: &Identity, region: &str) -> Result<Arc<Session>, Diagnosis> {
        self.session_of(identity, region).await
    }

    fn session_of<'a>(
        &'a self,
        identity: &'a Identity,
        region: &'a str,
    ) -> BoxFuture<'a, Result<Arc<Session>, Diagnosis>> {
        Box::pin(async move {
            self.0
                .sessions
                .try_get_with(identity.shared_key(), self.new_session(identity, region))
                .await
                .map_err(Arc::unwrap_or_clone)
        })
    }

    async fn new_session(&self, identity: &Identity, region: &str) -> Result<Arc<Session>, Diagnosis> {
        let base = self.base(region).await?;
        let source = match (session::source_of(identity), identity.kind()) {
            (Some(source), _) => source,
            (None, Kind::Instance(instance)) => Source::Provider(instance.provider(&base.config)),
            (None, Kind::AssumeRole(role)) => {
                let source = self.session_of(role.source(), region).await?;
                let mut builder = AssumeRoleProvider::builder(role.role_arn().as_str())
                    .configure(&base.config)
                    .region(
                        base.region
                            .clone()
                            .unwrap_or_else(|| Region::new(region.to_owned())),
                    )
                    .session_name(role.session_name());
                if let Some(external_id) = role.external_id() {
                    builder = builder.external_id(external_id);
                }
                let role = builder.build_from_provider(source.provider()).await;
                Source::AssumeRole {
                    source,
                    role: Box::new(role),
                }
            }
            (None, _) => Source::Provider(base.config.credentials_provider().ok_or_else(|| {
                configuration_error("the AWS configuration that was given has no credentials of its own")
                    .with_next_step("set a credentials provider in it, or name another identity")
            })?),
        };
        let context = self.clone();
        Ok(Session::new(
            identity.clone(),
            source,
            Arc::new(move || context.now()),
        ))
    }

    /// `region` is taken where nobody has set one.
    async fn base(&self, region: &str) -> Result<&Base, Diagnosis> {
        self.0
            .base
            .get_or_try_init(|| async {
                match &self.0.origin {
                    Origin::Options(options) => load(options, region).await,
                    Origin::Ready(config) => Ok(Base {
                        region: config.region().cloned(),
                        config: with_clock(config),
                    }),
                }
            })
            .await
    }
}

impl fmt::Debug for AwsContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AwsContext")
            .field("loaded", &self.0.base.initialized())
            .finish_non_exhaustive()
    }
}

/// A configuration that was put together by hand may have no clock, without which the SDK's provider of assumed roles
/// panics.
fn with_clock(config: &SdkConfig) -> SdkConfig {
    let clock = config.time_source().unwrap_or_default();
    config.to_builder().time_source(clock).build()
}

async fn load(options: &AwsOptions, fallback_region: &str) -> Result<Base, Diagnosis> {
    let (tls, source) = trust::load(options.ca_bundle.as_deref())?;
    let region = match &options.region {
        Some(region) => Some(Region::new(region.clone())),
        None => configured_region(options.profile.as_deref()).await,
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .operation_attempt_timeout(options.attempt_timeout)
        .operation_timeout(options.operation_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(AwsHttpClient::new(tls, source))
        // Without a region the loader would ask the instance metadata, which takes seconds where there is none.
        .region(
            region
                .clone()
                .unwrap_or_else(|| Region::new(fallback_region.to_owned())),
        )
        .timeout_config(timeouts)
        // Answers are small, and the attempt's own limit is shorter than this protection's.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(with_scheme(url));
    }
    if let Some(attempts) = options.max_attempts {
        loader = loader.retry_config(RetryConfig::standard().with_max_attempts(attempts.max(1)));
    }
    let loaded = loader.load().await;
    let endpoint = loaded.endpoint_url().map(with_scheme);
    let mut builder = loaded.to_builder();
    builder.set_endpoint_url(endpoint);
    if let Some(profile) = &options.profile {
        builder.set_credentials_provider(Some(profile_credentials(profile, &loaded)));
    }
    let config = builder.service_config(WithScheme(loaded)).build();
    Ok(Base { config, region })
}

/// A profile that was asked for by name is who to be: the default chain would take keys of the environment before it.
fn profile_credentials(profile: &str, loaded: &SdkConfig) -> SharedCredentialsProvider {
    let mut config = ProviderConfig::without_region()
        .with_region(loaded.region().cloned())
        .with_use_fips(loaded.use_fips())
        .with_use_dual_stack(loaded.use_dual_stack());
    if let Some(client) = loaded.http_client() {
        config = config.with_http_client(client);
    }
    if let Some(timeouts) = loaded.timeout_config() {
        config = config.with_timeout_config(timeouts.clone());
    }
    SharedCredentialsProvider::new(
        ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_name(profile)
            .build(),
    )
}

async fn configured_region(profile: Option<&str>) -> Option<Region> {
    let mut from_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        from_profile = from_profile.profile_name(profile);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(from_profile.build())
        .region()
        .await
}

async fn metadata_region(base: &SdkConfig) -> Option<Region> {
    let mut config = ProviderConfig::without_region();
    if let Some(client) = base.http_client() {
        config = config.with_http_client(client);
    }
    ImdsRegionProvider::builder()
        .configure(&config)
        .build()
        .region()
        .await
}

/// The endpoints of single services, each with a scheme.
#[derive(Debug)]
struct WithScheme(SdkConfig);

impl LoadServiceConfig for WithScheme {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let is_endpoint = key.env() == "AWS_ENDPOINT_URL";
        let value = self.0.service_config()?.load_config(key)?;
        Some(if is_endpoint { with_scheme(&value) } else { value })
    }
}

/// An endpoint without a scheme is meant to be `https`.
pub(crate) fn with_scheme(url: &str) -> String {
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("https://{url}")
    }
}

#[cfg(test)]
mod tests {
    use super::with_scheme;

    #[test]
    fn an_endpoint_without_a_scheme_is_https() {
        assert_eq!(
            with_scheme("vpce.example.com:8443"),
            "https://vpce.example.com:8443"
        );
        assert_eq!(with_scheme("http://localhost:4566"), "http://localhost:4566");
    }
}
