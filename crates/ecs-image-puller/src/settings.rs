//! Limits of time and of load, retries and the usual behaviour.

use std::time::Duration;

use crate::{Behavior, CachedImages};

/// How a [`Puller`](crate::Puller) works. The defaults are those of the ECS agent.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
///
/// ```
/// use std::time::Duration;
///
/// use ecs_image_puller::PullerSettings;
///
/// let settings = PullerSettings {
///     inactivity_timeout: Duration::from_secs(180),
///     ..PullerSettings::default()
/// };
/// assert_eq!(settings.pull_timeout, Duration::from_secs(7200));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PullerSettings {
    /// For one call in all: credential, manifest, every attempt and every wait (`ECS_IMAGE_PULL_TIMEOUT`, 2 h).
    pub pull_timeout: Duration,
    /// From asking the engine to pull until its first message (`ECS_IMAGE_PULL_BEGIN_TIMEOUT`, 5 min).
    pub begin_timeout: Duration,
    /// Between two messages of the engine (`ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`, 1 min; 3 min on Windows).
    pub inactivity_timeout: Duration,
    /// For resolving the digest, every attempt included and the waits for a turn not (`ECS_MANIFEST_PULL_TIMEOUT`,
    /// 1 min).
    pub manifest_timeout: Duration,
    /// What a request does that has no behaviour of its own (`ECS_IMAGE_PULL_BEHAVIOR`).
    pub behavior: Behavior,
    /// Retries of resolving the digest.
    pub manifest_retry: RetrySettings,
    /// Retries of the pull itself.
    pub pull_retry: RetrySettings,
    /// The longest wait that a registry may ask for; when it asks for more, the pull fails at once and says so (1 min).
    pub longest_wait: Duration,
    /// Who may have an image that the engine has without a pull (`ECS_IMAGE_PULL_CACHED_IMAGES`, whoever shows access).
    pub cached_images: CachedImages,
    /// Pulls that are asked of the engine at once; more wait for their turn, in their order (8). 0 counts as 1.
    ///
    /// The engine downloads three layers at once whatever is asked of it (`max-concurrent-downloads`); what more pulls
    /// gain is that layers of one are unpacked while those of another come.
    pub concurrent_pulls: usize,
    /// The same for one registry, so that one that is slow leaves room for the others (6). 0 counts as 1.
    pub concurrent_pulls_per_registry: usize,
    /// Manifests that are asked for at once; they never wait for pulls (16). 0 counts as 1.
    pub concurrent_manifests: usize,
}

impl Default for PullerSettings {
    fn default() -> Self {
        Self {
            pull_timeout: Duration::from_secs(2 * 60 * 60),
            begin_timeout: Duration::from_secs(5 * 60),
            inactivity_timeout: Duration::from_secs(if cfg!(windows) { 3 * 60 } else { 60 }),
            manifest_timeout: Duration::from_secs(60),
            behavior: Behavior::Default,
            manifest_retry: RetrySettings {
                attempts: 9,
                first_delay: Duration::from_millis(10),
                factor: 3.0,
                longest_delay: Duration::from_secs(5),
            },
            pull_retry: RetrySettings {
                attempts: 5,
                first_delay: Duration::from_millis(1100),
                factor: 2.0,
                longest_delay: Duration::from_secs(5),
            },
            longest_wait: Duration::from_secs(60),
            cached_images: CachedImages::Verify,
            concurrent_pulls: 8,
            concurrent_pulls_per_registry: 6,
            concurrent_manifests: 16,
        }
    }
}

/// How often, and how long between. Up to a fifth of each delay is added at random, so that many hosts do not return
/// together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all, the first included; 0 counts as 1.
    pub attempts: u32,
    /// Before the second attempt.
    pub first_delay: Duration,
    /// Each delay is this many times the one before; less than 1 counts as 1.
    pub factor: f32,
    /// No delay is longer (before what is added at random).
    pub longest_delay: Duration,
}
