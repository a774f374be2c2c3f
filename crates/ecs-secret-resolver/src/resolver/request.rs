//! What a container asks for.

use std::fmt;
use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Origin, Stage};

use crate::{Identity, Partition, SecretId};

/// The `repositoryCredentials` of one container, and whose permissions fetch them.
///
/// ```
/// use ecs_secret_resolver::{AssumeRole, Identity, SecretRequest};
///
/// let role = AssumeRole::new("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")?;
/// let request = SecretRequest::new("registry-login")
///     .with_identity(Identity::assume_role(role))
///     .with_region("eu-west-1")
///     .with_container("web");
/// # let _ = request;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SecretRequest {
    pub(super) parameter: String,
    pub(super) identity: Option<Identity>,
    pub(super) region: Option<String>,
    pub(super) task_region: Option<String>,
    pub(super) task_account: Option<String>,
    pub(super) container: Option<Arc<str>>,
    pub(super) origin: Option<Origin>,
}

impl SecretRequest {
    /// A request for what `credentialsParameter` names: an ARN or a name. Without an identity it is an error, which is
    /// told when the credential is asked for.
    pub fn new(credentials_parameter: impl Into<String>) -> Self {
        Self {
            parameter: credentials_parameter.into(),
            identity: None,
            region: None,
            task_region: None,
            task_account: None,
            container: None,
            origin: None,
        }
    }

    /// With the identity whose permissions are used: the task's execution role.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// With the region for a secret that is named without an ARN: that of the task, or the one that a control plane
    /// sends beside the name. An ARN has its own.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// With the region that the task runs in, where it is known apart from
    /// [`with_region`](Self::with_region): a secret of another one needs its ARN.
    #[must_use]
    pub fn with_task_region(mut self, region: impl Into<String>) -> Self {
        self.task_region = Some(region.into());
        self
    }

    /// With the account that the task runs in: a secret by name is looked for in the account of the identity, and must
    /// not silently be that of another one.
    #[must_use]
    pub fn with_task_account(mut self, account: impl Into<String>) -> Self {
        self.task_account = Some(account.into());
        self
    }

    /// With the container's name, for messages.
    #[must_use]
    pub fn with_container(mut self, name: impl Into<Arc<str>>) -> Self {
        self.container = Some(name.into());
        self
    }

    /// With the place where the secret is named.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Everything that can be decided without asking anybody.
    pub(super) fn plan(&self) -> Result<Plan, Diagnosis> {
        let id = SecretId::parse(&self.parameter).map_err(|error| {
            refused(format!("{}repositoryCredentials: {error}", self.place())).with_next_step(
                "name the secret by its full ARN, or by its name in the task's own region and account",
            )
        })?;
        let Some(identity) = self.identity.clone() else {
            return Err(self.no_execution_role(&id));
        };
        if id.arn().is_none() {
            self.check_name(&id, &identity)?;
        }
        let region = id.region().map(str::to_owned).or_else(|| self.region_by_name());
        if let Some(region) = &region {
            check_partitions(&id, region, &identity)?;
        }
        Ok(Plan {
            requested: id.to_string().into(),
            id,
            identity,
            region: region.map(Arc::from),
        })
    }

    /// The secret as `explain` lists it, where it names one.
    pub(super) fn key(&self) -> Option<String> {
        SecretId::parse(&self.parameter).ok().map(|id| id.to_string())
    }

    fn region_by_name(&self) -> Option<String> {
        self.region.clone().or_else(|| self.task_region.clone())
    }

    fn place(&self) -> String {
        self.container
            .as_ref()
            .map(|container| format!("container {container}: "))
            .unwrap_or_default()
    }

    fn no_execution_role(&self, id: &SecretId) -> Diagnosis {
        Diagnosis::new(
            ErrorName::CannotPullContainerAuth,
            ErrorClass::Credential,
            Stage::Credential,
            format!(
                "{}secret {id} needs an execution role and there is none",
                self.place()
            ),
        )
        .with_cause("unable to find execution role credentials")
        .with_next_step(
            "set executionRoleArn in the task definition, or name a role or credentials for this run",
        )
    }

    fn check_name(&self, id: &SecretId, identity: &Identity) -> Result<(), Diagnosis> {
        let name = id.name();
        if let (Some(region), Some(task_region)) = (&self.region, &self.task_region)
            && region != task_region
        {
            return Err(refused(format!(
                "{}secret {name} is named without an ARN, but for region {region} while the task is in {task_region}",
                self.place()
            ))
            .with_next_step(format!(
                "name the secret of another region by its full ARN (arn:…:{region}:ACCOUNT:secret:{name}-XXXXXX)"
            )));
        }
        if let (Some(account), Some(task_account)) = (identity.account(), &self.task_account)
            && account != *task_account
        {
            return Err(refused(format!(
                "{}secret {name} is named without an ARN, but {identity} is of account {account} while the task is in \
                 {task_account}",
                self.place()
            ))
            .with_next_step("name the secret of another account by its full ARN"));
        }
        Ok(())
    }
}

