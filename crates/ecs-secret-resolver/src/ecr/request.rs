//! Which token a container needs.

use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, ImageReference, Origin, Stage};

use super::host::EcrRegistry;
use crate::Identity;
use crate::arn::shown;

/// A token of Amazon ECR for one container: which registry's, and with whose permissions.
///
/// ```
/// use ecs_secret_resolver::{EcrRequest, Identity};
///
/// let image = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1".parse()?;
/// assert!(EcrRequest::for_image(&image, Identity::caller()).is_some());
/// assert!(EcrRequest::for_image(&"registry.example.com/app".parse()?, Identity::caller()).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EcrRequest {
    pub(super) target: Target,
    pub(super) endpoint_override: Option<Arc<str>>,
    pub(super) identity: Identity,
    pub(super) container: Option<Arc<str>>,
    pub(super) origin: Option<Origin>,
}

/// Whose token it is, and over which kind of endpoint it is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Private(EcrRegistry),
    Public,
}

impl EcrRequest {
    fn to(target: Target, identity: Identity) -> Self {
        Self {
            target,
            endpoint_override: None,
            identity,
            container: None,
            origin: None,
        }
    }

    /// A token for a private registry.
    #[must_use]
    pub fn new(registry: EcrRegistry, identity: Identity) -> Self {
        Self::to(Target::Private(registry), identity)
    }

    /// A token for the private registry that an image names; `None` when the image is not at one.
    #[must_use]
    pub fn for_image(image: &ImageReference, identity: Identity) -> Option<Self> {
        EcrRegistry::from_host(image.registry()).map(|registry| Self::new(registry, identity))
    }

    /// A token for Amazon ECR Public, for its higher quota: images there can be pulled without one.
    ///
    /// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>.
    #[must_use]
    pub fn public(identity: Identity) -> Self {
        Self::to(Target::Public, identity)
    }

    /// A token as the control plane's `ecrAuthData` asks for it: `registryId` (twelve digits), `region`, and
    /// `useExecutionRole`, which chooses between the task's execution role and the instance's own identity.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`]: `CannotPullECRContainerError` when registry id or region cannot be one,
    /// `CannotPullContainerAuthError` when the execution role is asked for and there is none.
    pub fn from_payload(
        registry_id: &str,
        region: &str,
        use_execution_role: bool,
        execution_role: Option<&Identity>,
        instance: &Identity,
    ) -> Result<Self, Diagnosis> {
        let registry = EcrRegistry::new(registry_id, region).ok_or_else(|| {
            configuration_error(format!(
                "ecrAuthData: registry id {} in region {} cannot be a registry of Amazon ECR",
                shown(registry_id),
                shown(region)
            ))
            .with_next_step("write the twelve digits of the registry's account and the name of its region")
        })?;
        let identity = match (use_execution_role, execution_role) {
            (false, _) => instance,
            (true, Some(role)) => role,
            (true, None) => {
                return Err(Diagnosis::new(
                    ErrorName::CannotPullContainerAuth,
                    ErrorClass::Credential,
                    Stage::Credential,
                    format!("{registry}: its token is to be fetched with the task's execution role, and the task has none"),
                )
                .with_next_step("set executionRoleArn in the task definition"));
            }
        };
        Ok(Self::new(registry, identity.clone()))
    }

    /// With another endpoint of the Amazon ECR API (not of the registry), for example that of an interface endpoint.
    /// A missing scheme is `https`; an empty text is none.
    #[must_use]
    pub fn with_endpoint_override(mut self, url: &str) -> Self {
        let url = url.trim();
        self.endpoint_override = (!url.is_empty()).then(|| crate::aws::with_scheme(url).into());
        self
    }

    /// With the container's name, for messages.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<Arc<str>>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// With the place where the registry was written.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }
}

pub(super) fn configuration_error(message: impl Into<String>) -> Diagnosis {
    Diagnosis::new(
        ErrorName::CannotPullEcrContainer,
        ErrorClass::Configuration,
        Stage::Credential,
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> Identity {
        Identity::assume_role(crate::AssumeRole::new("arn:aws:iam::111111111111:role/execution").unwrap())
    }

    #[test]
    fn the_payload_chooses_whose_permissions_are_used() {
        let read = |use_role, role: Option<&Identity>| {
            EcrRequest::from_payload("111111111111", "eu-west-1", use_role, role, &Identity::caller())
        };
        assert_eq!(read(true, Some(&role())).unwrap().identity, role());
        assert_eq!(read(false, Some(&role())).unwrap().identity, Identity::caller());
        let error = read(true, None).unwrap_err();
        assert_eq!(error.name(), ErrorName::CannotPullContainerAuth);
        assert!(
            error.message().contains("registry 111111111111 in eu-west-1"),
            "{error}"
        );
    }

    #[test]
    fn a_payload_that_names_no_registry_is_refused() {
        for (id, region) in [
            ("1111", "eu-west-1"),
            ("111111111111", "EU"),
            ("111111111111", ""),
            ("", "eu-west-1"),
        ] {
            let error = EcrRequest::from_payload(id, region, false, None, &Identity::caller()).unwrap_err();
            assert_eq!(error.name(), ErrorName::CannotPullEcrContainer);
            assert_eq!(error.class(), ErrorClass::Configuration);
            assert!(
                error.message().contains(&format!("{id:?} in region {region:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_endpoint_override_gets_the_scheme_it_lacks() {
        for (written, used) in [
            ("vpce.example.com", Some("https://vpce.example.com")),
            (" http://127.0.0.1:5000 ", Some("http://127.0.0.1:5000")),
            ("", None),
        ] {
            let request = EcrRequest::public(Identity::caller()).with_endpoint_override(written);
            assert_eq!(request.endpoint_override.as_deref(), used, "{written:?}");
        }
    }
}
