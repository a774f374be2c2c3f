//! Which source, key and place an answer came from.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{Diagnosis, Origin, Registry};

/// The kind of source a credential came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CredentialSource {
    /// A container's `repositoryCredentials`: a secret in Secrets Manager.
    RepositoryCredentials,
    /// `ECS_ENGINE_AUTH_TYPE` and `ECS_ENGINE_AUTH_DATA`.
    EngineAuth,
    /// An authorization token of Amazon ECR.
    Ecr,
    /// Docker's own `config.json`.
    DockerConfig,
    /// No credential at all.
    Anonymous,
}

impl CredentialSource {
    /// The name used in JSON and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RepositoryCredentials => "repository-credentials",
            Self::EngineAuth => "engine-auth",
            Self::Ecr => "ecr",
            Self::DockerConfig => "docker-config",
            Self::Anonymous => "anonymous",
        }
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Everything about a credential that may be shown: where it came from, never what it is.
///
/// Its JSON is the `credential` object of the command line's contract; absent values are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The kind of source.
    pub source: CredentialSource,
    /// The only registry this credential may be sent to.
    #[serde(serialize_with = "as_text")]
    pub registry: Registry,
    /// The key that matched, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// Where the key or the secret's name was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The user name, which is not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Arc<str>>,
    /// The secret's ARN or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Arc<str>>,
    /// The secret's version (`VersionId`) that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// The staging label (`AWSCURRENT`, `AWSPENDING`, `AWSPREVIOUS`) that the version was asked for by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_stage: Option<Arc<str>>,
    /// The AWS region that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The role whose permissions were used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Arc<str>>,
    /// Things worth saying about this choice, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Arc<str>>,
}

impl Provenance {
    /// A provenance with nothing but its source and registry.
    #[must_use]
    pub fn new(source: CredentialSource, registry: Registry) -> Self {
        Self {
            source,
            registry,
            key: None,
            origin: None,
            username: None,
            secret: None,
            version: None,
            version_stage: None,
            region: None,
            role: None,
            notes: Vec::new(),
        }
    }

    /// No credential: what an exhausted chain means.
    #[must_use]
    pub fn anonymous(registry: Registry) -> Self {
        Self::new(CredentialSource::Anonymous, registry)
    }
}

/// For a sentence such as "the credential of engine-auth key "ghcr.io" (/etc/ecs/ecs.config:2)".
impl fmt::Display for Provenance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.source)?;
        if let Some(key) = &self.key {
            write!(formatter, " key {key:?}")?;
        }
        if let Some(secret) = &self.secret {
            write!(formatter, " secret {secret}")?;
        }
        if let Some(username) = &self.username {
            write!(formatter, " user {username:?}")?;
        }
        if let Some(origin) = &self.origin {
            write!(formatter, " ({origin})")?;
        }
        Ok(())
    }
}

/// A key or source that was looked at for an image, and why it was chosen or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The kind of source.
    pub source: CredentialSource,
    /// The key, as it was written; a secret's ARN or name for `repository-credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether this is the one that is used.
    pub chosen: bool,
    /// Why, in one sentence without a full stop.
    pub reason: String,
    /// What the pull fails with because of this: the source answers with an error, and nothing after it is asked.
    #[serde(skip)]
    pub error: Option<Diagnosis>,
}

impl Candidate {
    /// A candidate without key and origin.
    pub fn new(source: CredentialSource, chosen: bool, reason: impl Into<String>) -> Self {
        Self {
            source,
            key: None,
            origin: None,
            chosen,
            reason: reason.into(),
            error: None,
        }
    }

    /// The same as what the pull fails with.
    #[must_use]
    pub fn with_error(mut self, error: Diagnosis) -> Self {
        self.error = Some(error);
        self
    }

    /// The same with the key it was written under.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with the place where it was written.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Whether this decides what the pull does, be it with a credential or with an error.
    #[must_use]
    pub fn is_decisive(&self) -> bool {
        self.chosen || self.error.is_some()
    }

    /// Takes the decision away from it, because something before it decides.
    pub fn pass_over(&mut self, reason: impl Into<String>) {
        self.chosen = false;
        self.error = None;
        self.reason = reason.into();
    }
}

fn as_text<S: Serializer>(value: &Registry, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
