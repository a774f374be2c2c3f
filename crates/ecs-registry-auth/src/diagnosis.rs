//! An error as its reader needs it: where, what, why, and the next step.

use std::fmt;

use serde::{Serialize, Serializer};

/// The error names that users of Amazon ECS know.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorName {
    /// A refusal, absence or failure on the registry's side, at whichever stage it shows.
    CannotPullContainer,
    /// An Amazon ECR token could not be obtained.
    CannotPullEcrContainer,
    /// A container needs an execution role and none is known.
    CannotPullContainerAuth,
    /// The manifest cannot be read or used.
    CannotPullImageManifest,
    /// A limit ran out.
    DockerTimeout,
    /// The engine cannot be reached.
    CannotGetDockerclient,
    /// A secret or the role's keys cannot be obtained.
    ResourceInitialization,
}

impl ErrorName {
    /// The name as ECS prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotPullContainer => "CannotPullContainerError",
            Self::CannotPullEcrContainer => "CannotPullECRContainerError",
            Self::CannotPullContainerAuth => "CannotPullContainerAuthError",
            Self::CannotPullImageManifest => "CannotPullImageManifestError",
            Self::DockerTimeout => "DockerTimeoutError",
            Self::CannotGetDockerclient => "CannotGetDockerclientError",
            Self::ResourceInitialization => "ResourceInitializationError",
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for ErrorName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What went wrong, as far as a caller has to act on it. The command line turns it into its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Input that is invalid: configuration, image reference, task definition.
    Configuration,
    /// A credential could not be obtained.
    Credential,
    /// The registry refused the credential, or its absence.
    Refused,
    /// No such image, tag or platform.
    NotFound,
    /// The engine cannot be reached.
    EngineUnreachable,
    /// A limit ran out.
    TimedOut,
    /// The registry asks for fewer requests.
    RateLimited,
    /// The caller stopped it.
    Cancelled,
    /// Anything else.
    Other,
}

/// Where in a pull it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// Obtaining the credential.
    Credential,
    /// Resolving the image's digest.
    Manifest,
    /// Downloading and extracting layers.
    Pull,
    /// Tagging the image as the task named it.
    Tag,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Credential => "credential",
            Self::Manifest => "manifest",
            Self::Pull => "pull",
            Self::Tag => "tag",
        })
    }
}

/// An error that names its place, its cause and the next step, and never a secret.
///
/// `Display` is the message alone. Its JSON is the `error` object of the command line's contract.
///
/// ```
/// use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
///
/// let diagnosis = Diagnosis::new(
///     ErrorName::CannotPullContainer,
///     ErrorClass::Refused,
///     Stage::Manifest,
///     "registry.example.com refused the credential of engine-auth key \"registry.example.com\"",
/// )
/// .with_cause("unauthorized: authentication required")
/// .with_next_step("check the password of that key");
/// assert!(diagnosis.to_string().starts_with("registry.example.com refused"));
/// assert!(!diagnosis.is_retriable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Parts {
    name: ErrorName,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
    retriable: bool,
    stage: Stage,
    #[serde(skip)]
    class: ErrorClass,
}

impl Diagnosis {
    /// A final error. `message` says where and what, in one sentence without a full stop.
    pub fn new(name: ErrorName, class: ErrorClass, stage: Stage, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Parts {
            name,
            message,
            cause: None,
            next_step: None,
            retriable: false,
            stage,
            class,
        }))
    }

    /// What the other side said, already free of secrets.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The one thing to do next, in the imperative.
    #[must_use]
    pub fn with_next_step(mut self, next_step: impl Into<String>) -> Self {
        self.0.next_step = Some(next_step.into());
        self
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn with_retriable(mut self, retriable: bool) -> Self {
        self.0.retriable = retriable;
        self
    }

    /// The same error, seen at another stage.
    #[must_use]
    pub fn at_stage(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// The name that ECS users know.
    #[must_use]
    pub fn name(&self) -> ErrorName {
        self.0.name
    }

    /// What a caller has to act on.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// Where in the pull it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Where and what, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the other side said.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.0.next_step.as_deref()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.0.retriable
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Diagnosis {}

impl Serialize for Diagnosis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
