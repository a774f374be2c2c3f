//! The least that an execution role needs, and what the owners of other accounts have to allow.
//!
//! [`least_privilege`] turns what the containers of a task name into policies, without any request.
//!
//! ```
//! use ecs_secret_resolver::policy::{PolicyInput, SecretKey, least_privilege};
//!
//! let secret = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf";
//! let key = "arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555";
//! let advice = least_privilege(&[PolicyInput::secret("web", secret)
//!     .with_role("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")
//!     .with_key(SecretKey::Customer(key.to_owned()))]);
//!
//! assert_eq!(advice.role.statements[0].actions, ["secretsmanager:GetSecretValue"]);
//! assert_eq!(advice.role.statements[0].resources, [secret]);
//! // The secret's and the key's own policies.
//! assert_eq!(advice.owners.len(), 2);
//! println!("{advice}");
//! ```

mod advice;
mod document;
mod gather;
mod images;
mod input;
mod keys;
mod secrets;
#[cfg(test)]
mod tests;
mod text;
mod trust;

pub use advice::{
    NoteKind, OwnedResource, OwnerStatement, PolicyAdvice, PolicyNote, Reason, least_privilege,
};
pub use document::{Effect, PolicyDocument, Principal, Statement};
pub use input::{PolicyInput, SecretKey};
pub use trust::trust_policy;
