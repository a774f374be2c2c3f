//! What a secret's value says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ecs_registry_auth::RegistryCredential;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// Why a value holds no credential: told by shape, never by content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("empty secrets value")]
    Empty,
    #[error("unable to unmarshal secret value, invalid schema: {0}")]
    Schema(String),
    #[error("AuthorizationData is malformed, empty field: {missing} (it has {found})")]
    EmptyField { missing: &'static str, found: String },
    #[error("it has no key {key:?} (it has {found})")]
    NoKey { key: String, found: String },
}

impl ShapeError {
    /// The right shape, and what this one looks like.
    pub(crate) fn next_step(&self) -> &'static str {
        match self {
            Self::NoKey { .. } => "name a key that the secret has, or leave the key out",
            _ => {
                "store the secret as a JSON object in double quotes: {\"username\": \"NAME\", \"password\": \"PASSWORD OR TOKEN\"}"
            }
        }
    }
}

/// Reads the credential from a secret's value; with `json_key`, from the object (or the JSON text) under that key.
pub(crate) fn parse(value: &[u8], json_key: Option<&str>) -> Result<Arc<RegistryCredential>, ShapeError> {
    if value.is_empty() {
        return Err(ShapeError::Empty);
    }
    let document: Json = serde_json::from_slice(value).map_err(|error| schema(value, &error))?;
    let document = match json_key {
        None => document,
        Some(key) => under_key(document, key)?,
    };
    let fields = match document {
        Json::Object(fields) => fields,
        // Go leaves a struct as it is when it meets null: all fields are then empty.
        Json::Null => Vec::new(),
        other => {
            return Err(ShapeError::Schema(format!(
                "it is {}, not an object",
                other.kind()
            )));
        }
    };
    credential(&fields).map(Arc::new)
}

fn credential(fields: &[(String, Json)]) -> Result<RegistryCredential, ShapeError> {
    let username = text_field(fields, "username")?;
    let password = text_field(fields, "password")?;
    let empty_field = |missing| ShapeError::EmptyField {
        missing,
        found: described(fields),
    };
    let username = filled(username).ok_or_else(|| empty_field("username"))?;
    let password = filled(password).ok_or_else(|| empty_field("password"))?;
    // Docker's own mark for an identity token in place of a password.
    if username == "<token>" {
        let mut credential = RegistryCredential::identity_token(password);
        credential.username = Some(username.to_owned());
        return Ok(credential);
    }
    Ok(RegistryCredential::basic(username, password))
}

fn filled(value: Option<&Zeroizing<String>>) -> Option<&str> {
    value
        .map(|value| value.as_str())
        .filter(|value| !value.is_empty())
}

/// The field under any case, the last one where it is repeated, as Go matches keys. Null leaves what was there.
fn text_field<'a>(
    fields: &'a [(String, Json)],
    name: &str,
) -> Result<Option<&'a Zeroizing<String>>, ShapeError> {
    let mut found = None;
    for (key, value) in fields.iter().filter(|(key, _)| folds_to(key, name)) {
        match value {
            Json::Text(text) => found = Some(text),
            Json::Null => {}
            other => {
                return Err(ShapeError::Schema(format!(
                    "field {key:?} is {}, not a string",
                    other.kind()
                )));
            }
        }
    }
    Ok(found)
}

/// Go folds case over Unicode: besides the letters' own cases, `ſ` is an `s`.
fn folds_to(key: &str, name: &str) -> bool {
    let fold = |character: char| match character {
        'ſ' => 's',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars())
}

fn under_key(document: Json, key: &str) -> Result<Json, ShapeError> {
    let Json::Object(fields) = document else {
        return Err(ShapeError::Schema(format!(
            "it is {}, not an object with the key {key:?}",
            document.kind()
        )));
    };
    let found = described(&fields);
    let (_, value) = fields
        .into_iter()
        .rev()
        .find(|(name, _)| name == key)
        .ok_or_else(|| ShapeError::NoKey {
            key: key.to_owned(),
            found,
        })?;
    match value {
        Json::Text(text) => serde_json::from_str(&text).map_err(|error| schema(text.as_bytes(), &error)),
        other => Ok(other),
    }
}

/// Names and types of the fields. Names are not content, but somebody may have put a password there: only those that
/// look like names are told.
fn described(fields: &[(String, Json)]) -> String {
    if fields.is_empty() {
        return "no fields".to_owned();
    }
    let mut shapes = BTreeMap::new();
    for (key, value) in fields {
        shapes.insert(key.as_str(), value.shape());
    }
    let told: Vec<String> = shapes
        .iter()
        .take(10)
        .map(|(key, shape)| {
            format!(
                "{}: {shape}",
                if is_telling(key) { key } else { "(unusual name)" }
            )
        })
        .collect();
    let more = shapes.len().saturating_sub(told.len());
    match more {
        0 => told.join(", "),
        more => format!("{}, and {more} more", told.join(", ")),
    }
}

/// Letters and separators: what a name looks like, and a password seldom.
fn is_telling(key: &str) -> bool {
    (1..=40).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b' '))
}

