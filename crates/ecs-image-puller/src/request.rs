//! What one call asks for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ecs_registry_auth::{ImageReference, Keychain};
use thiserror::Error;

use crate::Platform;

/// When to ask the registry, and when an image that the engine has will do.
///
/// Rule: `ECS_IMAGE_PULL_BEHAVIOR` in
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Behavior {
    /// Pull; when that fails for a reason that may pass, an image that the engine has will do. Never after a refusal
    /// or when the credential could not be obtained.
    #[default]
    Default,
    /// Pull, or fail.
    Always,
    /// Pull unless this puller has pulled the image before.
    Once,
    /// Pull unless the engine has the image.
    PreferCached,
}

impl Behavior {
    /// The value as it is written in the configuration.
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

impl fmt::Display for Behavior {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Behavior {
    type Err = BehaviorError;

    fn from_str(written: &str) -> Result<Self, BehaviorError> {
        [Self::Default, Self::Always, Self::Once, Self::PreferCached]
            .into_iter()
            .find(|behavior| behavior.as_str() == written)
            .ok_or_else(|| BehaviorError {
                written: written.chars().take(100).collect(),
            })
    }
}

/// A text that is not a pull behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("pull behavior {written:?} is none of default, always, once, prefer-cached")]
pub struct BehaviorError {
    written: String,
}

/// One image to pull or to check, and who may say with which credential.
///
/// ```
/// use std::sync::Arc;
///
/// use ecs_image_puller::{Behavior, PullRequest};
/// use ecs_registry_auth::KeychainChain;
///
/// let request = PullRequest::new("registry.example.com/team/app:v1".parse()?, Arc::new(KeychainChain::default()))
///     .with_platform(Some("linux/arm64".parse()?))
///     .with_behavior(Behavior::Always)
///     .with_container("web");
/// assert_eq!(request.container(), Some("web"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PullRequest {
    image: ImageReference,
    keychain: Arc<dyn Keychain>,
    platform: Option<Platform>,
    behavior: Option<Behavior>,
    container: Option<Arc<str>>,
}

impl PullRequest {
    /// An image, and the keychain that is asked for its credential.
    #[must_use]
    pub fn new(image: ImageReference, keychain: Arc<dyn Keychain>) -> Self {
        Self {
            image,
            keychain,
            platform: None,
            behavior: None,
            container: None,
        }
    }

    /// For a platform; `None` is the engine's own.
    #[must_use]
    pub fn with_platform(mut self, platform: Option<Platform>) -> Self {
        self.platform = platform;
        self
    }

    /// With a behaviour of its own instead of the puller's.
    #[must_use]
    pub fn with_behavior(mut self, behavior: Behavior) -> Self {
        self.behavior = Some(behavior);
        self
    }

    /// For a container, whose name is shown in events.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<Arc<str>>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// The image.
    #[must_use]
    pub fn image(&self) -> &ImageReference {
        &self.image
    }

    /// Who is asked for the credential.
    #[must_use]
    pub fn keychain(&self) -> &Arc<dyn Keychain> {
        &self.keychain
    }

    /// The platform, where it is not the engine's own.
    #[must_use]
    pub fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }

    /// The behaviour, where it is not the puller's.
    #[must_use]
    pub fn behavior(&self) -> Option<Behavior> {
        self.behavior
    }

    /// The container's name.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    pub(crate) fn shared_container(&self) -> Option<Arc<str>> {
        self.container.clone()
    }
}
