//! What a task pulls.

use std::fmt;

use ecs_registry_auth::{ImageReference, Origin, ReferenceError};

use crate::Problem;

/// The images of one task, and who may pull them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskImages {
    /// The document it was read from.
    pub origin: Origin,
    /// Name of the task definition without its revision.
    pub family: Option<String>,
    /// ARN of the task definition, or of the task in a control plane payload; a document that was not registered yet
    /// has none.
    pub arn: Option<String>,
    /// Region of that ARN: where a secret that is given by its name lives.
    pub region: Option<String>,
    /// Account (12 digits) of that ARN.
    pub account: Option<String>,
    /// The role whose permissions fetch secrets and Amazon ECR tokens, as it was written.
    pub execution_role_arn: Option<String>,
    /// Under which id the control plane refreshes that role's keys; only in its payloads.
    pub execution_credentials_id: Option<String>,
    /// What the images have to run on; `None` leaves it to the engine.
    pub platform: Option<Platform>,
    /// In the order of the document; names are unique.
    pub containers: Vec<ContainerImage>,
    /// What does not stop a pull and is still worth a warning.
    pub notes: Vec<Problem>,
}

impl TaskImages {
    /// A task without containers, for an embedder that has no document.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            family: None,
            arn: None,
            region: None,
            account: None,
            execution_role_arn: None,
            execution_credentials_id: None,
            platform: None,
            containers: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// One container's image and what it takes to pull it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerImage {
    /// The container's name.
    pub name: String,
    /// The image as it was written, except for a user name and password in front of its host: `[redacted]@…`.
    pub image: String,
    /// The image, or why the engine would not take it. The error stands here and not in
    /// [`parse`](crate::parse)'s, because it is of no concern to somebody who pulls another container.
    pub reference: Result<ImageReference, Problem>,
    /// What the registry has to be shown.
    pub credential: CredentialRequirement,
    /// Whether the task stops with this container; containers are essential unless they say otherwise.
    pub essential: bool,
    /// Where the container is described.
    pub origin: Origin,
}

impl ContainerImage {
    /// A container that comes from no document.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] when the image is not a reference that the engine takes.
    pub fn new(
        name: impl Into<String>,
        image: impl Into<String>,
        credential: CredentialRequirement,
        origin: Origin,
    ) -> Result<Self, ReferenceError> {
        let image = image.into();
        let reference = ImageReference::parse(&image)?;
        Ok(Self {
            name: name.into(),
            image,
            reference: Ok(reference),
            credential,
            essential: true,
            origin,
        })
    }
}

/// The credential that a container's description asks for.
///
/// A container that asks for one uses that alone: when it cannot be had, the pull fails.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CredentialRequirement {
    /// None of its own: the agent's configuration decides, and the image's host where that is an Amazon ECR registry
    /// (which a task definition does not say; the control plane adds it).
    #[default]
    None,
    /// A secret in AWS Secrets Manager.
    ///
    /// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RepositoryCredentials.html>.
    RepositoryCredentials {
        /// ARN or name of the secret, as it was written.
        credentials_parameter: String,
        /// Region to ask, where the control plane gives one.
        region: Option<String>,
        /// Where the secret is named.
        origin: Origin,
    },
    /// An authorization token of Amazon ECR.
    Ecr {
        /// Account (12 digits) of the registry.
        registry_id: String,
        /// Region of the registry.
        region: String,
        /// Endpoint of the ECR API to use instead of the region's own.
        endpoint_override: Option<String>,
        /// Whether the execution role asks for the token; otherwise the instance does.
        use_execution_role: bool,
        /// Where the registry is named.
        origin: Origin,
    },
}

/// Operating system and architecture, in the words of the OCI image specification.
///
/// Rule: <https://github.com/opencontainers/image-spec/blob/main/config.md#properties>.
///
/// `Display` is the form that engines take: `linux/arm64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Platform {
    /// `linux` or `windows`.
    pub os: &'static str,
    /// `amd64` or `arm64`.
    pub architecture: &'static str,
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)
    }
}
