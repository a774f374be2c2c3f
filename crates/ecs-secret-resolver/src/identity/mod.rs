//! Whose permissions are used.

use std::fmt;
use std::sync::Arc;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::{Arn, Partition};

mod assume_role;
mod instance;
mod keys;
mod rotating_file;
pub(crate) mod session;
mod store;

pub use assume_role::{AssumeRole, AssumeRoleError};
pub(crate) use instance::Instance;
pub use instance::{Ec2Instance, ExternalInstance};
pub use keys::{RoleKeys, RoleKeysError};
pub use rotating_file::RotatingFileProvider;
pub use store::{CredentialsStore, StoredKeysError};

/// Whose permissions are used to fetch a secret or a token: cheap to clone, never shows a key.
///
/// ```
/// use ecs_secret_resolver::{AssumeRole, Identity};
///
/// let role = AssumeRole::new("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")?;
/// let identity = Identity::assume_role(role);
/// assert_eq!(identity.role(), Some("arn:aws:iam::111111111111:role/ecsTaskExecutionRole"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: Arc<str>,
    role: Option<Arc<str>>,
    kind: Kind,
}

/// Where the keys come from.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Caller,
    AssumeRole(AssumeRole),
    Ready(RoleKeys),
    Stored { store: CredentialsStore, id: Arc<str> },
    Provider(SharedCredentialsProvider),
    Instance(Instance),
}

impl Identity {
    fn new(key: impl Into<Arc<str>>, role: Option<Arc<str>>, kind: Kind) -> Self {
        Self(Arc::new(Inner {
            key: key.into(),
            role,
            kind,
        }))
    }

    /// The identity of the process itself, from the AWS SDK's default chain: environment, profile, container
    /// credentials endpoint, instance metadata.
    ///
    /// Rule: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>.
    #[must_use]
    pub fn caller() -> Self {
        Self::new("caller", None, Kind::Caller)
    }

    /// A role that is assumed through STS.
    #[must_use]
    pub fn assume_role(role: AssumeRole) -> Self {
        let arn = role.role_arn().as_str().into();
        Self::new(role.key(), Some(arn), Kind::AssumeRole(role))
    }

    /// Keys that are there already, as a control plane hands them out. They are not refreshed: once they have
    /// expired, every use is an error that says so.
    #[must_use]
    pub fn ready(keys: RoleKeys) -> Self {
        let role = keys.role_arn().map(Arc::from);
        // Other keys for the same role are another identity: what these fetched must not outlive them.
        let key = format!(
            "keys:{}:{}",
            keys.role_arn().unwrap_or_default(),
            keys.access_key_id()
        );
        Self::new(key, role, Kind::Ready(keys))
    }

    /// The keys that a store holds under a credentials id, whichever they are at the time of use.
    #[must_use]
    pub fn stored(store: &CredentialsStore, credentials_id: impl Into<Arc<str>>) -> Self {
        let id = credentials_id.into();
        Self::new(
            format!("stored:{}:{id}", store.number()),
            None,
            Kind::Stored {
                store: store.clone(),
                id,
            },
        )
    }

    /// Any provider of the AWS SDK's ecosystem.
    ///
    /// `key` tells this identity from others in caches; it must be stable and is not secret. `role` is the ARN or
    /// name that messages show.
    #[must_use]
    pub fn provider(
        key: impl fmt::Display,
        role: Option<&str>,
        provider: impl ProvideCredentials + 'static,
    ) -> Self {
        Self::new(
            format!("provider:{key}"),
            role.map(Arc::from),
            Kind::Provider(SharedCredentialsProvider::new(provider)),
        )
    }

    /// The instance credentials of Amazon EC2, in the agent's order.
    #[must_use]
    pub fn ec2_instance(instance: Ec2Instance) -> Self {
        Self::new(instance.key(), None, Kind::Instance(Instance::Ec2(instance)))
    }

    /// The instance credentials of ECS Anywhere, in the agent's order.
    #[must_use]
    pub fn external_instance(instance: ExternalInstance) -> Self {
        Self::new(instance.key(), None, Kind::Instance(Instance::External(instance)))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// What tells this identity from others in caches: stable, and never a secret.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    pub(crate) fn shared_key(&self) -> Arc<str> {
        self.0.key.clone()
    }

    /// The key for what was fetched: for stored keys it changes whenever they do.
    pub(crate) fn generation(&self) -> u64 {
        match &self.0.kind {
            Kind::Stored { store, id } => store.generation(id),
            _ => 0,
        }
    }

    /// The role's ARN or name, where it is known without asking.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.0.role.as_deref()
    }

    /// As [`role`](Self::role), with the role of stored keys looked up.
    pub(crate) fn current_role(&self) -> Option<Arc<str>> {
        match &self.0.kind {
            Kind::Stored { store, id } => store.role(id),
            _ => self.0.role.clone(),
        }
    }

    /// The role's ARN in its parts, where an ARN is known.
    pub(crate) fn role_arn(&self) -> Option<Arn> {
        self.current_role().and_then(|role| Arn::parse(&role).ok())
    }

    /// The partition of the role, where its ARN is known.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        self.role_arn().map(|arn| arn.partition())
    }

    /// The twelve digits of the role's account, where its ARN is known.
    #[must_use]
    pub fn account(&self) -> Option<String> {
        self.role_arn()
            .map(|arn| arn.account().to_owned())
            .filter(|account| !account.is_empty())
    }

    /// Whether its keys come from a program that hands them in, and not from this process's own sources.
    pub(crate) fn is_refreshed_from_outside(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Ready(_) | Kind::Stored { .. } | Kind::Provider(_)
        )
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Identity {}

/// For a sentence such as "with role arn:aws:iam::111111111111:role/ecsTaskExecutionRole".
impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.kind, self.current_role()) {
            (_, Some(role)) => write!(formatter, "role {role}"),
            (Kind::Caller | Kind::Instance(Instance::Ec2(_)), None) => {
                formatter.write_str("the caller's own credentials")
            }
            (Kind::Stored { id, .. }, None) => write!(formatter, "credentials id {id}"),
            (Kind::Instance(_), None) => formatter.write_str("the instance's credentials"),
            _ => formatter.write_str("the given credentials"),
        }
    }
}
