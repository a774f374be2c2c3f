//! Which keychain answers for a container.
//!
//! There are two tiers. A container that says where its credential is, or whose image is at Amazon ECR, gets that and
//! nothing else: when it cannot be had, the pull fails. Any other image is looked up in the engine's own
//! configuration, and when nothing is there it is pulled anonymously.

use std::sync::Arc;

use ecs_config_loader::DockerConfigUse;
use ecs_registry_auth::{
    Diagnosis, ErrorClass, ErrorName, ImageReference, Keychain, KeychainChain, Origin, Stage,
};
use ecs_secret_resolver::{EcrRegistry, EcrRequest, Identity, SecretRequest, is_ecr_public};
use ecs_task_images::CredentialRequirement;

use crate::secrets::Learning;
use crate::{Client, Container, Task};

impl Client {
    /// The keychain for a container, asked for nothing yet.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when the image is no reference, when it needs the execution role and that is no role or has no
    /// keys, or when Docker's configuration is wanted and was not given.
    pub fn keychain(&self, task: &Task, container: &Container) -> Result<Arc<dyn Keychain>, Diagnosis> {
        let image = container.reference.as_ref().map_err(Clone::clone)?;
        let keychain: Arc<dyn Keychain> = match &container.credential {
            CredentialRequirement::RepositoryCredentials {
                credentials_parameter,
                region,
                origin,
            } => {
                let mut request = self.secret(task, container, credentials_parameter, origin)?;
                if let Some(region) = region {
                    request = request.with_region(region.as_str());
                }
                Arc::new(self.secrets.keychain(request))
            }
            CredentialRequirement::Ecr {
                registry_id,
                region,
                endpoint_override,
                use_execution_role,
                origin,
            } => {
                let role = match use_execution_role {
                    true => self.identity(task)?,
                    false => None,
                };
                let mut request = EcrRequest::from_payload(
                    registry_id,
                    region,
                    *use_execution_role,
                    role.as_ref(),
                    &self.instance,
                )?
                .with_origin(origin.clone());
                if let Some(url) = endpoint_override {
                    request = request.with_endpoint_override(url);
                }
                self.token(request, container)
            }
            _ => self.without_requirement(task, container, image)?,
        };
        Ok(Arc::new(Learning::new(keychain, self.known.clone())))
    }

    /// Whose rights fetch the task's secrets and tokens; `None` when there is no execution role.
    pub(crate) fn identity(&self, task: &Task) -> Result<Option<Identity>, Diagnosis> {
        self.rights.identity(task, &self.instance)
    }

    fn secret(
        &self,
        task: &Task,
        container: &Container,
        credentials_parameter: &str,
        origin: &Origin,
    ) -> Result<SecretRequest, Diagnosis> {
        let mut request = SecretRequest::new(credentials_parameter).with_origin(origin.clone());
        if let Some(identity) = self.identity(task)? {
            request = request.with_identity(identity);
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
        Ok(request)
    }

    /// For a container that says nothing about its credential.
    ///
    /// An image at Amazon ECR gets a token there. For a container of a task definition that is all, because that is
    /// what the control plane of ECS decides; for an image that is named by itself, nobody has decided anything, so
    /// a key of engine auth that was written for that registry comes first. The control plane says nothing about
    /// Amazon ECR Public, so there it always does.
    fn without_requirement(
        &self,
        task: &Task,
        container: &Container,
        image: &ImageReference,
    ) -> Result<Arc<dyn Keychain>, Diagnosis> {
        let private = match EcrRegistry::from_host(image.registry()) {
            Some(registry) => Some(EcrRequest::new(registry, self.identity_of_tokens(task)?)),
            None => None,
        };
        if let (Some(request), Some(_)) = (&private, &container.name) {
            return Ok(self.token(request.clone(), container));
        }
        let request = match private {
            None if self.ecr_public_token && is_ecr_public(image.registry()) => {
                Some(EcrRequest::public(self.identity_of_tokens(task)?))
            }
            private => private,
        };
        let mut chain: Vec<Arc<dyn Keychain>> = vec![Arc::new(self.engine_auth())];
        match (&self.docker_config, &self.config.docker_config.value) {
            (Some(docker_config), _) => chain.push(docker_config.clone()),
            (None, DockerConfigUse::Off) => {}
            (None, _) => return Err(self.docker_config_is_missing()),
        }
        chain.extend(request.map(|request| self.token(request, container)));
        Ok(Arc::new(KeychainChain::new(chain)))
    }

    /// The execution role where there is one, as a task definition's image at Amazon ECR needs it.
    fn identity_of_tokens(&self, task: &Task) -> Result<Identity, Diagnosis> {
        Ok(self.identity(task)?.unwrap_or_else(|| self.instance.clone()))
    }

    fn token(&self, request: EcrRequest, container: &Container) -> Arc<dyn Keychain> {
        let request = match &container.name {
            Some(name) => request.with_container(name.clone()),
            None => request,
        };
        Arc::new(self.tokens.keychain(request))
    }

    fn docker_config_is_missing(&self) -> Diagnosis {
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Configuration,
            Stage::Credential,
            format!(
                "{}: Docker's configuration is wanted as a source of credentials, and this program did not load it",
                self.config.docker_config.origin
            ),
        )
        .with_next_step("remove the setting, or use a program that loads Docker's configuration")
    }
}
