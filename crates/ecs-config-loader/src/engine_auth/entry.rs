//! One entry of the auth data: `{"username": …, "password": …}` or `{"auth": …}`.

use ecs_registry_auth::{CredentialKind, RegistryCredential, Secret};
use serde_json::value::RawValue;
use thiserror::Error;
use zeroize::Zeroizing;

use super::AuthType;
use super::auth_field;
use crate::json::{self, Kind};

/// What an entry is taken for, which decides between `auth` and the fields beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryShape {
    EngineAuth(AuthType),
    /// Of Docker's `config.json`.
    ConfigFile,
}

/// What is wrong with an entry. Names fields and types, never a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum EntryError {
    #[error("the entry is {0}, not an object")]
    NotObject(Kind),
    #[error("field {field:?} is {kind}, not a string")]
    FieldType { field: &'static str, kind: Kind },
    #[error("field \"auth\" is not base64")]
    NotBase64,
    #[error("field \"auth\" does not decode to UTF-8")]
    NotUtf8,
    #[error("field \"auth\" does not decode to user:password")]
    NoColon,
    #[error("it has a user name or password but no \"auth\", which type dockercfg asks for")]
    DockerFields,
    #[error("it has no credential")]
    Empty,
}

impl EntryError {
    /// What to do about it.
    pub(crate) fn next_step(&self) -> &'static str {
        match self {
            Self::NotObject(_) => {
                "write {\"username\": …, \"password\": …} or {\"auth\": …} for this registry"
            }
            Self::FieldType { .. } => "put the value into double quotes",
            Self::NotBase64 | Self::NotUtf8 | Self::NoColon => "set \"auth\" to the base64 of user:password",
            Self::DockerFields => "set ECS_ENGINE_AUTH_TYPE=docker",
            Self::Empty => {
                "add user name and password; where a credential helper holds them, run `ecs-pull config import`"
            }
        }
    }
}

/// The fields in use. `email` and `serveraddress` choose nothing and are not read.
#[derive(Default)]
struct Fields {
    username: Option<Zeroizing<String>>,
    password: Option<Zeroizing<String>>,
    auth: Option<Zeroizing<String>>,
    identity_token: Option<Zeroizing<String>>,
    registry_token: Option<Zeroizing<String>>,
}

/// Reads one entry. Field names match without regard to case, and the last duplicate wins, as in Go; `null` leaves a
/// field as it was.
pub(crate) fn decode(raw: &RawValue, shape: EntryShape) -> Result<RegistryCredential, EntryError> {
    let kind = json::kind(raw);
    if kind == Kind::Null {
        return Err(EntryError::Empty);
    }
    let members = json::members(raw).ok_or(EntryError::NotObject(kind))?;
    let mut fields = Fields::default();
    for (name, value) in members {
        let Some((field, slot)) = fields.named(&name) else {
            continue;
        };
        match (json::string(value), json::kind(value)) {
            (Some(text), _) => *slot = Some(text).filter(|text| !text.is_empty()),
            (None, Kind::Null) => {}
            (None, kind) => return Err(EntryError::FieldType { field, kind }),
        }
    }
    fields.credential(shape)
}

impl Fields {
    fn named(&mut self, name: &str) -> Option<(&'static str, &mut Option<Zeroizing<String>>)> {
        [
            ("username", &mut self.username),
            ("password", &mut self.password),
            ("auth", &mut self.auth),
            ("identitytoken", &mut self.identity_token),
            ("registrytoken", &mut self.registry_token),
        ]
        .into_iter()
        .find(|(field, _)| json::is_field(name, field))
    }

    fn credential(self, shape: EntryShape) -> Result<RegistryCredential, EntryError> {
        let dockercfg = EntryShape::EngineAuth(AuthType::Dockercfg);
        let mut credential = RegistryCredential::default();
        credential.identity_token = self.identity_token.as_ref().map(secret);
        credential.registry_token = self.registry_token.as_ref().map(secret);
        // Type docker speaks of user name and password, and only both of them say all that `auth` does. Docker's command
        // line decodes `auth` wherever there is one, over whatever stands beside it.
        let is_complete = self.username.is_some() && self.password.is_some();
        let auth = self
            .auth
            .filter(|_| shape != EntryShape::EngineAuth(AuthType::Docker) || !is_complete);
        match auth {
            Some(auth) => basic(&mut credential, auth_field::decode(&auth)?),
            None if shape == dockercfg => {
                let is_named = self.username.is_some() || self.password.is_some();
                if is_named && credential.kind() == CredentialKind::Empty {
                    return Err(EntryError::DockerFields);
                }
            }
            None => {
                credential.username = self.username.as_deref().cloned();
                credential.password = self.password.as_ref().map(secret);
            }
        }
        // Docker's own mark for "the password is an identity token".
        if credential.username.as_deref() == Some("<token>") && credential.password.is_some() {
            credential.username = None;
            credential.identity_token = credential.password.take();
        }
        match credential.kind() {
            CredentialKind::Empty => Err(EntryError::Empty),
            _ => Ok(credential),
        }
    }
}

