//! How AWS is reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Explicit settings for [`AwsContext`](crate::AwsContext). What is not set comes from where the AWS SDKs look:
/// environment, profile files, and for the region the instance metadata.
///
/// Rule: <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>.
#[derive(Clone, Debug)]
pub struct AwsOptions {
    pub(super) region: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) endpoint_url: Option<String>,
    pub(super) connect_timeout: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) operation_timeout: Duration,
    pub(super) max_attempts: Option<u32>,
}

impl Default for AwsOptions {
    /// Nothing set; 3.1 s to connect, 5 s for an attempt, 15 s for a call with its retries.
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            ca_bundle: None,
            endpoint_url: None,
            connect_timeout: Duration::from_millis(3100),
            attempt_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(15),
            max_attempts: None,
        }
    }
}

impl AwsOptions {
    /// The region of the task, for secrets by name and for STS.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The profile of the shared configuration files, whose credentials are then used even where the environment has
    /// some, as `--profile` of the AWS command line does. `AWS_PROFILE` alone does not go before them.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// A PEM file of certificate authorities that replaces the system's: the value of `AWS_CA_BUNDLE`, which the AWS
    /// SDK for Rust does not read.
    #[must_use]
    pub fn with_ca_bundle(mut self, path: impl AsRef<Path>) -> Self {
        self.ca_bundle = Some(path.as_ref().to_owned());
        self
    }

    /// One endpoint for all services, instead of `AWS_ENDPOINT_URL` and its variants. A missing scheme is `https`.
    #[must_use]
    pub fn with_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// The longest time to establish a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest time for one attempt of a call.
    #[must_use]
    pub fn with_attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// The longest time for a call with all its attempts, not counting the loading of keys before it.
    #[must_use]
    pub fn with_operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// How many times a call is tried in all, instead of `AWS_MAX_ATTEMPTS` or 3.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }
}
