//! When the registry is asked, and when an image that the engine has will do.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// When the registry is asked, and when an image that the engine has will do (`ECS_IMAGE_PULL_BEHAVIOR`).
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
///
/// ```
/// use ecs_registry_auth::PullBehavior;
///
/// assert_eq!("prefer-cached".parse(), Ok(PullBehavior::PreferCached));
/// assert!("sometimes".parse::<PullBehavior>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullBehavior {
    /// Pull; when that fails for a reason that may pass, an image that the engine has will do. Never after a refusal
    /// or when the credential could not be obtained.
    #[default]
    Default,
    /// Pull, or fail.
    Always,
    /// Pull unless it was pulled before.
    Once,
    /// Pull unless the engine has the image.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
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