fn secret(text: &Zeroizing<String>) -> Secret<String> {
    Secret::from(text.as_str())
}

fn basic(credential: &mut RegistryCredential, (username, password): (String, Secret<String>)) {
    credential.username = Some(username).filter(|username| !username.is_empty());
    credential.password = Some(password).filter(|password| !password.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: EntryShape = EntryShape::EngineAuth(AuthType::Docker);
    const DOCKERCFG: EntryShape = EntryShape::EngineAuth(AuthType::Dockercfg);

    fn read(shape: EntryShape, text: &str) -> Result<[Option<String>; 4], EntryError> {
        let open = |secret: Option<Secret<String>>| secret.map(|secret| secret.expose().clone());
        decode(json::document(text).unwrap(), shape).map(|credential| {
            [
                credential.username,
                open(credential.password),
                open(credential.identity_token),
                open(credential.registry_token),
            ]
        })
    }

    #[test]
    fn entries_decode_as_in_the_agent_and_beyond() {
        for (shape, text, expected) in [
            (
                DOCKER,
                r#"{"username": "u", "password": "p"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                DOCKER,
                r#"{"Username": "u", "PASSWORD": "p"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                DOCKER,
                r#"{"username": "first", "password": "p", "USERNAME": "last"}"#,
                [Some("last"), Some("p"), None, None],
            ),
            (
                DOCKER,
                r#"{"username": "u", "password": "p", "username": null}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (DOCKER, r#"{"auth": "dTpw"}"#, [Some("u"), Some("p"), None, None]),
            (
                DOCKER,
                r#"{"auth": "dTpw", "username": "other", "password": "q"}"#,
                [Some("other"), Some("q"), None, None],
            ),
            (
                DOCKER,
                r#"{"auth": "dTpw", "username": "other"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                DOCKER,
                r#"{"auth": "dTpw", "password": "other"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                EntryShape::ConfigFile,
                r#"{"auth": "dTpw", "username": "other"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                EntryShape::ConfigFile,
                r#"{"auth": "dTpw", "username": "other", "password": "q", "identitytoken": "i"}"#,
                [Some("u"), Some("p"), Some("i"), None],
            ),
            (
                EntryShape::ConfigFile,
                r#"{"username": "u", "password": "p"}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (
                DOCKER,
                r#"{"username": "<token>", "password": "t"}"#,
                [None, None, Some("t"), None],
            ),
            (DOCKER, r#"{"identitytoken": "i"}"#, [None, None, Some("i"), None]),
            (DOCKER, r#"{"registrytoken": "r"}"#, [None, None, None, Some("r")]),
            (
                DOCKERCFG,
                r#"{"auth": "dTpw", "email": 5}"#,
                [Some("u"), Some("p"), None, None],
            ),
            (DOCKERCFG, r#"{"Auth": "dTo="}"#, [Some("u"), None, None, None]),
            (
                DOCKERCFG,
                r#"{"auth": "", "identitytoken": "i"}"#,
                [None, None, Some("i"), None],
            ),
            (
                DOCKERCFG,
                r#"{"auth": "PHRva2VuPjp0"}"#,
                [None, None, Some("t"), None],
            ),
        ] {
            assert_eq!(
                read(shape, text),
                Ok(expected.map(|field| field.map(str::to_owned))),
                "{text}"
            );
        }
    }

    #[test]
    fn broken_entries_say_which_field_and_never_what_it_held() {
        for (shape, text, expected) in [
            (DOCKER, "null", "it has no credential"),
            (DOCKER, "{}", "it has no credential"),
            (DOCKER, r#""hunter2""#, "the entry is a string, not an object"),
            (
                DOCKER,
                r#"{"username": 5}"#,
                "field \"username\" is a number, not a string",
            ),
            (
                DOCKER,
                r#"{"password": ["hunter2"]}"#,
                "field \"password\" is an array, not a string",
            ),
            (
                DOCKER,
                r#"{"password": {"hunter2": 1}}"#,
                "field \"password\" is an object, not a string",
            ),
            (
                EntryShape::ConfigFile,
                r#"{"username": "u", "password": "p", "auth": "hunter2!"}"#,
                "field \"auth\" is not base64",
            ),
            (DOCKER, r#"{"auth": "hunter2!"}"#, "field \"auth\" is not base64"),
            (
                DOCKERCFG,
                r#"{"auth": "bm9jb2xvbg=="}"#,
                "field \"auth\" does not decode to user:password",
            ),
            (DOCKERCFG, r#"{"auth": "Og=="}"#, "it has no credential"),
            (
                DOCKERCFG,
                r#"{"auth": true}"#,
                "field \"auth\" is a boolean, not a string",
            ),
            (
                DOCKERCFG,
                r#"{"username": "u", "password": "p"}"#,
                "it has a user name or password but no \"auth\", which type dockercfg asks for",
            ),
        ] {
            assert_eq!(read(shape, text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
