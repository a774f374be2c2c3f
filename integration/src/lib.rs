//! The real parts that `ecs-pull` works with, started on loopback: an engine, registries, AWS.
//!
//! One file per part. Each part has its own ports and a directory of its own, and is gone with that directory when its
//! value is dropped, when the test panics and when the test process is killed, because a small supervising process
//! (`integration/lib/supervise`) lives exactly as long as the pipe to its owner.
//!
//! The parts are those that users have (Docker Engine, Podman, the distribution registry) or, for AWS, moto with its
//! signature and IAM checks switched on. A tool that is missing is an error with the command that installs it, never a
//! skipped test. Starting a part takes root, for the namespaces that keep it apart from the machine.

mod aws;
mod closed_port;
mod command;
mod engine;
mod engine_api;
mod engine_tls;
mod figures;
mod image;
mod part;
mod podman;
mod policy;
mod recorder;
mod registry;
mod registry_log;
mod registry_push;
mod secure_registry;
mod site;
mod stage;
mod token_server;
mod tool;
mod wait;

pub use aws::{Account, Aws, Keys};
pub use closed_port::ClosedPort;
pub use command::{EcsPull, Output, Running, credential_helpers, example, program};
pub use engine::Engine;
pub use engine_api::{EngineApi, Refusal};
pub use figures::Figure;
pub use image::{Image, Platform, noise};
pub use part::Part;
pub use podman::Podman;
pub use policy::{Deed, Policy};
pub use recorder::{AwsAnswer, AwsRequest, Recorder};
pub use registry::{Access, Registry};
pub use registry_log::{Login, RegistryRequest};
pub use secure_registry::SecureRegistry;
pub use site::Site;
pub use stage::{Stage, TaskDefinition};
pub use token_server::{TokenRequest, TokenServer};
pub use tool::parliament;
pub use wait::until;
