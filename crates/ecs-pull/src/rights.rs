//! With whose rights secrets and tokens are fetched.

use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use ecs_secret_resolver::{AssumeRole, CredentialsStore, Identity};

use crate::Task;

/// With whose rights the secrets and tokens of a task are fetched.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>.
///
/// An agent that is sent the keys of execution roles keeps them in one store, for all tasks of one
/// [`Client`](crate::Client):
///
/// ```
/// use ecs_pull::registry_auth::Origin;
/// use ecs_pull::secret_resolver::{CredentialsStore, RoleKeys};
/// use ecs_pull::{Client, Rights, Task};
///
/// # let config = ecs_pull::config_loader::Config::default();
/// let store = CredentialsStore::default();
/// let client = Client::builder(config).rights(Rights::Stored(store.clone())).build();
///
/// // For every message of the control plane with keys, the first and each refresh:
/// let keys = br#"{"roleArn": "arn:aws:iam::111111111111:role/execution", "accessKeyId": "AKIDEXAMPLE",
///     "secretAccessKey": "hidden", "sessionToken": "hidden", "expiration": "2030-01-02T03:04:05Z"}"#;
/// store.put("b0e1c6c2", RoleKeys::from_json(keys)?);
///
/// // For every task, `client.pull(&task, &events)` with:
/// let payload = r#"{
///     "executionRoleCredentials": {"credentialsId": "b0e1c6c2"},
///     "containers": [{"name": "app", "image": "registry.example.com/team/app:v1"}]
/// }"#;
/// let task = Task::from(ecs_pull::task_images::parse(payload, &Origin::file("payload.json"))?);
/// assert_eq!(task.execution_credentials_id.as_deref(), Some("b0e1c6c2"));
///
/// // When the task has ended:
/// store.remove("b0e1c6c2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// The keys that a control plane sent for the task, found by its
    /// [`execution_credentials_id`](crate::Task::execution_credentials_id). A role that the task names is not assumed.
    ///
    /// A secret of a task without an id, or with one that the store does not hold, is a
    /// `CannotPullContainerAuthError`.
    Stored(CredentialsStore),
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
    /// The identity for a task; `None` when it has no execution role.
    pub(crate) fn identity(&self, task: &Task, instance: &Identity) -> Result<Option<Identity>, Diagnosis> {
        let task_role = task.execution_role_arn.as_deref();
        let (role_arn, external_id) = match self {
            Self::Identity(identity) => return Ok(Some(identity.clone())),
            Self::Stored(store) => {
                return match (&task.execution_credentials_id, task_role) {
                    (Some(id), _) => Ok(Some(Identity::stored(store, id.as_str()))),
                    (None, Some(role)) => Err(no_credentials_id(role)),
                    (None, None) => Ok(None),
                };
            }
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

    /// The ARN of the role that a task's rights are those of, as far as it is known without keys.
    pub(crate) fn role(&self, task: &Task, instance: &Identity) -> Result<Option<Arc<str>>, Diagnosis> {
        if let Self::Stored(_) = self {
            return Ok(task.execution_role_arn.as_deref().map(Arc::from));
        }
        let identity = self.identity(task, instance)?;
        Ok(identity.and_then(|identity| identity.role().map(Arc::from)))
    }
}

fn no_credentials_id(role: &str) -> Diagnosis {
    Diagnosis::new(
        ErrorName::CannotPullContainerAuth,
        ErrorClass::Credential,
        Stage::Credential,
        format!("the task has execution role {role}, but no credentials id to find the role's keys by"),
    )
    .with_cause("unable to find execution role credentials")
    .with_next_step("send executionRoleCredentials.credentialsId with the task")
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
