//! When the registry is asked, when an image that the engine has will do, and for whom.

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

/// Who may have an image that the engine has without a pull (`ECS_IMAGE_PULL_CACHED_IMAGES`): under
/// [`PullBehavior::Once`] and [`PullBehavior::PreferCached`], and under [`PullBehavior::Default`] after a pull that failed
/// for a reason that may pass.
///
/// The agent has no such setting and always trusts; the setting is this project's own.
///
/// ```
/// use ecs_registry_auth::CachedImages;
///
/// assert_eq!("trust".parse(), Ok(CachedImages::Trust));
/// assert_eq!(CachedImages::default(), CachedImages::Verify);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CachedImages {
    /// Whoever shows access: it is on record that the registry gave this very image for the same credential or for none,
    /// or the registry shows its manifest now. An image that no registry ever gave (built or imported here) belongs to
    /// everybody who may name it; [`PullBehavior::Once`] pulls it all the same.
    ///
    /// Images that were there before the record, in a machine image for example, are asked for at the registry once.
    #[default]
    Verify,
    /// Everybody, as with the ECS agent: the credential of the request is not even obtained.
    ///
    /// A task can then run a private image that another task's credential pulled.
    Trust,
}

impl CachedImages {
    /// The name in `ECS_IMAGE_PULL_CACHED_IMAGES`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Trust => "trust",
        }
    }
}

impl fmt::Display for CachedImages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A value of `ECS_IMAGE_PULL_CACHED_IMAGES` that is neither of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the valid values are verify and trust")]
pub struct CachedImagesError;

impl FromStr for CachedImages {
    type Err = CachedImagesError;

    fn from_str(text: &str) -> Result<Self, CachedImagesError> {
        [Self::Verify, Self::Trust]
            .into_iter()
            .find(|cached_images| cached_images.as_str() == text)
            .ok_or(CachedImagesError)
    }
}
