//! Registry credentials from AWS Secrets Manager, fetched with a task's execution role as Amazon ECS does.

mod arn;
mod aws;
mod identity;
mod partition;

pub use arn::{Arn, ArnError};
pub use aws::{AwsContext, AwsOptions};
pub use identity::{
    AssumeRole, AssumeRoleError, CredentialsStore, ExternalInstance, Identity, RoleKeys, RoleKeysError,
    RotatingFileProvider, StoredKeysError,
};
pub use partition::Partition;
