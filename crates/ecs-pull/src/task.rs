//! What to pull, in the one shape that every input is turned into.

use std::sync::Arc;

use ecs_image_puller::{Behavior, Platform};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, ImageReference, Origin, Stage, without_user_info};
use ecs_task_images::{CredentialRequirement, TaskImages};

/// Images to pull together, and what their task says about rights and place.
///
/// ```
/// use ecs_pull::Task;
/// use ecs_pull::registry_auth::Origin;
///
/// let definition = r#"{
///     "family": "web",
///     "executionRoleArn": "arn:aws:iam::111111111111:role/ecsTaskExecutionRole",
///     "containerDefinitions": [{
///         "name": "app",
///         "image": "registry.example.com/team/app:v1",
///         "repositoryCredentials": {
///             "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:111111111111:secret:registry-AbCdEf"
///         }
///     }]
/// }"#;
/// let task = Task::from(ecs_pull::task_images::parse(definition, &Origin::file("task-definition.json"))?);
/// assert_eq!(task.containers.len(), 1);
/// # Ok::<(), ecs_pull::task_images::TaskError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Task {
    /// The containers, in their order.
    pub containers: Vec<Container>,
    /// The role whose rights fetch the secrets.
    pub execution_role_arn: Option<String>,
    /// Under which id the control plane refreshes that role's keys: see [`Rights::Stored`](crate::Rights::Stored).
    pub execution_credentials_id: Option<String>,
    /// The task's region, where the document says so.
    pub region: Option<String>,
    /// The task's account, where the document says so.
    pub account: Option<String>,
    /// The platform to pull for; `None` is the engine's own.
    pub platform: Option<Platform>,
    /// The pull behaviour; `None` is that of the configuration.
    pub behavior: Option<Behavior>,
}

/// One image, and what its container says about its credential.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Container {
    /// The container's name; `None` for an image that was named by itself.
    pub name: Option<Arc<str>>,
    /// The image as it was written, without what may be a password in front of its host.
    pub image: Arc<str>,
    /// The same, parsed; or why it is not an image reference.
    pub reference: Result<ImageReference, Diagnosis>,
    /// What the container says about its credential.
    pub credential: CredentialRequirement,
}

impl Container {
    /// An image without a container, and what would be written as its `repositoryCredentials`.
    pub fn image(image: impl Into<Arc<str>>, credential: CredentialRequirement) -> Self {
        let image = image.into();
        let reference = ImageReference::parse(&image);
        // A reference has no place for a password, so what is valid is shown as it is.
        let redacted = reference.as_ref().err().and_then(|_| without_user_info(&image));
        let next_step = match redacted {
            Some(_) => "remove the user name and password in front of the host, and change the password",
            None => "write the image as [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]",
        };
        let reference = reference.map_err(|error| {
            Diagnosis::new(
                ErrorName::CannotPullContainer,
                ErrorClass::Configuration,
                Stage::Manifest,
                error.to_string(),
            )
            .with_next_step(next_step)
        });
        Self {
            name: None,
            image: redacted.map_or(image, Arc::from),
            reference,
            credential,
        }
    }
}

impl Task {
    /// Images that are named by themselves, all with the same `repositoryCredentials` (ARN or name) if one is given.
    #[must_use]
    pub fn images<'a>(
        images: impl IntoIterator<Item = &'a str>,
        repository_credentials: Option<(&str, Origin)>,
    ) -> Self {
        let credential = repository_credentials.map_or(CredentialRequirement::None, |(secret, origin)| {
            CredentialRequirement::RepositoryCredentials {
                credentials_parameter: secret.to_owned(),
                region: None,
                origin,
            }
        });
        let containers = images
            .into_iter()
            .map(|image| Container::image(image, credential.clone()))
            .collect();
        Self {
            containers,
            ..Self::default()
        }
    }
}

impl From<TaskImages> for Task {
    fn from(images: TaskImages) -> Self {
        let containers = images
            .containers
            .into_iter()
            .map(|container| Container {
                name: Some(container.name.into()),
                image: container.image.into(),
                reference: container.reference.map_err(Diagnosis::from),
                credential: container.credential,
            })
            .collect();
        Self {
            containers,
            execution_role_arn: images.execution_role_arn,
            execution_credentials_id: images.execution_credentials_id,
            region: images.region,
            account: images.account,
            platform: images
                .platform
                .map(|platform| Platform::new(platform.os, platform.architecture, None)),
            behavior: None,
        }
    }
}
