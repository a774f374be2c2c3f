//! What one call asks for.

use std::sync::Arc;

use ecs_registry_auth::{ImageReference, Keychain, PullBehavior as Behavior};

use crate::Platform;

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
