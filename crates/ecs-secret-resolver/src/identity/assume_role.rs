//! A role to be assumed through STS.

use crate::arn::ArnError;
use crate::{Arn, Identity};

/// A role, and how it is assumed.
///
/// Rule: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    role_arn: Arn,
    external_id: Option<String>,
    session_name: String,
    source: Identity,
}

/// A role that cannot be assumed because of how it is described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssumeRoleError {
    /// The role is not given as the ARN of a role.
    #[error(transparent)]
    Role(#[from] ArnError),
    /// The session name, in quotes or by its form, has characters that STS refuses.
    #[error("session name {0} is not 2 to 64 letters, digits or any of _ + = , . @ -")]
    SessionName(String),
    /// The external id has a length or characters that STS refuses.
    #[error("the external id is not 2 to 1224 letters, digits or any of _ + = , . @ : / -")]
    ExternalId,
}

impl AssumeRole {
    /// A role by its ARN, assumed with the caller's own credentials and the session name `ecs-pull`.
    ///
    /// # Errors
    ///
    /// [`AssumeRoleError::Role`] when the text is not the ARN of a role.
    pub fn new(role_arn: &str) -> Result<Self, AssumeRoleError> {
        let arn = Arn::parse(role_arn)?;
        if arn.service() != "iam" || !arn.resource().starts_with("role/") || arn.account().is_empty() {
            return Err(ArnError::Kind {
                found: crate::arn::shown(role_arn),
                wanted: "a role (arn:aws:iam::ACCOUNT:role/NAME)",
            }
            .into());
        }
        Ok(Self {
            role_arn: arn,
            external_id: None,
            session_name: "ecs-pull".to_owned(),
            source: Identity::caller(),
        })
    }

    /// With the external id that the role's trust policy asks for.
    ///
    /// # Errors
    ///
    /// [`AssumeRoleError::ExternalId`] when STS would refuse it.
    pub fn with_external_id(mut self, external_id: impl Into<String>) -> Result<Self, AssumeRoleError> {
        let external_id = external_id.into();
        if !is_name(&external_id, 1224, b"_+=,.@:/-") {
            return Err(AssumeRoleError::ExternalId);
        }
        self.external_id = Some(external_id);
        Ok(self)
    }

    /// With another session name: what CloudTrail shows.
    ///
    /// # Errors
    ///
    /// [`AssumeRoleError::SessionName`] when STS would refuse it.
    pub fn with_session_name(mut self, session_name: impl Into<String>) -> Result<Self, AssumeRoleError> {
        self.session_name = session_name.into();
        if !is_name(&self.session_name, 64, b"_+=,.@-") {
            return Err(AssumeRoleError::SessionName(crate::arn::shown(
                &self.session_name,
            )));
        }
        Ok(self)
    }

    /// With the identity whose permissions assume the role, which may be an assumed role itself.
    #[must_use]
    pub fn with_source(mut self, source: Identity) -> Self {
        self.source = source;
        self
    }

    /// The role.
    #[must_use]
    pub fn role_arn(&self) -> &Arn {
        &self.role_arn
    }

    pub(crate) fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    pub(crate) fn session_name(&self) -> &str {
        &self.session_name
    }

    pub(crate) fn source(&self) -> &Identity {
        &self.source
    }

    pub(super) fn key(&self) -> String {
        format!(
            "role:{}:{}:{}:({})",
            self.role_arn,
            self.external_id().unwrap_or_default(),
            self.session_name,
            self.source.key()
        )
    }
}

fn is_name(text: &str, longest: usize, others: &[u8]) -> bool {
    (2..=longest).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_role_is_a_role() {
        assert!(AssumeRole::new("arn:aws:iam::111111111111:role/path/name").is_ok());
        for other in [
            "ecsTaskExecutionRole",
            "arn:aws:iam::111111111111:user/x",
            "arn:aws:iam:::role/x",
            "arn:aws:sts::111111111111:assumed-role/x/y",
        ] {
            assert!(AssumeRole::new(other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_sts_would_refuse_is_refused_here() {
        let role = || AssumeRole::new("arn:aws:iam::111111111111:role/name").unwrap();
        assert!(role().with_session_name("x").is_err());
        assert!(role().with_session_name("a b").is_err());
        assert!(role().with_external_id("a:b/c").is_ok());
        assert!(role().with_external_id("a b").is_err());
    }

    #[test]
    fn every_part_that_changes_the_session_changes_its_key() {
        let role = || AssumeRole::new("arn:aws:iam::111111111111:role/name").unwrap();
        let keys = [
            role().key(),
            role().with_external_id("xy").unwrap().key(),
            role().with_session_name("xy").unwrap().key(),
            role().with_source(Identity::assume_role(role())).key(),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key}");
        }
    }
}
