//! What a pull needs from a container engine.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ecs_registry_auth::{ImageReference, RegistryCredential};
use futures_core::Stream;

use crate::Platform;

mod answers;
mod error;

pub use answers::{Distribution, EngineVersion, ImageDetails, PullFrame};
pub use error::{EngineError, EngineErrorKind};

/// The answer of an [`Engine`], once it is there.
pub type EngineFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// What the engine says while it pulls, message by message. Dropping it stops the engine's pull.
pub type PullStream = Pin<Box<dyn Stream<Item = Result<PullFrame, EngineError>> + Send>>;

/// What is to be pulled.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PullOrder<'a> {
    /// The image; its tag and digest are those of `version`.
    pub image: &'a ImageReference,
    /// A tag, or a digest (`algorithm:hex`).
    pub version: &'a str,
    /// The platform, where it is not the engine's own.
    pub platform: Option<&'a Platform>,
    /// The credential for the image's registry; `None` is an anonymous pull.
    pub credential: Option<&'a RegistryCredential>,
}

impl<'a> PullOrder<'a> {
    /// An anonymous pull of a tag or digest for the engine's own platform.
    #[must_use]
    pub fn new(image: &'a ImageReference, version: &'a str) -> Self {
        Self {
            image,
            version,
            platform: None,
            credential: None,
        }
    }

    /// The same for a platform.
    #[must_use]
    pub fn with_platform(mut self, platform: Option<&'a Platform>) -> Self {
        self.platform = platform;
        self
    }

    /// The same with a credential.
    #[must_use]
    pub fn with_credential(mut self, credential: Option<&'a RegistryCredential>) -> Self {
        self.credential = credential;
        self
    }
}

/// A container engine that can pull: the Docker Engine, one with its API, or a fake in a test.
///
/// Every method may be dropped at any time, which ends the request. None of them retries and none has a limit of time:
/// both are the caller's.
pub trait Engine: Debug + Send + Sync {
    /// Where the engine is, for messages: `unix:///var/run/docker.sock`.
    fn place(&self) -> String;

    /// Version of the engine, and the platform it runs.
    fn version(&self) -> EngineFuture<'_, EngineVersion>;

    /// Asks the image's registry, through the engine, for the digest and the platforms of the image.
    ///
    /// # Errors
    ///
    /// [`EngineErrorKind::Answer`] with the registry's status, [`EngineErrorKind::Unsupported`] from an engine that
    /// cannot ask.
    fn distribution<'a>(
        &'a self,
        image: &'a ImageReference,
        credential: Option<&'a RegistryCredential>,
    ) -> EngineFuture<'a, Distribution>;

    /// Starts a pull. An error inside the stream ([`PullFrame::error`]) is the engine's verdict, whatever follows it.
    fn pull<'a>(&'a self, order: PullOrder<'a>) -> EngineFuture<'a, PullStream>;

    /// An image the engine has, by a reference (`name:tag`, `name@digest`); `None` when it has none of that name.
    fn inspect<'a>(&'a self, reference: &'a str) -> EngineFuture<'a, Option<ImageDetails>>;

    /// Gives an image the engine has (`source`: a reference) the name `repository:tag`.
    fn tag<'a>(&'a self, source: &'a str, repository: &'a str, tag: &'a str) -> EngineFuture<'a, ()>;
}

impl<E: Engine + ?Sized> Engine for Arc<E> {
    fn place(&self) -> String {
        (**self).place()
    }

    fn version(&self) -> EngineFuture<'_, EngineVersion> {
        (**self).version()
    }

    fn distribution<'a>(
        &'a self,
        image: &'a ImageReference,
        credential: Option<&'a RegistryCredential>,
    ) -> EngineFuture<'a, Distribution> {
        (**self).distribution(image, credential)
    }

    fn pull<'a>(&'a self, order: PullOrder<'a>) -> EngineFuture<'a, PullStream> {
        (**self).pull(order)
    }

    fn inspect<'a>(&'a self, reference: &'a str) -> EngineFuture<'a, Option<ImageDetails>> {
        (**self).inspect(reference)
    }

    fn tag<'a>(&'a self, source: &'a str, repository: &'a str, tag: &'a str) -> EngineFuture<'a, ()> {
        (**self).tag(source, repository, tag)
    }
}
