//! The Docker Engine, and whatever speaks its API.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use bollard::Docker;
use bollard::models::OciPlatform;
use bollard::query_parameters::TagImageOptions;
use ecs_registry_auth::{Diagnosis, ImageReference, RegistryCredential};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;

use crate::Platform;
use crate::engine::{
    Distribution, Engine, EngineError, EngineErrorKind, EngineFuture, EngineVersion, ImageDetails, PullOrder,
    PullStream,
};

mod api_version;
mod auth_header;
mod choice;
mod context;
mod error;
mod frames;
mod host;
mod ssh;
mod tls;
mod unreachable;
mod uri;

use api_version::ApiVersion;
pub use choice::HostChoice;
pub use host::{DockerHost, DockerHostError};
pub use tls::TlsOptions;

/// How to connect to an engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// For the first question to the engine (10 s): a socket that nobody serves would be waited for without end.
    pub timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
        }
    }
}

/// A Docker Engine, or another engine with its API such as podman.
///
/// Each request uses a connection of its own, so an engine that was restarted is found again. The version of the API is
/// the newest that both sides know, and is negotiated anew after the connection was lost.
///
/// ```no_run
/// use ecs_image_puller::{ConnectOptions, DockerEngine, DockerHost};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let host = DockerHost::parse("unix:///var/run/docker.sock")?;
/// let engine = DockerEngine::connect(&host, ConnectOptions::default()).await?;
/// println!("API {}", engine.api_version());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DockerEngine {
    docker: Docker,
    host: DockerHost,
    /// `None` after the connection was lost: the engine that comes back may be another version.
    version: Arc<RwLock<Option<ApiVersion>>>,
}

impl DockerEngine {
    /// Connects and negotiates the version of the API.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] named `CannotGetDockerclientError` when nobody answers at `host`, when the answer is not an
    /// engine's, or when the engine and this crate have no version of the API in common.
    pub async fn connect(host: &DockerHost, options: ConnectOptions) -> Result<Self, Diagnosis> {
        let docker = host
            .client()
            .map_err(|error| unreachable::diagnose(host, &error))?;
        let engine = Self {
            docker,
            host: host.clone(),
            version: Arc::default(),
        };
        match tokio::time::timeout(options.timeout, engine.negotiated()).await {
            Ok(Ok(_)) => Ok(engine),
            Ok(Err(error)) => Err(unreachable::diagnose(host, &error)),
            Err(_) => Err(unreachable::silent(host, options.timeout)),
        }
    }

    /// The version of the API that is spoken, for example `1.41`; empty while the connection is lost.
    #[must_use]
    pub fn api_version(&self) -> String {
        self.known_version()
            .map(|version| version.to_string())
            .unwrap_or_default()
    }

    fn known_version(&self) -> Option<ApiVersion> {
        *self.version.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_version(&self, version: Option<ApiVersion>) {
        *self.version.write().unwrap_or_else(PoisonError::into_inner) = version;
    }

    async fn negotiated(&self) -> Result<ApiVersion, EngineError> {
        if let Some(version) = self.known_version() {
            return Ok(version);
        }
        let answer = self.docker.version().await.map_err(|error| self.failed(error))?;
        let version =
            ApiVersion::negotiate(answer.api_version.as_deref(), answer.min_api_version.as_deref())?;
        tracing::debug!(engine = %self.host, api = %version, "connected to the engine");
        self.remember_version(Some(version));
        Ok(version)
    }

    /// A client for one request: with its version of the API in the path and its credential in the header.
    ///
    /// Both belong to this clone alone, so that concurrent requests cannot get each other's credential.
    async fn client(&self, credential: Option<&RegistryCredential>) -> Result<Docker, EngineError> {
        let version = self.negotiated().await?;
        let header = credential.map(auth_header::value);
        Ok(self.docker.clone().with_request_modifier(move |mut request| {
            if let Some(versioned) = uri::versioned(request.uri(), version) {
                *request.uri_mut() = versioned;
            }
            if let Some(header) = &header {
                request.headers_mut().insert(auth_header::NAME, header.clone());
            }
            request
        }))
    }

    fn failed(&self, error: bollard::errors::Error) -> EngineError {
        let error = error::translate(error);
        if matches!(
            error.kind(),
            EngineErrorKind::Unreachable | EngineErrorKind::Interrupted
        ) {
            self.remember_version(None);
        }
        error
    }
}

impl Engine for DockerEngine {
    fn place(&self) -> String {
        self.host.to_string()
    }

