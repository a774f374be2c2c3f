//! Pulls container images through a Docker Engine: with the right credential, by digest, and with a reason when it
//! fails.
//!
//! A [`Puller`] takes a [`PullRequest`] (an image and a [`Keychain`](ecs_registry_auth::Keychain)) and goes through
//! four stages: the credential, the manifest, the pull, the tag.
//!
//! # Contract
//!
//! * A credential is sent to the registry of its provenance and to no other; no error leads to an anonymous pull.
//! * What the same attempt would not change (a refusal, a missing tag or platform, a full disk) is final at once;
//!   what may pass (5xx, broken connections, limits of time, throttling, a restarted engine) is retried, with a state
//!   of its own for each call.
//! * Dropping the future stops the engine's pull. An attempt that timed out is dropped before the next begins.
//! * A success means that the engine was asked afterwards and has the image.
//! * Every failure is a [`Diagnosis`](ecs_registry_auth::Diagnosis) with a name that users of Amazon ECS know, and
//!   comes with what is known about the call ([`Facts`]). Secrets are taken out of everything that engine and registry
//!   said.
//!
//! ```
//! use std::sync::Arc;
//!
//! use ecs_image_puller::testing::{FakeEngine, FakeImage};
//! use ecs_image_puller::{Event, PullRequest, Puller, PullerSettings, Status};
//! use ecs_registry_auth::{
//!     CredentialSource, Provenance, Registry, RegistryCredential, ResolvedCredential, StaticKeychain,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In earnest: DockerEngine::connect(&DockerHost::default(), ConnectOptions::default()).await?
//! let image = FakeImage::new("sha256:01").private("alice", "correct horse");
//! let engine = FakeEngine::new().with_image("registry.example.com/team/app:v1", image);
//!
//! let keychain = StaticKeychain::new(ResolvedCredential::new(
//!     RegistryCredential::basic("alice", "correct horse"),
//!     Provenance::new(CredentialSource::EngineAuth, Registry::from_host("registry.example.com")),
//! ));
//! let request = PullRequest::new("registry.example.com/team/app:v1".parse()?, Arc::new(keychain));
//! let puller = Puller::new(Arc::new(engine), PullerSettings::default());
//! let pulled = puller.pull(&request, &|event: Event| println!("{:?}", event.kind)).await?;
//! assert_eq!(pulled.status, Status::Pulled);
//! assert_eq!(pulled.facts.reference.as_deref(), Some("registry.example.com/team/app@sha256:01"));
//! # Ok(())
//! # }
//! ```

mod diagnosis;
mod docker;
mod engine;
mod event;
mod load;
mod outcome;
mod platform;
mod progress;
mod puller;
mod record;
mod request;
mod settings;
mod sharing;
#[cfg(feature = "testing")]
pub mod testing;

pub use ecs_registry_auth::{CachedImages, PullBehavior as Behavior};

pub use docker::{ConnectOptions, DockerEngine, DockerHost, DockerHostError, HostChoice, TlsOptions};
pub use engine::{
    Distribution, Engine, EngineError, EngineErrorKind, EngineFuture, EngineVersion, ImageDetails, PullFrame,
    PullOrder, PullStream,
};
pub use event::{
    Event, EventKind, EventQueue, EventReceiver, EventSink, LayerProgress, LayerState, Silent, event_queue,
};
pub use outcome::{Attempt, Facts, PullFailure, Pulled, Status, Timings, Verified};
pub use platform::{Platform, PlatformError};
pub use puller::Puller;
pub use record::{PullRecord, RecordError};
pub use request::PullRequest;
pub use settings::{PullerSettings, RetrySettings};
