//! Which secret a container names.

use std::fmt;

use crate::arn::{is_account, shown};
use crate::{Arn, ArnError};

/// How many random characters Secrets Manager appends to a name in an ARN, after a hyphen.
const SUFFIX: usize = 6;
/// The longest name that Secrets Manager takes.
const NAME_MAX: usize = 512;

/// A secret by its ARN (whole, or without the random suffix) or by its name, with the optional
/// `:json-key:version-stage:version-id` of the `secrets[].valueFrom` of ECS.
///
/// Rules: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html> and
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>.
///
/// ```
/// use ecs_secret_resolver::SecretId;
///
/// let id = SecretId::parse("arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf:login::")?;
/// assert_eq!(id.requested(), "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf");
/// assert_eq!(id.region(), Some("eu-west-1"));
/// assert_eq!(id.name(), "registry-AbCdEf");
/// assert_eq!(id.json_key(), Some("login"));
/// # Ok::<(), ecs_secret_resolver::SecretIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretId {
    arn: Option<Arn>,
    name: String,
    json_key: Option<String>,
    version_stage: Option<String>,
    version_id: Option<String>,
}

/// A text that names no secret. Each error has the text, or the name in it, in quotes; and only its form where it may
/// itself be something secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretIdError {
    /// Nothing is there.
    #[error("the secret's name is empty")]
    Empty,
    /// It starts as an ARN and is none.
    #[error(transparent)]
    Arn(#[from] ArnError),
    /// The name has characters that no secret's name has, or is too long.
    #[error("{0} is not a secret's name: 1 to 512 letters, digits or any of / _ + = . @ -")]
    Name(String),
    /// The suffix has not all of its three parts.
    #[error(
        "{0}: after the secret come three parts, :json-key:version-stage:version-id, of which any may be empty"
    )]
    Suffix(String),
    /// A stage and an id cannot both choose the version.
    #[error("{0} gives a version stage and a version id: leave one empty")]
    StageAndId(String),
}

impl SecretId {
    /// Parses what a container names.
    ///
    /// # Errors
    ///
    /// [`SecretIdError`].
    pub fn parse(text: &str) -> Result<Self, SecretIdError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretIdError::Empty);
        }
        if !text.starts_with("arn:") {
            let mut parts = text.split(':');
            let name = parts.next().unwrap_or_default();
            return Self::from_parts(text, None, name, &parts.collect::<Vec<_>>());
        }
        let arn = Arn::parse(text)?;
        let mut parts = arn.resource().split(':');
        let is_secret = arn.service() == "secretsmanager" && parts.next() == Some("secret");
        if !is_secret || arn.region().is_empty() || !is_account(arn.account()) {
            return Err(ArnError::Kind {
                found: shown(text),
                wanted: "a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME)",
            }
            .into());
        }
        let name = parts.next().unwrap_or_default().to_owned();
        let suffix: Vec<&str> = parts.collect();
        let suffix_length: usize = suffix.iter().map(|part| part.len() + 1).sum();
        let without_suffix = Arn::parse(&text[..text.len() - suffix_length])?;
        Self::from_parts(text, Some(without_suffix), &name, &suffix)
    }

    fn from_parts(text: &str, arn: Option<Arn>, name: &str, suffix: &[&str]) -> Result<Self, SecretIdError> {
        // What follows a name may be a password: somebody may have written a login in its place.
        let shown = || shown(if arn.is_some() { text } else { name });
        let is_name = (1..=NAME_MAX).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte));
        if !is_name {
            return Err(SecretIdError::Name(shown()));
        }
        let given = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        let (json_key, version_stage, version_id) = match *suffix {
            [] => (None, None, None),
            [json_key, stage, id] => (given(json_key), given(stage), given(id)),
            _ => return Err(SecretIdError::Suffix(shown())),
        };
        if version_stage.is_some() && version_id.is_some() {
            return Err(SecretIdError::StageAndId(shown()));
        }
        Ok(Self {
            arn,
            name: name.to_owned(),
            json_key,
            version_stage,
            version_id,
        })
    }

    /// What Secrets Manager is asked for: the ARN where one was given, else the name; without the suffix of ECS.
    #[must_use]
    pub fn requested(&self) -> &str {
        self.arn.as_ref().map_or(&self.name, Arn::as_str)
    }

    /// The ARN, where one was given; it may lack the random suffix.
    #[must_use]
    pub fn arn(&self) -> Option<&Arn> {
        self.arn.as_ref()
    }

    /// The name, with the random suffix where the ARN has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The region of the ARN.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.arn.as_ref().map(Arn::region)
    }

    /// The account of the ARN.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.arn.as_ref().map(Arn::account)
    }

    /// The key of the secret's JSON object whose value is meant.
    #[must_use]
    pub fn json_key(&self) -> Option<&str> {
        self.json_key.as_deref()
    }

    /// The staging label of the version that is meant; `AWSCURRENT` where neither label nor id is given.
    #[must_use]
    pub fn version_stage(&self) -> Option<&str> {
        self.version_stage.as_deref()
    }

    /// The id of the version that is meant.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// Whether the ARN ends as whole ones do: a hyphen and six random characters. A name may end so by chance.
    #[must_use]
    pub fn has_random_suffix(&self) -> bool {
        self.random_suffix().is_some()
    }

    fn random_suffix(&self) -> Option<&str> {
        self.arn.as_ref()?;
        let (name, suffix) = self.name.rsplit_once('-')?;
        let is_random = !name.is_empty()
            && suffix.len() == SUFFIX
            && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_random.then_some(suffix)
    }

    /// What is taken for the random suffix and looks like a word: of the random ones, one in two hundred does, and
    /// names such as `prod-docker` are common.
    pub(crate) fn doubtful_suffix(&self) -> Option<&str> {
        self.random_suffix()
            .filter(|suffix| suffix.bytes().all(|byte| byte.is_ascii_lowercase()))
    }
}

