//! What is told while a call runs.

use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{Candidate, Diagnosis, Provenance, Stage};
use serde::{Serialize, Serializer};

use crate::{Status, Timings};

mod queue;

pub use queue::{EventQueue, EventReceiver, event_queue};

/// Something that happened to one image.
///
/// Its JSON is one object with `image`, `container` where there is one, `event`, and the fields of that event.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The image as it was asked for.
    pub image: Arc<str>,
    /// The container it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of an image.
    pub fn new(image: impl Into<Arc<str>>, container: Option<Arc<str>>, kind: EventKind) -> Self {
        Self {
            image: image.into(),
            container,
            kind,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventKind {
    /// The call has begun.
    Queued,
    /// The credential is known.
    Credential {
        /// Where it came from; its source is `anonymous` when there is none.
        provenance: Arc<Provenance>,
        /// What was tried, when there is none.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        candidates: Vec<Candidate>,
    },
    /// The registry gave the digest.
    Manifest {
        /// `algorithm:hex`.
        digest: Arc<str>,
    },
    /// A layer has come further.
    Layer(LayerProgress),
    /// An attempt failed and another will follow.
    Retry {
        /// Where it failed.
        stage: Stage,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How long until the next, in milliseconds in JSON.
        #[serde(rename = "delay_ms", serialize_with = "as_milliseconds")]
        delay: Duration,
        /// Why it failed.
        error: Diagnosis,
    },
    /// Nothing is asked of the registry for a while.
    Wait {
        /// Why, in one sentence without a full stop.
        reason: String,
        /// How long, in milliseconds in JSON.
        #[serde(rename = "delay_ms", serialize_with = "as_milliseconds")]
        delay: Duration,
    },
    /// The call ended well.
    Done {
        /// How.
        status: Status,
        /// Digest of the image.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<Arc<str>>,
        /// Bytes that were downloaded, as far as the engine told.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Where the time went.
        #[serde(rename = "timings_ms")]
        timings: Timings,
    },
    /// The call failed.
    Failed {
        /// Why.
        error: Diagnosis,
    },
}

fn as_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// How far a layer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LayerProgress {
    /// The start of the layer's digest.
    pub id: Arc<str>,
    /// What is done with it.
    pub state: LayerState,
    /// Bytes of this state that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Bytes of this state in all, where the engine knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What is done with a layer. The order is that of a layer's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LayerState {
    /// Its turn has not come.
    Waiting,
    /// Its bytes are coming.
    Downloading,
    /// Its digest is being checked.
    Verifying,
    /// All bytes are there; its turn to be extracted has not come.
    Downloaded,
    /// It is being unpacked.
    Extracting,
    /// The engine has it.
    Done,
}

/// Takes events. Implemented by every `Fn(Event)` that is `Send + Sync`.
///
/// `emit` is called from within the pull and must return at once; for a consumer that takes its time, see
/// [`event_queue`].
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: Event) {
        self(event);
    }
}

/// Takes events and forgets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl EventSink for Silent {
    fn emit(&self, _: Event) {}
}
