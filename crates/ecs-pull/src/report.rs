//! What happened to each container, in the shape of the command line's JSON contract.

use std::fmt;
use std::sync::Arc;

use ecs_image_puller::{Attempt, Facts, Timings};
use ecs_registry_auth::{Diagnosis, Provenance};
use serde::Serialize;

use crate::ExitCode;

/// How it ended for one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// The engine pulled the image.
    Pulled,
    /// The engine had the image already, and the pull behaviour allows using it.
    Cached,
    /// Everything up to the manifest is in order; no layer was downloaded.
    Verified,
    /// See the error.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pulled => "pulled",
            Self::Cached => "cached",
            Self::Verified => "verified",
            Self::Failed => "failed",
        })
    }
}

impl From<ecs_image_puller::Status> for Status {
    fn from(status: ecs_image_puller::Status) -> Self {
        match status {
            ecs_image_puller::Status::Cached => Self::Cached,
            ecs_image_puller::Status::Verified => Self::Verified,
            _ => Self::Pulled,
        }
    }
}

/// One container's result. Absent values are left out of its JSON.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ContainerReport {
    /// The container's name; absent for an image that was named by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    /// The image as it was written.
    pub image: Arc<str>,
    /// How it ended.
    pub status: Status,
    /// The manifest's digest (`algorithm:hex`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Arc<str>>,
    /// The image pinned to that digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Arc<str>>,
    /// The credential that was used, without its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Arc<Provenance>>,
    /// Attempts that were made, the last included; 0 when nobody was asked.
    pub attempts: u32,
    /// Where the time went.
    pub timings_ms: Timings,
    /// Bytes that were downloaded, as far as the engine told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Every attempt that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
    /// Things worth saying about how it ended, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnosis>,
}

impl ContainerReport {
    pub(crate) fn done(
        container: Option<Arc<str>>,
        image: Arc<str>,
        status: ecs_image_puller::Status,
        facts: Facts,
    ) -> Self {
        Self::new(container, image, status.into(), facts, None)
    }

    pub(crate) fn failed(
        container: Option<Arc<str>>,
        image: Arc<str>,
        error: Diagnosis,
        facts: Facts,
    ) -> Self {
        Self::new(container, image, Status::Failed, facts, Some(error))
    }

    fn new(
        container: Option<Arc<str>>,
        image: Arc<str>,
        status: Status,
        facts: Facts,
        error: Option<Diagnosis>,
    ) -> Self {
        Self {
            container,
            image,
            status,
            digest: facts.digest,
            reference: facts.reference,
            credential: facts.provenance,
            attempts: facts.attempts,
            timings_ms: facts.timings,
            bytes: facts.bytes,
            history: facts.history,
            notes: facts.notes,
            error,
        }
    }
}

/// Every container's result.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// In the order they were asked for.
    pub containers: Vec<ContainerReport>,
    /// Whether none failed.
    pub ok: bool,
}

impl Report {
    pub(crate) fn new(containers: Vec<ContainerReport>) -> Self {
        let ok = containers.iter().all(|container| container.error.is_none());
        Self { containers, ok }
    }

    /// What a process that did only this should end with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::worst(
            self.containers
                .iter()
                .filter_map(|container| container.error.as_ref())
                .map(|error| ExitCode::from(error.class())),
        )
    }
}
