//! The settings of a pull.

use std::time::Duration;

use ecs_registry_auth::{CachedImages, PullBehavior};

use crate::Setting;

/// How and for how long images are pulled.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullSettings {
    /// `ECS_IMAGE_PULL_BEHAVIOR`.
    pub behavior: Setting<PullBehavior>,
    /// `ECS_IMAGE_PULL_CACHED_IMAGES`: who may have an image that the engine has without a pull. The agent gives it to
    /// everybody; the setting is this project's own.
    pub cached_images: Setting<CachedImages>,
    /// `ECS_IMAGE_PULL_TIMEOUT`: for all attempts of one pull together. 2 h by default.
    pub pull_timeout: Setting<Duration>,
    /// `ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`: between two progress messages. 1 min by default (3 min on Windows), and
    /// at least 1 min.
    pub inactivity_timeout: Setting<Duration>,
    /// `ECS_MANIFEST_PULL_TIMEOUT`: for resolving the digest. 1 min by default, and at least 30 s.
    pub manifest_timeout: Setting<Duration>,
    /// `ECS_IMAGE_PULL_BEGIN_TIMEOUT`: from the request to the first progress message. 5 min by default. The agent
    /// has that as a fixed value; the setting is this project's own.
    pub begin_timeout: Setting<Duration>,
}

/// A time limit: its names, its default and what is the least.
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) json: &'static str,
    pub(crate) default: Duration,
    pub(crate) minimum: Duration,
}

pub(crate) const PULL_TIMEOUT: Limit = Limit {
    name: crate::names::PULL_TIMEOUT,
    json: "imagepulltimeout",
    default: Duration::from_secs(2 * 60 * 60),
    minimum: Duration::ZERO,
};

pub(crate) const INACTIVITY_TIMEOUT: Limit = Limit {
    name: crate::names::PULL_INACTIVITY_TIMEOUT,
    json: "imagepullinactivitytimeout",
    default: Duration::from_secs(if cfg!(windows) { 3 * 60 } else { 60 }),
    minimum: Duration::from_secs(60),
};

pub(crate) const MANIFEST_TIMEOUT: Limit = Limit {
    name: crate::names::MANIFEST_PULL_TIMEOUT,
    json: "manifestpulltimeout",
    default: Duration::from_secs(60),
    minimum: Duration::from_secs(30),
};

pub(crate) const BEGIN_TIMEOUT: Limit = Limit {
    name: crate::names::PULL_BEGIN_TIMEOUT,
    json: "imagepullbegintimeout",
    default: Duration::from_secs(5 * 60),
    minimum: Duration::ZERO,
};

impl Default for PullSettings {
    fn default() -> Self {
        Self {
            behavior: Setting::default_of(PullBehavior::Default),
            cached_images: Setting::default_of(CachedImages::Verify),
            pull_timeout: Setting::default_of(PULL_TIMEOUT.default),
            inactivity_timeout: Setting::default_of(INACTIVITY_TIMEOUT.default),
            manifest_timeout: Setting::default_of(MANIFEST_TIMEOUT.default),
            begin_timeout: Setting::default_of(BEGIN_TIMEOUT.default),
        }
    }
}
