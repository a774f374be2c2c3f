//! Which keychain answers for a container.
//!
//! There are two tiers. A container that says where its credential is gets that and nothing else: when it cannot be
//! had, the pull fails. Any other container's image is looked up in the engine's own configuration, and when nothing
//! is there it is pulled anonymously.

use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, Keychain, KeychainChain};
use ecs_secret_resolver::{Identity, SecretRequest};
use ecs_task_images::CredentialRequirement;

use crate::secrets::Learning;
use crate::{Client, Container, Task};

impl Client {
    /// The keychain for a container, asked for nothing yet.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when the execution role is no role.
    pub fn keychain(&self, task: &Task, container: &Container) -> Result<Arc<dyn Keychain>, Diagnosis> {
        let keychain = match &container.credential {
            CredentialRequirement::RepositoryCredentials {
                credentials_parameter,
                region,
                origin,
            } => {
                let mut request =
                    SecretRequest::new(credentials_parameter.as_str()).with_origin(origin.clone());
                if let Some(identity) = self.identity(task)? {
                    request = request.with_identity(identity);
                }
                if let Some(region) = region {
                    request = request.with_region(region.as_str());
                }
                if let Some(region) = &task.region {
                    request = request.with_task_region(region.as_str());
                }
                if let Some(account) = &task.account {
                    request = request.with_task_account(account.as_str());
                }
                if let Some(name) = &container.name {
                    request = request.with_container(name.clone());
                }
                Arc::new(self.secrets.keychain(request)) as Arc<dyn Keychain>
            }
            _ => Arc::new(KeychainChain::new(vec![Arc::new(
                self.config.engine_auth.clone(),
            )])),
        };
        Ok(Arc::new(Learning {
            keychain,
            known: self.known.clone(),
        }))
    }

    /// Whose rights fetch the task's secrets and tokens; `None` when there is no execution role.
    pub(crate) fn identity(&self, task: &Task) -> Result<Option<Identity>, Diagnosis> {
        self.rights
            .identity(task.execution_role_arn.as_deref(), &self.instance)
    }
}
