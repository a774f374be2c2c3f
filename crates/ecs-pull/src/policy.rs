//! The least policy of a task's execution role.

use ecs_registry_auth::Diagnosis;
use ecs_secret_resolver::policy::{PolicyAdvice, PolicyInput, SecretKey, least_privilege};
use ecs_task_images::CredentialRequirement;

use crate::{Client, Task};

impl Client {
    /// The least policy that the execution role needs for a task, and what the owners of secrets in other accounts
    /// must allow, without any request. `key` is the KMS key that encrypts the secrets.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when an image is no reference, or the execution role is no role.
    pub fn policy(&self, task: &Task, key: &SecretKey) -> Result<PolicyAdvice, Diagnosis> {
        let role = self.rights.role(task, &self.instance)?;
        let mut inputs = Vec::new();
        for container in &task.containers {
            let name = container.name.as_ref().unwrap_or(&container.image);
            let image = container.reference.clone()?;
            let mut named_region = None;
            let mut input = match &container.credential {
                CredentialRequirement::RepositoryCredentials {
                    credentials_parameter,
                    region,
                    ..
                } => {
                    named_region = region.clone();
                    PolicyInput::secret(&**name, credentials_parameter).with_key(key.clone())
                }
                CredentialRequirement::Ecr {
                    use_execution_role: false,
                    ..
                } => PolicyInput::image(&**name, image).with_token_of_instance(),
                _ if self.ecr_public_token => PolicyInput::image(&**name, image).with_ecr_public_token(),
                _ => PolicyInput::image(&**name, image),
            };
            if let Some(role) = &role {
                input = input.with_role(&**role);
            }
            let region = named_region
                .or_else(|| task.region.clone())
                .or_else(|| self.config.region.as_ref().map(|region| region.value.clone()));
            if let Some(region) = region {
                input = input.with_region(region);
            }
            if let Some(account) = &task.account {
                input = input.with_account(account);
            }
            inputs.push(input);
        }
        Ok(least_privilege(&inputs))
    }
}
