//! The settings of a pull.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::Setting;

/// When an image is pulled (`ECS_IMAGE_PULL_BEHAVIOR`).
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullBehavior {
    /// Always; a cached image is used if the pull fails.
    #[default]
    Default,
    /// Always; no cached image is used if the pull fails.
    Always,
    /// Only if this agent has not pulled it before.
    Once,
    /// Only if the engine does not have it.
    PreferCached,
}

impl PullBehavior {
    /// The name in `ECS_IMAGE_PULL_BEHAVIOR`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Always => "always",
            Self::Once => "once",
            Self::PreferCached => "prefer-cached",
        }
    }
}

impl fmt::Display for PullBehavior {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A value of `ECS_IMAGE_PULL_BEHAVIOR` that is none of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the valid values are default, always, once and prefer-cached")]
pub struct PullBehaviorError;

impl FromStr for PullBehavior {
    type Err = PullBehaviorError;

    fn from_str(text: &str) -> Result<Self, PullBehaviorError> {
        [Self::Default, Self::Always, Self::Once, Self::PreferCached]
            .into_iter()
            .find(|behavior| behavior.as_str() == text)
            .ok_or(PullBehaviorError)
    }
}

/// How and for how long images are pulled.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullSettings {
    /// `ECS_IMAGE_PULL_BEHAVIOR`.
    pub behavior: Setting<PullBehavior>,
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
            pull_timeout: Setting::default_of(PULL_TIMEOUT.default),
            inactivity_timeout: Setting::default_of(INACTIVITY_TIMEOUT.default),
            manifest_timeout: Setting::default_of(MANIFEST_TIMEOUT.default),
            begin_timeout: Setting::default_of(BEGIN_TIMEOUT.default),
        }
    }
}
