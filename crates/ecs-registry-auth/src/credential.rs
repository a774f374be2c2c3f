//! What is shown to a registry.

use crate::Secret;

/// A credential for one registry, with the fields of Docker's `AuthConfig`.
///
/// More than one may be set: the engine uses the registry token if there is one, else the identity token for
/// token authentication, and user name and password for basic authentication.
///
/// Rule: <https://docs.docker.com/reference/api/engine/#section/Authentication>.
///
/// ```
/// use ecs_registry_auth::{CredentialKind, RegistryCredential};
///
/// let credential = RegistryCredential::basic("alice", "correct horse");
/// assert_eq!(credential.kind(), CredentialKind::Basic);
/// assert!(!format!("{credential:?}").contains("correct horse"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RegistryCredential {
    /// User name for basic authentication and for the token server.
    pub username: Option<String>,
    /// Password, or an access token in its place.
    pub password: Option<Secret<String>>,
    /// OAuth 2 refresh token that the registry's token server issued (`identitytoken`).
    pub identity_token: Option<Secret<String>>,
    /// Bearer token that is sent to the registry as it is (`registrytoken`).
    pub registry_token: Option<Secret<String>>,
}

/// The way in which the engine will use a [`RegistryCredential`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// User name and password.
    Basic,
    /// OAuth 2 refresh token.
    IdentityToken,
    /// Bearer token.
    RegistryToken,
    /// No usable field: as good as no credential, and never what a keychain should answer.
    Empty,
}

impl RegistryCredential {
    /// User name and password (or an access token in its place).
    pub fn basic(username: impl Into<String>, password: impl Into<Secret<String>>) -> Self {
        Self {
            username: Some(username.into()),
            password: Some(password.into()),
            ..Self::default()
        }
    }

    /// A refresh token of the registry's token server (`identitytoken`).
    pub fn identity_token(token: impl Into<Secret<String>>) -> Self {
        Self {
            identity_token: Some(token.into()),
            ..Self::default()
        }
    }

    /// A bearer token for the registry (`registrytoken`).
    pub fn registry_token(token: impl Into<Secret<String>>) -> Self {
        Self {
            registry_token: Some(token.into()),
            ..Self::default()
        }
    }

    /// How the engine will use this credential.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        let set = |field: &Option<Secret<String>>| field.as_ref().is_some_and(|secret| !secret.is_empty());
        if set(&self.registry_token) {
            CredentialKind::RegistryToken
        } else if set(&self.identity_token) {
            CredentialKind::IdentityToken
        } else if self
            .username
            .as_ref()
            .is_some_and(|username| !username.is_empty())
            || set(&self.password)
        {
            CredentialKind::Basic
        } else {
            CredentialKind::Empty
        }
    }

    /// Every secret field that is set, for whoever has to keep them out of a text.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret<String>> {
        [&self.password, &self.identity_token, &self.registry_token]
            .into_iter()
            .flatten()
    }
}