    fn version(&self) -> EngineFuture<'_, EngineVersion> {
        Box::pin(async move {
            let answer = self
                .client(None)
                .await?
                .version()
                .await
                .map_err(|error| self.failed(error))?;
            let mut version = EngineVersion::new(
                answer.version.unwrap_or_default(),
                answer.api_version.unwrap_or_default(),
            );
            version.platform = platform(answer.os.as_deref(), answer.arch.as_deref(), None);
            Ok(version)
        })
    }

    fn distribution<'a>(
        &'a self,
        image: &'a ImageReference,
        credential: Option<&'a RegistryCredential>,
    ) -> EngineFuture<'a, Distribution> {
        Box::pin(async move {
            let answer = self
                .client(credential)
                .await?
                .inspect_registry_image(&uri::full_reference(image), None)
                .await
                .map_err(|error| error::unsupported_distribution(self.failed(error)))?;
            let digest = answer
                .descriptor
                .digest
                .filter(|digest| !digest.is_empty())
                .ok_or_else(|| {
                    EngineError::new(EngineErrorKind::Malformed, "the engine's answer has no digest")
                })?;
            let mut distribution = Distribution::new(digest);
            distribution.media_type = answer.descriptor.media_type;
            distribution.size = answer.descriptor.size.and_then(|size| u64::try_from(size).ok());
            distribution.platforms = answer.platforms.iter().filter_map(known_platform).collect();
            Ok(distribution)
        })
    }

    fn pull<'a>(&'a self, order: PullOrder<'a>) -> EngineFuture<'a, PullStream> {
        Box::pin(async move {
            let target = uri::create_image(order.image, order.version, order.platform);
            // `create_image` of this client drops what podman and old engines say about a failure (`error` without
            // `errorDetail`). `export_image` is its one call that passes a body on as it comes, so the request is
            // replaced whole.
            let engine = self.clone();
            let version = self.negotiated().await?;
            let header = order.credential.map(auth_header::value);
            let body = self
                .docker
                .clone()
                .with_request_modifier(move |mut request| {
                    *request.method_mut() = Method::POST;
                    if let Some(uri) = uri::replaced(request.uri(), version, &target) {
                        *request.uri_mut() = uri;
                    }
                    if let Some(header) = &header {
                        request.headers_mut().insert(auth_header::NAME, header.clone());
                    }
                    request
                })
                .export_image("replaced")
                .map_err(move |error| engine.failed(error));
            let stream: PullStream = frames::frames(body.boxed());
            Ok(stream)
        })
    }

    fn inspect<'a>(&'a self, reference: &'a str) -> EngineFuture<'a, Option<ImageDetails>> {
        Box::pin(async move {
            match self.client(None).await?.inspect_image(reference).await {
                Ok(image) => {
                    let mut details = ImageDetails::new(image.id.unwrap_or_default())
                        .with_repo_digests(image.repo_digests.unwrap_or_default());
                    details.size = image.size.and_then(|size| u64::try_from(size).ok());
                    details.platform = platform(
                        image.os.as_deref(),
                        image.architecture.as_deref(),
                        image.variant.as_deref(),
                    );
                    Ok(Some(details))
                }
                Err(error) => match self.failed(error) {
                    error if error.status() == Some(404) => Ok(None),
                    error => Err(error),
                },
            }
        })
    }

    fn tag<'a>(&'a self, source: &'a str, repository: &'a str, tag: &'a str) -> EngineFuture<'a, ()> {
        Box::pin(async move {
            let options = TagImageOptions {
                repo: Some(repository.to_owned()),
                tag: Some(tag.to_owned()),
            };
            self.client(None)
                .await?
                .tag_image(source, Some(options))
                .await
                .map_err(|error| self.failed(error))
        })
    }
}

fn known_platform(platform: &OciPlatform) -> Option<Platform> {
    self::platform(
        platform.os.as_deref(),
        platform.architecture.as_deref(),
        platform.variant.as_deref(),
    )
}

/// `None` where a part is missing, and for `unknown/unknown`: that is an attestation, not an image.
fn platform(os: Option<&str>, architecture: Option<&str>, variant: Option<&str>) -> Option<Platform> {
    let known = |part: Option<&'_ str>| part.is_some_and(|part| !part.is_empty() && part != "unknown");
    (known(os) && known(architecture))
        .then(|| Platform::new(os.unwrap_or_default(), architecture.unwrap_or_default(), variant))
}
