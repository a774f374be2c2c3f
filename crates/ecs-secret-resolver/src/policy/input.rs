//! What a container needs permissions for.

use ecs_registry_auth::ImageReference;

/// One need of one container. Build one for each secret, and one for the image of each container that has no
/// secret of its own.
///
/// ```
/// use ecs_secret_resolver::policy::{PolicyInput, SecretKey};
///
/// let input = PolicyInput::secret("web", "team/registry")
///     .with_role("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")
///     .with_region("eu-west-1")
///     .with_key(SecretKey::AwsManaged);
/// # let _ = input;
/// ```
#[derive(Clone, Debug)]
pub struct PolicyInput {
    pub(super) container: String,
    pub(super) role: Option<String>,
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    pub(super) need: Need,
}

#[derive(Clone, Debug)]
pub(super) enum Need {
    Secret {
        id: String,
        key: SecretKey,
    },
    Image {
        image: ImageReference,
        ecr_public_token: bool,
        token_of_instance: bool,
    },
}

impl PolicyInput {
    fn new(container: impl Into<String>, need: Need) -> Self {
        Self {
            container: container.into(),
            role: None,
            region: None,
            account: None,
            need,
        }
    }

    /// The secret of a container's `repositoryCredentials`, as it is written there: ARN, partial ARN or name.
    pub fn secret(container: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(
            container,
            Need::Secret {
                id: id.into(),
                key: SecretKey::Unknown,
            },
        )
    }

    /// The image of a container without `repositoryCredentials`. It needs a permission if it is at Amazon ECR.
    pub fn image(container: impl Into<String>, image: ImageReference) -> Self {
        Self::new(
            container,
            Need::Image {
                image,
                ecr_public_token: false,
                token_of_instance: false,
            },
        )
    }

    /// With the ARN of the task's execution role: who is to get the permissions, and in which account.
    #[must_use]
    pub fn with_role(mut self, role_arn: impl Into<String>) -> Self {
        self.role = Some(role_arn.into());
        self
    }

    /// With the region of the task, for a secret that is given by name.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// With the account (twelve digits) of the task, for a secret that is given by name. The role's, if not set.
    #[must_use]
    pub fn with_account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// With the KMS key of the secret. Of no effect on an image.
    #[must_use]
    pub fn with_key(mut self, secret_key: SecretKey) -> Self {
        if let Need::Secret { key, .. } = &mut self.need {
            *key = secret_key;
        }
        self
    }

    /// An image of Amazon ECR Public is pulled with a token instead of anonymously. Of no effect on others.
    #[must_use]
    pub fn with_ecr_public_token(mut self) -> Self {
        if let Need::Image { ecr_public_token, .. } = &mut self.need {
            *ecr_public_token = true;
        }
        self
    }

    /// The container instance fetches the token of Amazon ECR, and not the execution role: `useExecutionRole` of the
    /// control plane's `ecrAuthData` is false. Of no effect on others.
    #[must_use]
    pub fn with_token_of_instance(mut self) -> Self {
        if let Need::Image {
            token_of_instance, ..
        } = &mut self.need
        {
            *token_of_instance = true;
        }
        self
    }
}

/// The KMS key that encrypts a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretKey {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// `aws/secretsmanager`: whoever may read the secret in its own account may use it, nobody else may.
    AwsManaged,
    /// A customer-managed key, as `DescribeSecret` names it: the key's ARN or id, an alias or its ARN.
    Customer(String),
}

impl SecretKey {
    /// From the `KmsKeyId` of Secrets Manager's answer to `DescribeSecret`, where it is left out for the AWS-managed
    /// key.
    ///
    /// Rule: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html>.
    ///
    /// ```
    /// use ecs_secret_resolver::policy::SecretKey;
    ///
    /// assert_eq!(SecretKey::from_kms_key_id(None), SecretKey::AwsManaged);
    /// assert_eq!(SecretKey::from_kms_key_id(Some("alias/aws/secretsmanager")), SecretKey::AwsManaged);
    /// ```
    #[must_use]
    pub fn from_kms_key_id(kms_key_id: Option<&str>) -> Self {
        match kms_key_id {
            None | Some("") => Self::AwsManaged,
            Some(id) if id == AWS_MANAGED || id.ends_with(&format!(":{AWS_MANAGED}")) => Self::AwsManaged,
            Some(id) => Self::Customer(id.to_owned()),
        }
    }
}

const AWS_MANAGED: &str = "alias/aws/secretsmanager";
