//! Keys of a role as a control plane hands them out.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use ecs_registry_auth::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Temporary keys of a role: `{RoleArn, AccessKeyId, SecretAccessKey, Token | SessionToken, Expiration}`, the
/// JSON of ECS's control plane, of the container credentials endpoint and of `aws sts assume-role`.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>.
///
/// ```
/// use ecs_secret_resolver::RoleKeys;
///
/// let keys = RoleKeys::from_json(
///     br#"{"RoleArn": "arn:aws:iam::111111111111:role/execution", "AccessKeyId": "AKIDEXAMPLE",
///          "SecretAccessKey": "hidden", "Token": "hidden", "Expiration": "2030-01-02T03:04:05Z"}"#,
/// )?;
/// assert_eq!(keys.role_arn(), Some("arn:aws:iam::111111111111:role/execution"));
/// assert!(!format!("{keys:?}").contains("hidden"));
/// # Ok::<(), ecs_secret_resolver::RoleKeysError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoleKeys {
    role_arn: Option<Arc<str>>,
    access_key_id: Arc<str>,
    secret_access_key: Secret<String>,
    session_token: Option<Secret<String>>,
    expiration: Option<SystemTime>,
}

/// Why a document does not hold the keys of a role. Never shows a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleKeysError {
    /// Not a JSON object of that shape.
    #[error("line {line}, column {column}: not the JSON object of a role's keys")]
    Json {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
    },
    /// A field that must be there is missing or empty.
    #[error("field {0:?} is missing or empty")]
    Missing(&'static str),
    /// `Expiration` is not a time in the form of RFC 3339.
    #[error("field \"Expiration\" is not a time such as 2030-01-02T03:04:05Z")]
    Expiration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Fields {
    /// `aws sts assume-role` wraps the keys in this.
    credentials: Option<Box<Fields>>,
    #[serde(alias = "roleArn")]
    role_arn: Option<String>,
    #[serde(alias = "accessKeyId")]
    access_key_id: Option<String>,
    #[serde(alias = "secretAccessKey")]
    secret_access_key: Option<Zeroizing<String>>,
    #[serde(alias = "token")]
    token: Option<Zeroizing<String>>,
    #[serde(alias = "sessionToken")]
    session_token: Option<Zeroizing<String>>,
    #[serde(alias = "expiration")]
    expiration: Option<String>,
}

impl RoleKeys {
    /// Keys from their parts. Without `expiration` they are taken to last for ever.
    pub fn new(
        access_key_id: impl Into<Arc<str>>,
        secret_access_key: impl Into<Secret<String>>,
        session_token: Option<Secret<String>>,
        expiration: Option<SystemTime>,
    ) -> Self {
        Self {
            role_arn: None,
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token,
            expiration,
        }
    }

    /// With the role that they belong to, for messages and for the check of its partition.
    #[must_use]
    pub fn with_role_arn(mut self, role_arn: impl Into<Arc<str>>) -> Self {
        self.role_arn = Some(role_arn.into());
        self
    }

    /// Reads the JSON object. The caller should erase `json` afterwards.
    ///
    /// # Errors
    ///
    /// [`RoleKeysError`], which names the field or the place and never a value.
    pub fn from_json(json: &[u8]) -> Result<Self, RoleKeysError> {
        let mut outer: Fields = serde_json::from_slice(json).map_err(|error| RoleKeysError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let outer_role = outer.role_arn.take();
        let fields = match outer.credentials.take() {
            Some(inner) => *inner,
            None => outer,
        };
        let filled = |value: Option<Zeroizing<String>>| value.filter(|value| !value.is_empty());
        let expiration = match fields.expiration.as_deref() {
            None | Some("") => None,
            Some(text) => Some(parse_time(text)?),
        };
        let secret_access_key =
            filled(fields.secret_access_key).ok_or(RoleKeysError::Missing("SecretAccessKey"))?;
        Ok(Self {
            role_arn: fields
                .role_arn
                .or(outer_role)
                .filter(|role| !role.is_empty())
                .map(Into::into),
            access_key_id: fields
                .access_key_id
                .filter(|id| !id.is_empty())
                .ok_or(RoleKeysError::Missing("AccessKeyId"))?
                .into(),
            secret_access_key: secret(secret_access_key),
            session_token: filled(fields.token)
                .or_else(|| filled(fields.session_token))
                .map(secret),
            expiration,
        })
    }

    /// The role they belong to, if the document said so.
    #[must_use]
    pub fn role_arn(&self) -> Option<&str> {
        self.role_arn.as_deref()
    }

    /// The access key id, which is not secret.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// When they end.
    #[must_use]
    pub fn expiration(&self) -> Option<SystemTime> {
        self.expiration
    }

    pub(crate) fn has_expired(&self, now: SystemTime) -> bool {
        self.expiration.is_some_and(|end| end <= now)
    }

    /// For the SDK, whose own type erases its keys when dropped.
    pub(crate) fn credentials(&self) -> Credentials {
        let mut builder = Credentials::builder()
            .access_key_id(&*self.access_key_id)
            .secret_access_key(self.secret_access_key.expose().as_str())
            .provider_name("RoleKeys");
        builder.set_session_token(self.session_token.as_ref().map(|token| token.expose().clone()));
        builder.set_expiry(self.expiration);
        builder.build()
    }
}

fn secret(mut value: Zeroizing<String>) -> Secret<String> {
    Secret::new(std::mem::take(&mut *value))
}

fn parse_time(text: &str) -> Result<SystemTime, RoleKeysError> {
    DateTime::from_str(text, Format::DateTimeWithOffset)
        .ok()
        .and_then(|time| SystemTime::try_from(time).ok())
        .ok_or(RoleKeysError::Expiration)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn every_spelling_of_the_document_is_read() {
        for json in [
            r#"{"RoleArn":"r","AccessKeyId":"a","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-02T03:04:05Z"}"#,
            r#"{"RoleArn":"r","AccessKeyId":"a","SecretAccessKey":"s","SessionToken":"t","Expiration":"2030-01-02T05:04:05+02:00"}"#,
            r#"{"roleArn":"r","accessKeyId":"a","secretAccessKey":"s","sessionToken":"t","expiration":"2030-01-02T03:04:05.000Z"}"#,
            r#"{"RoleArn":"r","Credentials":{"AccessKeyId":"a","SecretAccessKey":"s","SessionToken":"t","Expiration":"2030-01-02T03:04:05Z"},"AssumedRoleUser":{}}"#,
        ] {
            let keys = RoleKeys::from_json(json.as_bytes()).unwrap();
            assert_eq!(keys.role_arn(), Some("r"), "{json}");
            let credentials = keys.credentials();
            assert_eq!(credentials.access_key_id(), "a");
            assert_eq!(credentials.secret_access_key(), "s");
            assert_eq!(credentials.session_token(), Some("t"));
            let end = UNIX_EPOCH + Duration::from_secs(1_893_553_445);
            assert_eq!(keys.expiration(), Some(end), "{json}");
            assert!(keys.has_expired(end) && !keys.has_expired(UNIX_EPOCH));
        }
    }

    #[test]
    fn a_broken_document_names_the_field_and_no_value() {
        for (json, expected) in [
            ("", "line 1, column 0: not the JSON object of a role's keys"),
            (
                r#"{"SecretAccessKey":"hunter2"}"#,
                "field \"AccessKeyId\" is missing or empty",
            ),
            (
                r#"{"AccessKeyId":"a"}"#,
                "field \"SecretAccessKey\" is missing or empty",
            ),
            (
                r#"{"AccessKeyId":"a","SecretAccessKey":"hunter2","Expiration":"tomorrow"}"#,
                "field \"Expiration\" is not a time such as 2030-01-02T03:04:05Z",
            ),
        ] {
            assert_eq!(
                RoleKeys::from_json(json.as_bytes()).unwrap_err().to_string(),
                expected
            );
        }
        let wrong_type = RoleKeys::from_json(br#"{"AccessKeyId":"a","SecretAccessKey":["hunter2"]}"#);
        assert!(!format!("{wrong_type:?}").contains("hunter2"));
    }
}
