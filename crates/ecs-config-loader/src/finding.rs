//! What is wrong with a configuration, and where.

use std::fmt;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Origin, Stage};
use serde::Serialize;
use thiserror::Error;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The configuration is usable, but somebody should look at this.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing that is wrong with a configuration: its place, what it is, and the next step. Never a value.
///
/// `Display` is `place: message`, for example
/// `/etc/ecs/ecs.config:7: registry "ghcr.io": field "auth" is not base64`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it was written.
    pub place: Origin,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in the imperative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// Whether loading again may succeed without anybody changing the configuration.
    #[serde(skip)]
    pub(crate) retriable: bool,
    /// What kind of failure it is.
    #[serde(skip)]
    pub(crate) class: ErrorClass,
}

impl Finding {
    /// Something that makes the configuration unusable.
    pub fn error(place: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            message: message.into(),
            next_step: None,
            retriable: false,
            class: ErrorClass::Configuration,
        }
    }

    /// Something that somebody should look at.
    pub fn warning(place: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    /// What kind of failure it is: [`ErrorClass::Configuration`], unless something that the configuration names did
    /// not answer as it should.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// The same with what to do about it, in the imperative.
    #[must_use]
    pub fn with_next_step(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Finding {}

/// Everything that makes a configuration unusable, found in one go.
///
/// `Display` has one line per finding.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", joined(.0))]
pub struct ConfigErrors(Vec<Finding>);

impl ConfigErrors {
    /// At least one finding.
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        debug_assert!(!findings.is_empty(), "an error has a reason");
        Self(findings)
    }

    /// Each finding, in the order in which they were met.
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// What kind of failure this is: that of the decryption service where the configuration itself is right, else
    /// [`ErrorClass::Configuration`].
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0
            .iter()
            .map(|finding| finding.class)
            .find(|class| *class == ErrorClass::Configuration)
            .or(self.0.first().map(|finding| finding.class))
            .unwrap_or(ErrorClass::Configuration)
    }

    /// Whether the same configuration may load later: the decryption service did not answer, for example.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.0.iter().all(|finding| finding.retriable)
    }
}

/// For callers that speak in diagnoses: all messages, and the first next step.
impl From<ConfigErrors> for Diagnosis {
    fn from(errors: ConfigErrors) -> Self {
        let diagnosis = Diagnosis::new(
            ErrorName::ResourceInitialization,
            errors.class(),
            Stage::Credential,
            joined(&errors.0).replace('\n', "; "),
        )
        .with_retriable(errors.is_retriable());
        match errors.0.into_iter().find_map(|finding| finding.next_step) {
            Some(next_step) => diagnosis.with_next_step(next_step),
            None => diagnosis,
        }
    }
}

fn joined(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(Finding::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