/// Without the text where it names no secret: it may be one.
impl fmt::Debug for SecretRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretRequest")
            .field("parameter", &self.key())
            .field("identity", &self.identity)
            .field("region", &self.region)
            .field("task_region", &self.task_region)
            .field("task_account", &self.task_account)
            .field("container", &self.container)
            .field("origin", &self.origin)
            .finish()
    }
}

/// Keys of one partition do not exist in another: AWS would answer that the token is invalid.
pub(super) fn check_partitions(id: &SecretId, region: &str, identity: &Identity) -> Result<(), Diagnosis> {
    let of_region = Partition::of_region(region);
    if let Some(arn) = id.arn()
        && arn.partition() != of_region
    {
        return Err(refused(format!(
            "secret {id} is in partition {}, but its region {region} is in {of_region}",
            arn.partition()
        ))
        .with_next_step("correct the secret's ARN"));
    }
    match identity.partition() {
        Some(partition) if partition != of_region => Err(refused(format!(
            "secret {id} is in partition {of_region} ({region}), but {identity} is in {partition}"
        ))
        .with_next_step(format!(
            "use a role of partition {of_region}: no credentials are valid in two partitions"
        ))),
        _ => Ok(()),
    }
}

fn refused(message: String) -> Diagnosis {
    Diagnosis::new(
        ErrorName::ResourceInitialization,
        ErrorClass::Credential,
        Stage::Credential,
        message,
    )
}

/// A request that may be made.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) id: SecretId,
    /// The ARN or name with the suffix of ECS.
    pub(super) requested: Arc<str>,
    pub(super) identity: Identity,
    /// `None` for a name without any region: the context's is taken.
    pub(super) region: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AssumeRole, RoleKeys};

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf";

    fn role(arn: &str) -> Identity {
        Identity::assume_role(AssumeRole::new(arn).unwrap())
    }

    fn own() -> Identity {
        role("arn:aws:iam::111111111111:role/execution")
    }

    #[test]
    fn an_arn_brings_its_region_and_a_name_takes_the_tasks() {
        let plan = |parameter: &str| {
            SecretRequest::new(parameter)
                .with_identity(own())
                .with_region("us-east-1")
                .plan()
                .unwrap()
        };
        assert_eq!(plan(ARN).region.as_deref(), Some("eu-west-1"));
        assert_eq!(plan("registry").region.as_deref(), Some("us-east-1"));
        let nowhere = SecretRequest::new("registry")
            .with_identity(own())
            .plan()
            .unwrap();
        assert_eq!(nowhere.region, None);
    }

    #[test]
    fn what_cannot_work_is_an_error_before_any_call() {
        let china = role("arn:aws-cn:iam::111111111111:role/execution");
        let china_keys = RoleKeys::new("A", "hidden", None, None)
            .with_role_arn("arn:aws-cn:iam::111111111111:role/execution");
        let other = role("arn:aws:iam::333333333333:role/execution");
        for (request, message) in [
            (
                SecretRequest::new("a b")
                    .with_identity(own())
                    .with_container("web"),
                "container web: repositoryCredentials: a text of 3 characters (not all of which can be in a name or an \
                 ARN) is not a secret's name",
            ),
            (
                SecretRequest::new("registry")
                    .with_identity(own())
                    .with_region("eu-west-1")
                    .with_task_region("us-east-1"),
                "secret registry is named without an ARN, but for region eu-west-1 while the task is in us-east-1",
            ),
            (
                SecretRequest::new("registry")
                    .with_identity(other)
                    .with_task_account("111111111111"),
                "secret registry is named without an ARN, but role arn:aws:iam::333333333333:role/execution is of",
            ),
            (
                SecretRequest::new(ARN).with_identity(china),
                "is in partition aws (eu-west-1), but role arn:aws-cn",
            ),
            (
                SecretRequest::new(ARN).with_identity(Identity::ready(china_keys)),
                "is in partition aws (eu-west-1), but role arn:aws-cn",
            ),
            (
                SecretRequest::new("arn:aws:secretsmanager:cn-north-1:222222222222:secret:a")
                    .with_identity(own()),
                "is in partition aws, but its region cn-north-1 is in aws-cn",
            ),
        ] {
            let error = request.plan().unwrap_err();
            assert!(error.message().contains(message), "{}", error.message());
            assert_eq!(error.name(), ErrorName::ResourceInitialization);
            assert_eq!(error.class(), ErrorClass::Credential);
            assert!(error.next_step().is_some(), "{}", error.message());
        }
    }

    #[test]
    fn no_execution_role_has_its_own_name() {
        let error = SecretRequest::new(ARN).with_container("web").plan().unwrap_err();
        assert_eq!(error.name(), ErrorName::CannotPullContainerAuth);
        assert_eq!(
            error.message(),
            format!("container web: secret {ARN} needs an execution role and there is none")
        );
        assert!(error.next_step().unwrap().contains("executionRoleArn"));
    }
}
