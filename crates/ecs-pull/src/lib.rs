//! Pulls private container images the way Amazon ECS does, and explains why when it does not work.
//!
//! This crate wires its five siblings together for an agent that embeds them: what to pull ([`task_images`]), the
//! configuration ([`config_loader`]), secrets and tokens ([`secret_resolver`]), the engine ([`image_puller`]), and
//! the vocabulary they share ([`registry_auth`]). Each of them can be used without the others.
//!
//! # Contract
//!
//! * A container with `repositoryCredentials` gets that credential or fails; it never falls back.
//! * Any other image is looked up in `ECS_ENGINE_AUTH_DATA`; nothing there is an anonymous pull, something broken
//!   there is an error.
//! * A credential is shown only to the registry it is for.
//! * Dropping a future stops what it does, in the engine too.
//!
//! See [`Client`] for how to pull, and the `pull` example for a program of 30 lines.

mod client;
mod exit_code;
mod explanation;
mod kms;
mod policy;
mod report;
mod rights;
mod secrets;
mod task;
mod tiers;

pub use client::{Client, ClientBuilder};
pub use exit_code::ExitCode;
pub use explanation::{Explanation, Explanations};
pub use kms::KmsAuthData;
pub use report::{ContainerReport, Report, Status};
pub use rights::Rights;
pub use secrets::KnownSecrets;
pub use task::{Container, Task};

pub use ecs_config_loader as config_loader;
pub use ecs_image_puller as image_puller;
pub use ecs_registry_auth as registry_auth;
pub use ecs_secret_resolver as secret_resolver;
pub use ecs_task_images as task_images;
