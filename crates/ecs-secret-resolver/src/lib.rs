//! Registry credentials from AWS Secrets Manager (`repositoryCredentials`), fetched with a task's execution role.
//!
//! Amazon ECS lets a container name a secret that holds the login for its image's registry. The agent fetches it with
//! the task's execution role; this crate does the same for whoever pulls images: from any region and account, for many
//! containers at once, and with a [`Diagnosis`](ecs_registry_auth::Diagnosis) that names the secret, the role, AWS's
//! code and request id, and the one thing to do next.
//!
//! # Contract
//!
//! * [`SecretResolver::keychain`] gives the [`Keychain`](ecs_registry_auth::Keychain) of one container. It answers with
//!   the credential or with an error, never with `None`: a container with a secret of its own uses that alone.
//! * [`EcrTokens::keychain`] is the same for an image at Amazon ECR: a token, for the registry that was asked for and
//!   no other host.
//! * Whose permissions are used is an [`Identity`]: a role to assume, keys that a control plane hands in, the caller
//!   itself, or any provider of the AWS SDK's ecosystem. A role is assumed once for all regions and secrets.
//! * Equal requests make one call. Values are kept for a while, final failures for a moment. When a registry refuses a
//!   credential, the secret is fetched again, and its new version is offered if it was rotated.
//! * Nothing is loaded and nobody is asked before the first answer is needed.
//! * Errors tell the shape of a value, never its content. Logs name secrets and roles, never keys.
//!
//! ```
//! use ecs_registry_auth::Keychain;
//! use ecs_secret_resolver::{
//!     AssumeRole, AwsContext, AwsOptions, Identity, ResolverSettings, SecretRequest, SecretResolver,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let context = AwsContext::new(AwsOptions::default().with_region("eu-west-1"));
//! let resolver = SecretResolver::new(context, ResolverSettings::default());
//! let role = AssumeRole::new("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")?;
//! let keychain = resolver.keychain(
//!     SecretRequest::new("arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf")
//!         .with_identity(Identity::assume_role(role))
//!         .with_container("web"),
//! );
//! let image = "registry.example.com/team/app:v1".parse()?;
//! let resolved = keychain.resolve(&image).await?.expect("a secret is never absent");
//! println!("logging in as {:?}", resolved.credential.username);
//! # Ok(())
//! # }
//! ```

mod arn;
mod aws;
mod ecr;
mod identity;
mod kms;
mod partition;
pub mod policy;
mod resolver;
mod secret;

pub use arn::{Arn, ArnError};
pub use aws::{AwsContext, AwsOptions};
pub use ecr::{EcrKeychain, EcrRegistry, EcrRequest, EcrTokens, is_ecr_public, pull_through_cache_hint};
pub use identity::{
    AssumeRole, AssumeRoleError, CredentialsStore, Ec2Instance, ExternalInstance, Identity, RoleKeys,
    RoleKeysError, RotatingFileProvider, StoredKeysError,
};
pub use kms::{Ciphertext, KmsDecryptor};
pub use partition::Partition;
pub use resolver::{ResolverSettings, SecretKeychain, SecretRequest, SecretResolver};
pub use secret::{SecretId, SecretIdError};
