//! What a call ends with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{Diagnosis, ErrorName, Provenance, Stage};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::Platform;

/// How a call ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// The image was pulled; layers that the engine had were not downloaded again.
    Pulled,
    /// The engine had the image, and the pull behaviour lets that do.
    Cached,
    /// The registry would give the image; nothing was downloaded.
    Verified,
}

/// Where the time went. What did not happen took none.
///
/// Its JSON is the `timings_ms` object of the command line's contract, in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Obtaining the credential.
    pub credential: Duration,
    /// Resolving the digest.
    pub manifest: Duration,
    /// Until the last byte of the last layer was there.
    pub download: Duration,
    /// From then until the engine was done. Layers that were extracted while others were downloaded are not in here.
    pub extract: Duration,
    /// The whole call.
    pub total: Duration,
}

impl Serialize for Timings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Timings", 5)?;
        for (name, duration) in [
            ("credential", self.credential),
            ("manifest", self.manifest),
            ("download", self.download),
            ("extract", self.extract),
            ("total", self.total),
        ] {
            fields.serialize_field(name, &u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))?;
        }
        fields.end()
    }
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt of the call, from 1.
    pub number: u32,
    /// Where it failed.
    pub stage: Stage,
    /// The name that ECS users know.
    pub name: ErrorName,
    /// Where and what, in one sentence.
    pub message: String,
    /// What the other side said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(rename = "took_ms", serialize_with = "as_milliseconds")]
    pub took: Duration,
}

fn as_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What is known about a call, however it ended.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Facts {
    /// Digest of the image (`algorithm:hex`), once it is known.
    pub digest: Option<Arc<str>>,
    /// The image pinned to that digest: `registry.example.com/team/app@sha256:…`.
    pub reference: Option<Arc<str>>,
    /// The credential that was used last; its source is `anonymous` when there was none.
    pub provenance: Option<Arc<Provenance>>,
    /// Attempts that were made, the last included; 0 when nobody was asked.
    pub attempts: u32,
    /// Where the time went.
    pub timings: Timings,
    /// Bytes that were downloaded, as far as the engine told.
    pub bytes: Option<u64>,
    /// Whether another call for the same image was under way and the engine pulled once for both: `bytes` are the same
    /// bytes then.
    pub shared: bool,
    /// Every attempt that failed, the last included when the call failed. No more than the latest 32.
    pub history: Vec<Attempt>,
    /// Things worth saying about how it ended, in sentences.
    pub notes: Vec<String>,
}

/// An image that the engine has now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// Pulled, or found.
    pub status: Status,
    /// How it went. `digest` is absent only for images that no registry gave a digest: schema 1, and those that the
    /// engine built itself.
    pub facts: Facts,
}

/// An image that could be pulled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Always [`Status::Verified`].
    pub status: Status,
    /// How it went.
    pub facts: Facts,
    /// The platforms that the image is built for; empty when the registry does not tell.
    pub platforms: Vec<Platform>,
    /// Size of the manifest (not of the image), in bytes.
    pub manifest_size: Option<u64>,
}

/// A call that did not end well: why, and what is known.
#[derive(Clone, Debug)]
pub struct PullFailure(Box<(Diagnosis, Facts)>);

impl PullFailure {
    pub(crate) fn new(diagnosis: Diagnosis, facts: Facts) -> Self {
        Self(Box::new((diagnosis, facts)))
    }

    /// Why.
    #[must_use]
    pub fn diagnosis(&self) -> &Diagnosis {
        &self.0.0
    }

    /// What is known.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.1
    }

    /// Both, to keep.
    #[must_use]
    pub fn into_parts(self) -> (Diagnosis, Facts) {
        *self.0
    }
}

/// The diagnosis' message.
impl fmt::Display for PullFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(formatter)
    }
}

impl std::error::Error for PullFailure {}

impl From<PullFailure> for Diagnosis {
    fn from(failure: PullFailure) -> Self {
        failure.into_parts().0
    }
}
