//! The vocabulary of registry authentication on Amazon ECS.
//!
//! An image that is pulled names a [`Registry`] through its [`ImageReference`]. Somewhere there may be a
//! [`RegistryCredential`] for it: in the agent's configuration, in Secrets Manager, at Amazon ECR. Whatever can
//! answer "which credential for this image?" is a [`Keychain`].
//!
//! # Contract
//!
//! A keychain gives one of three answers, and callers may rely on their meaning:
//!
//! * `Ok(Some(_))`: this credential, and its [`Provenance`] says where it came from.
//! * `Ok(None)`: this source has nothing for the image; the next source may be asked.
//! * `Err(_)`: the source should have had an answer and could not give it. This **stops** a [`KeychainChain`]:
//!   a broken credential never turns into an anonymous pull or into the credential of another source. Which of its own
//!   credentials a source gives, and whether a usable one stands in for a broken one, is for that source to document.
//!
//! Secrets are [`Secret`] from the first byte: their `Debug` is redacted, there is no `Display` and no
//! serialisation, and their memory is zeroized when dropped.
//!
//! This crate does no I/O and knows neither AWS nor Docker's API.
//!
//! ```
//! use ecs_registry_auth::ImageReference;
//!
//! let image: ImageReference = "registry.example.com/team/app:v1".parse()?;
//! assert_eq!(image.registry().to_string(), "registry.example.com");
//! assert_eq!(image.repository(), "team/app");
//! # Ok::<(), ecs_registry_auth::ReferenceError>(())
//! ```

mod behavior;
mod credential;
mod diagnosis;
mod environment;
mod keychain;
mod origin;
mod provenance;
mod redact;
mod reference;
mod registry;
mod secret;

pub use behavior::{CachedImages, CachedImagesError, PullBehavior, PullBehaviorError};
pub use credential::{CredentialKind, RegistryCredential};
pub use diagnosis::{Diagnosis, ErrorClass, ErrorName, Stage};
pub use environment::SECRET_VARIABLES;
pub use keychain::{Keychain, KeychainChain, ResolveFuture, ResolvedCredential, StaticKeychain};
pub use origin::Origin;
pub use provenance::{Candidate, CredentialSource, Provenance};
pub use redact::Redactor;
pub use reference::{ImageReference, ReferenceError, ReferenceErrorKind, without_user_info};
pub use registry::Registry;
pub use secret::Secret;
