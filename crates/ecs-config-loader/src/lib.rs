//! The configuration of private registry authentication on Amazon ECS.
//!
//! Reads what the ECS agent reads: `ECS_ENGINE_AUTH_TYPE` and `ECS_ENGINE_AUTH_DATA`, the settings of image pulls, and
//! what surrounds them, from the process environment, from `ecs.config` and from the agent's JSON file, with a few from
//! arguments of the command line before them. The first of those that has a setting wins, one setting at a time, and
//! every value remembers where it was written.
//!
//! # Contract
//!
//! * [`Loader::load`] fails with everything that makes a configuration unusable, all at once. What is only suspicious
//!   comes with the [`Config`] as warnings.
//! * A broken entry for one registry leaves the others in use. An image that needs the broken one is an error and
//!   never an anonymous pull. With [`Loader::strict`] any such entry makes the whole configuration unusable.
//! * "No credential for this image" is `None`; the next [`Keychain`](ecs_registry_auth::Keychain) may be asked.
//! * Messages name the place and never the value.
//!
//! ```
//! use ecs_config_loader::{Environment, Loader};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let config = Loader::new(Environment::from_iter([
//!     ("ECS_ENGINE_AUTH_TYPE", "dockercfg"),
//!     ("ECS_ENGINE_AUTH_DATA", r#"{"registry.example.com/team": {"auth": "YWxpY2U6c2VjcmV0"}}"#),
//! ]))
//! .without_default_files()
//! .load()
//! .await?;
//!
//! let image = "registry.example.com/team/app:v1".parse()?;
//! let resolved = config.engine_auth.lookup(&image)?.expect("a key covers the image");
//! assert_eq!(resolved.credential.username.as_deref(), Some("alice"));
//! assert_eq!(
//!     resolved.provenance.to_string(),
//!     r#"engine-auth key "registry.example.com/team" user "alice" (environment ECS_ENGINE_AUTH_DATA)"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod assemble;
mod auth_setting;
mod config;
mod decryptor;
mod docker_config;
mod duration;
mod engine_auth;
mod env_file;
mod environment;
mod file;
mod finding;
mod import;
mod json;
mod layers;
mod loader;
mod names;
mod pull;
mod setting;
mod show;
mod watch;

pub use config::{Config, DockerConfigUse};
pub use decryptor::{DecryptFuture, Decryptor, ENGINE_AUTH_ENCRYPTION_CONTEXT, EncryptedAuthData};
pub use docker_config::{DockerConfig, StoredCredential, StoredCredentials, WatchedDockerConfig};
pub use duration::{DurationError, parse_go_duration};
pub use ecs_registry_auth::{CachedImages, PullBehavior};
pub use engine_auth::{AuthType, AuthTypeError, EngineAuth};
pub use environment::Environment;
pub use finding::{ConfigErrors, Finding, Severity};
pub use import::{EncryptFuture, Encrypted, Encryptor, ImportedAuth, ImportedRegistry, write_env_file};
pub use loader::{DEFAULT_ENV_FILE, DEFAULT_JSON_FILE, Loader};
pub use pull::PullSettings;
pub use setting::{Setting, Strictness};
pub use show::{Shown, ShownRegistry, ShownSetting};
pub use watch::{ConfigWatch, WatchedEngineAuth};