/// The ARN or the name, with the suffix of ECS as far as it was given.
impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.requested())?;
        if self.json_key.is_none() && self.version_stage.is_none() && self.version_id.is_none() {
            return Ok(());
        }
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        write!(
            formatter,
            ":{}:{}:{}",
            part(&self.json_key),
            part(&self.version_stage),
            part(&self.version_id)
        )
    }
}

impl std::str::FromStr for SecretId {
    type Err = SecretIdError;

    fn from_str(text: &str) -> Result<Self, SecretIdError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:";

    #[test]
    fn every_form_of_ecs_is_understood() {
        for (text, requested, key, stage, id) in [
            ("registry", "registry".to_owned(), None, None, None),
            (
                " team/app@1+2=3._x \n",
                "team/app@1+2=3._x".to_owned(),
                None,
                None,
                None,
            ),
            (
                "registry:login::",
                "registry".to_owned(),
                Some("login"),
                None,
                None,
            ),
            (
                &format!("{ARN}a-AbCdEf"),
                format!("{ARN}a-AbCdEf"),
                None,
                None,
                None,
            ),
            (&format!("{ARN}a"), format!("{ARN}a"), None, None, None),
            (
                &format!("{ARN}a-AbCdEf:::"),
                format!("{ARN}a-AbCdEf"),
                None,
                None,
                None,
            ),
            (
                &format!("{ARN}a-AbCdEf:k::"),
                format!("{ARN}a-AbCdEf"),
                Some("k"),
                None,
                None,
            ),
            (
                &format!("{ARN}a-AbCdEf::AWSPREVIOUS:"),
                format!("{ARN}a-AbCdEf"),
                None,
                Some("AWSPREVIOUS"),
                None,
            ),
            (
                &format!("{ARN}a-AbCdEf:k::9d4c"),
                format!("{ARN}a-AbCdEf"),
                Some("k"),
                None,
                Some("9d4c"),
            ),
            (
                "arn:aws-cn:secretsmanager:cn-north-1:222222222222:secret:a",
                "arn:aws-cn:secretsmanager:cn-north-1:222222222222:secret:a".to_owned(),
                None,
                None,
                None,
            ),
        ] {
            let secret = SecretId::parse(text).unwrap();
            assert_eq!(secret.requested(), requested, "{text:?}");
            assert_eq!(
                (secret.json_key(), secret.version_stage(), secret.version_id()),
                (key, stage, id),
                "{text:?}"
            );
            assert_eq!(SecretId::parse(&secret.to_string()).unwrap(), secret, "{text:?}");
        }
    }

    #[test]
    fn what_names_no_secret_says_why() {
        for (text, part) in [
            ("  ", "empty"),
            ("a b", "not a secret's name"),
            ("{\"username\":\"alice\"}", "not a secret's name"),
            (&"a".repeat(513), "not a secret's name"),
            (
                "arn:aws:ssm:eu-west-1:222222222222:parameter/a",
                "not the ARN of a secret",
            ),
            (
                "arn:aws:secretsmanager::222222222222:secret:a",
                "not the ARN of a secret",
            ),
            (
                "arn:aws:secretsmanager:eu-west-1::secret:a",
                "not the ARN of a secret",
            ),
            (ARN, "not a secret's name"),
            (&format!("{ARN}a:k"), "three parts"),
            (&format!("{ARN}a:k:::"), "three parts"),
            (&format!("{ARN}a::AWSCURRENT:9d4c"), "leave one empty"),
            ("arn:aws:secretsmanager", "is not an ARN"),
        ] {
            let error = SecretId::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_random_suffix_is_six_characters_after_a_hyphen() {
        for (name, whole) in [
            ("a-AbCdEf", true),
            ("a", false),
            ("a-AbCdE", false),
            ("-AbCdEf", false),
        ] {
            assert_eq!(
                SecretId::parse(&format!("{ARN}{name}"))
                    .unwrap()
                    .has_random_suffix(),
                whole,
                "{name}"
            );
        }
        assert!(!SecretId::parse("a-AbCdEf").unwrap().has_random_suffix());
    }

    #[test]
    fn a_word_of_six_letters_is_a_doubtful_suffix() {
        let arn = |name: &str| format!("{ARN}{name}");
        for (text, doubtful) in [
            (arn("prod-docker"), Some("docker")),
            (arn("a-Docker"), None),
            (arn("a-docke1"), None),
            (arn("a-docker-AbCdEf"), None),
            ("prod-docker".to_owned(), None),
        ] {
            let id = SecretId::parse(&text).unwrap();
            assert_eq!(id.doubtful_suffix(), doubtful, "{text}");
        }
    }

    #[test]
    fn a_credential_in_place_of_a_name_is_not_repeated() {
        for text in [
            r#"{"username":"alice","password":"hunter2"}"#,
            r#"username="alice" password="hunter2""#,
            "alice:hunter2",
            "alice:a:hunter2:b",
            ":hunter2",
            "https://alice:hunter2@registry.example.com",
            &format!("{}hunter2", "a".repeat(600)),
            &format!("{}hunter2 {ARN}", "a".repeat(20)),
        ] {
            let error = SecretId::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = SecretId::parse(&text);
        }

        #[test]
        fn no_tail_of_an_arn_panics(tail in "[a-z:\\-é/]{0,60}") {
            let _ = SecretId::parse(&format!("{ARN}{tail}"));
        }
    }
}