/// What is not JSON, by its looks.
fn schema(value: &[u8], error: &serde_json::Error) -> ShapeError {
    let text = String::from_utf8_lossy(value);
    let trimmed = text.trim_start();
    let looks = if std::str::from_utf8(value).is_err() {
        "it is binary, not text"
    } else if trimmed.starts_with('\u{feff}') {
        "it starts with a byte order mark"
    } else if trimmed.starts_with("{'") || trimmed.starts_with("{ '") {
        "it is in single quotes, JSON has double quotes"
    } else if trimmed.starts_with('{') {
        "it starts as an object, but is not JSON"
    } else {
        "it is plain text, not JSON"
    };
    ShapeError::Schema(format!(
        "{looks} (line {}, column {})",
        error.line(),
        error.column()
    ))
}

/// JSON whose texts are erased when dropped, with repeated keys kept in order.
enum Json {
    Null,
    Bool,
    Number,
    Text(Zeroizing<String>),
    Array,
    Object(Vec<(String, Json)>),
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text(_) => "a string",
            Self::Array => "an array",
            Self::Object(_) => "an object",
        }
    }

    fn shape(&self) -> &'static str {
        match self {
            Self::Text(text) if text.is_empty() => "an empty string",
            other => other.kind(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VECTORS: &str = include_str!("../../tests/vectors/secret-value.jsonl");

    #[test]
    fn every_vector_is_read_as_by_the_agent() {
        let rows: Vec<serde_json::Value> = VECTORS
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 35);
        for row in &rows {
            let input = row["input"].as_str().unwrap();
            match (parse(input.as_bytes(), None), row["error"].as_str()) {
                (Ok(credential), None) => {
                    assert_eq!(
                        credential.username.as_deref(),
                        row["username"].as_str(),
                        "{input:?}"
                    );
                    let secret = credential.secrets().next().unwrap();
                    assert_eq!(
                        Some(secret.expose().as_str()),
                        row["password"].as_str(),
                        "{input:?}"
                    );
                }
                (Err(error), Some(agent)) => {
                    // "asm fetching username: AuthorizationData is malformed, empty field": the field, then what.
                    let (fetching, what) = agent.split_once(": ").unwrap();
                    let error = error.to_string();
                    assert!(
                        error.starts_with(what),
                        "{input:?}: {error:?}, the agent has {agent:?}"
                    );
                    if let field @ ("username" | "password") = fetching.trim_start_matches("asm fetching ") {
                        assert!(
                            error.contains(&format!("empty field: {field}")),
                            "{input:?}: {error}"
                        );
                    }
                }
                (answer, agent) => panic!("{input:?}: {answer:?}, the agent has {agent:?}"),
            }
        }
    }

    #[test]
    fn wrong_shapes_are_told_by_shape() {
        for (value, expected) in [
            (
                r#"{"user_name":"hunter2","password":"","s3cr3t-hunter2":1}"#,
                "AuthorizationData is malformed, empty field: username (it has password: an empty string, \
                 (unusual name): a number, user_name: a string)",
            ),
            (
                "{}",
                "AuthorizationData is malformed, empty field: username (it has no fields)",
            ),
            (
                "hunter2",
                "unable to unmarshal secret value, invalid schema: it is plain text, not JSON (line 1, column 1)",
            ),
            (
                "{'username':'hunter2'}",
                "unable to unmarshal secret value, invalid schema: it is in single quotes, JSON has double quotes \
                 (line 1, column 2)",
            ),
            (
                "[\"hunter2\"]",
                "unable to unmarshal secret value, invalid schema: it is an array, not an object",
            ),
            (
                r#"{"username":"alice","password":["hunter2"]}"#,
                "unable to unmarshal secret value, invalid schema: field \"password\" is an array, not a string",
            ),
        ] {
            assert_eq!(parse(value.as_bytes(), None).unwrap_err().to_string(), expected);
        }
        let binary = parse(b"\xff\xfehunter2", None).unwrap_err().to_string();
        assert!(binary.contains("it is binary"), "{binary}");
    }

    #[test]
    fn a_key_leads_to_an_object_or_to_its_text() {
        for value in [
            r#"{"login":{"username":"alice","password":"p"}}"#,
            r#"{"login":"{\"username\":\"alice\",\"password\":\"p\"}"}"#,
        ] {
            let credential = parse(value.as_bytes(), Some("login")).unwrap();
            assert_eq!(credential.username.as_deref(), Some("alice"), "{value}");
        }
        let missing = parse(br#"{"username":"hunter2"}"#, Some("login")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "it has no key \"login\" (it has username: a string)"
        );
        let other = parse(br#"{"login":7}"#, Some("login")).unwrap_err();
        assert!(other.to_string().contains("it is a number"), "{other}");
    }

    #[test]
    fn dockers_mark_makes_an_identity_token() {
        let credential = parse(br#"{"username":"<token>","password":"t"}"#, None).unwrap();
        assert!(credential.identity_token.is_some() && credential.password.is_none());
        assert_eq!(credential.username.as_deref(), Some("<token>"));
    }

    #[test]
    fn keys_fold_case_as_in_go() {
        let credential = parse(
            "{\"u\u{17f}ername\":\"alice\",\"pa\u{17f}\u{17f}word\":\"p\"}".as_bytes(),
            None,
        )
        .unwrap();
        assert_eq!(credential.username.as_deref(), Some("alice"));
    }

    proptest! {
        #[test]
        fn no_value_panics_or_is_told(value in "[a-z{}\\[\\]\":, ]{0,60}") {
            if let Err(error) = parse(format!("{value}hunter2").as_bytes(), None) {
                prop_assert!(!error.to_string().contains("hunter2"));
            }
        }
    }
}
