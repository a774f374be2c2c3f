//! How secrets are fetched and kept.

use std::time::Duration;

/// Settings of a [`SecretResolver`](crate::SecretResolver).
///
/// ```
/// use std::time::Duration;
/// use ecs_secret_resolver::ResolverSettings;
///
/// let settings = ResolverSettings::default()
///     .with_lifetime(Duration::from_secs(60))
///     .with_rotation_stages(true);
/// # let _ = settings;
/// ```
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    pub(super) lifetime: Duration,
    pub(super) failure_lifetime: Duration,
    pub(super) capacity: u64,
    pub(super) concurrency: usize,
    pub(super) time_limit: Duration,
    pub(super) rotation_stages: bool,
    pub(super) inspect_keys: bool,
}

impl Default for ResolverSettings {
    /// Values are kept for 5 minutes, final failures for 3 seconds, 4096 of them; 16 fetches at once, each with its
    /// retries and the loading of keys within 60 seconds; no rotation stages; KMS keys are looked into.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            failure_lifetime: Duration::from_secs(3),
            capacity: 4096,
            concurrency: 16,
            time_limit: Duration::from_secs(60),
            rotation_stages: false,
            inspect_keys: true,
        }
    }
}

impl ResolverSettings {
    /// How long a value is used without asking again; up to a tenth less, drawn once for each value.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How long a final failure (a denial, a wrong shape) is repeated without asking again.
    #[must_use]
    pub fn with_failure_lifetime(mut self, lifetime: Duration) -> Self {
        self.failure_lifetime = lifetime;
        self
    }

    /// How many answers are kept at most.
    #[must_use]
    pub fn with_capacity(mut self, capacity: u64) -> Self {
        self.capacity = capacity;
        self
    }

    /// How many calls may be under way at once (at least 1).
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// The longest time for one secret: keys, attempts and pauses between them.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Whether `AWSPENDING` and then `AWSPREVIOUS` are tried when a registry refuses the current version of a secret: a
    /// rotation may be under way, or the registry may lag behind it.
    #[must_use]
    pub fn with_rotation_stages(mut self, allowed: bool) -> Self {
        self.rotation_stages = allowed;
        self
    }

    /// Whether the KMS key of a secret is looked into (`DescribeSecret`, `DescribeKey`, a dry run of `Decrypt`) when
    /// access fails on it.
    #[must_use]
    pub fn with_key_inspection(mut self, inspect: bool) -> Self {
        self.inspect_keys = inspect;
        self
    }
}
