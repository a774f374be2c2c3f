//! The credentials of the container instance, in the order in which the ECS agent looks for them.

use std::path::{Path, PathBuf};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::SdkConfig;

use super::RotatingFileProvider;

/// Where the SSM agent's file is mounted into the ECS agent's container.
const ROTATING_FILE: &str = "/rotatingcreds/credentials";

/// What kind of instance this is.
#[derive(Clone, Debug)]
pub(crate) enum Instance {
    Ec2(Ec2Instance),
    External(ExternalInstance),
}

impl Instance {
    pub(crate) fn provider(&self, base: &SdkConfig) -> SharedCredentialsProvider {
        match self {
            Self::Ec2(instance) => instance.provider(base),
            Self::External(instance) => instance.provider(base),
        }
    }
}

/// The instance chain of Amazon EC2: the AWS SDK's default chain, and where that has no keys the rotating file.
///
/// Outside of the ECS agent's container there is no such file, and this is [`Identity::caller`](crate::Identity::caller).
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html>.
///
/// ```
/// use ecs_secret_resolver::{Ec2Instance, Identity};
///
/// let instance = Identity::ec2_instance(Ec2Instance::default());
/// assert_eq!(instance.to_string(), "the caller's own credentials");
/// ```
#[derive(Clone, Debug)]
pub struct Ec2Instance {
    rotating_file: PathBuf,
    profile: String,
}

impl Default for Ec2Instance {
    /// The file `/rotatingcreds/credentials` and the profile `default`.
    fn default() -> Self {
        Self {
            rotating_file: ROTATING_FILE.into(),
            profile: "default".to_owned(),
        }
    }
}

impl Ec2Instance {
    /// With another file than `/rotatingcreds/credentials`.
    #[must_use]
    pub fn with_rotating_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.rotating_file = path.into();
        self
    }

    /// With another profile of the rotating file than `default`: the value of `ECS_ALTERNATE_CREDENTIAL_PROFILE`.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = profile.into();
        self
    }

    pub(super) fn key(&self) -> String {
        format!("ec2:{}:{}", self.rotating_file.display(), self.profile)
    }

    fn provider(&self, base: &SdkConfig) -> SharedCredentialsProvider {
        let rotating_file = RotatingFileProvider::new(&self.rotating_file, &self.profile);
        match base.credentials_provider() {
            Some(default) => SharedCredentialsProvider::new(
                CredentialsProviderChain::first_try("Default", default)
                    .or_else("RotatingFile", rotating_file),
            ),
            None => SharedCredentialsProvider::new(rotating_file),
        }
    }
}

/// The instance chain of ECS Anywhere (`ECS_EXTERNAL=true`): environment, then the rotating file, then the shared
/// credentials file, and only then the instance metadata.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html>.
#[derive(Clone, Debug)]
pub struct ExternalInstance {
    rotating_file: PathBuf,
    profile: String,
}

impl Default for ExternalInstance {
    /// The file `/rotatingcreds/credentials` and the profile `default`.
    fn default() -> Self {
        Self {
            rotating_file: ROTATING_FILE.into(),
            profile: "default".to_owned(),
        }
    }
}

impl ExternalInstance {
    /// With another file than `/rotatingcreds/credentials`: outside a container the SSM agent's is
    /// `/root/.aws/credentials`.
    #[must_use]
    pub fn with_rotating_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.rotating_file = path.into();
        self
    }

    /// With another profile than `default`: the value of `ECS_ALTERNATE_CREDENTIAL_PROFILE`.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = profile.into();
        self
    }

    /// The file that is read again at least every minute.
    #[must_use]
    pub fn rotating_file(&self) -> &Path {
        &self.rotating_file
    }

    pub(super) fn key(&self) -> String {
        format!("instance:{}:{}", self.rotating_file.display(), self.profile)
    }

    fn provider(&self, base: &SdkConfig) -> SharedCredentialsProvider {
        let mut config = ProviderConfig::without_region().with_region(base.region().cloned());
        if let Some(client) = base.http_client() {
            config = config.with_http_client(client);
        }
        let metadata = ImdsCredentialsProvider::builder().configure(&config).build();
        let chain =
            CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                .or_else(
                    "RotatingFile",
                    RotatingFileProvider::new(&self.rotating_file, &self.profile),
                )
                .or_else(
                    "Profile",
                    FreshProfile {
                        config,
                        profile: self.profile.clone(),
                    },
                )
                .or_else("Ec2InstanceMetadata", metadata);
        SharedCredentialsProvider::new(chain)
    }
}

/// The shared credentials file, read again at every call: see [`RotatingFileProvider`].
#[derive(Debug)]
struct FreshProfile {
    config: ProviderConfig,
    profile: String,
}

impl FreshProfile {
    async fn load(&self) -> provider::Result {
        ProfileFileCredentialsProvider::builder()
            .configure(&self.config)
            .profile_name(&self.profile)
            .build()
            .provide_credentials()
            .await
    }
}

impl ProvideCredentials for FreshProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}
