//! With whose rights secrets and tokens are fetched.

use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use ecs_secret_resolver::{AssumeRole, Identity};

/// With whose rights the secrets and tokens of a task are fetched.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rights {
    /// The task's execution role, assumed through STS with the caller's own identity.
    ExecutionRole {
        /// ARN of the role; `None` is the one the task names.
        role_arn: Option<Arc<str>>,
        /// The external id that the role's trust policy asks for.
        external_id: Option<Arc<str>>,
    },
    /// An identity, whatever role the task names: ready keys, the caller itself, a provider of the embedder.
    Identity(Identity),
}

impl Default for Rights {
    fn default() -> Self {
        Self::ExecutionRole {
            role_arn: None,
            external_id: None,
        }
    }
}

impl Rights {
    /// The identity for a task that names this role; `None` when there is no role to assume.
    pub(crate) fn identity(
        &self,
        task_role: Option<&str>,
        instance: &Identity,
    ) -> Result<Option<Identity>, Diagnosis> {
        let (role_arn, external_id) = match self {
            Self::Identity(identity) => return Ok(Some(identity.clone())),
            Self::ExecutionRole {
                role_arn,
                external_id,
            } => (role_arn, external_id),
        };
        let Some(role_arn) = role_arn.as_deref().or(task_role) else {
            return Ok(None);
        };
        let mut role = AssumeRole::new(role_arn)
            .map_err(|error| invalid(&error))?
            .with_source(instance.clone());
        if let Some(external_id) = external_id {
            role = role
                .with_external_id(&**external_id)
                .map_err(|error| invalid(&error))?;
        }
        Ok(Some(Identity::assume_role(role)))
    }
}

fn invalid(error: &ecs_secret_resolver::AssumeRoleError) -> Diagnosis {
    Diagnosis::new(
        ErrorName::ResourceInitialization,
        ErrorClass::Configuration,
        Stage::Credential,
        format!("execution role: {error}"),
    )
    .with_next_step("write the role as arn:aws:iam::ACCOUNT:role/NAME")
}
