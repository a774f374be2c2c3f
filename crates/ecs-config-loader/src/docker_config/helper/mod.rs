//! Docker's credential helpers: `docker-credential-NAME get`, run without a shell and within limits.
//!
//! Rule: <https://github.com/docker/docker-credential-helpers#development>.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{RegistryCredential, SECRET_VARIABLES, Secret};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::Environment;
use crate::json::{self, Kind};

mod failure;
mod process;

use failure::Failure;
pub(crate) use failure::HelperError;
use process::Output;

/// How long a helper may take before it is killed.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many helpers run at once: a task's images would start one process each.
const AT_ONCE: usize = 4;

/// What helpers print when they have nothing for a server; on standard output, as all of their messages.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// What follows `docker-credential-` in the name of a helper's executable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HelperName(Arc<str>);

impl HelperName {
    /// `None` for a name that could leave the directories of `PATH`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+');
        (!name.is_empty() && name.bytes().all(is_plain)).then(|| Self(name.into()))
    }
}

/// As the executable's name.
impl fmt::Display for HelperName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "docker-credential-{}", self.0)
    }
}

/// Runs helpers. Cloning is cheap; clones share the limit on how many run at once.
#[derive(Clone, Debug)]
pub(crate) struct HelperRunner {
    environment: Arc<Environment>,
    timeout: Duration,
    slots: Arc<Semaphore>,
}

impl HelperRunner {
    /// Helpers are found through `PATH` of `environment` and get its variables, but for those that hold registry
    /// credentials.
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            environment: Arc::new(environment),
            timeout: DEFAULT_TIMEOUT,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// The credential that a helper has for a server; `None` when it says that it has none.
    pub(crate) async fn get(
        &self,
        helper: &HelperName,
        server: &str,
    ) -> Result<Option<RegistryCredential>, HelperError> {
        let fail = |failure| HelperError::new(helper.clone(), Some(server), failure);
        let output = self.run(helper, "get", server).await.map_err(fail)?;
        if !output.status.success() {
            return match says_not_found(&output) {
                true => Ok(None),
                false => Err(fail(Failure::of(&output))),
            };
        }
        credential(&output.stdout).map_err(fail)
    }

    /// The servers that a helper has credentials for.
    pub(crate) async fn list(&self, helper: &HelperName) -> Result<Vec<String>, HelperError> {
        let fail = |failure| HelperError::new(helper.clone(), None, failure);
        // Nobody reads what is sent, but a helper may wait for it.
        let output = self.run(helper, "list", "unused").await.map_err(fail)?;
        if !output.status.success() {
            return Err(fail(Failure::of(&output)));
        }
        let raw = document(&output.stdout).map_err(fail)?;
        if json::kind(raw) == Kind::Null {
            return Ok(Vec::new());
        }
        let members = json::members(raw).ok_or_else(|| fail(Failure::NotObject(json::kind(raw))))?;
        let mut servers: Vec<String> = members.into_iter().map(|(server, _)| server).collect();
        servers.sort_unstable();
        servers.dedup();
        Ok(servers)
    }

    async fn run(&self, helper: &HelperName, action: &str, input: &str) -> Result<Output, Failure> {
        let program = self.find(helper)?;
        let _slot = self.slots.acquire().await;
        tracing::debug!(%helper, action, "asking a credential helper");
        let run = process::run(&program, action, input, self.variables());
        match tokio::time::timeout(self.timeout, run).await {
            Ok(result) => result,
            Err(_) => Err(Failure::TimedOut(self.timeout)),
        }
    }

    fn find(&self, helper: &HelperName) -> Result<PathBuf, Failure> {
        let path = self.environment.get("PATH").ok().flatten().unwrap_or_default();
        let file = format!("{helper}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(path)
            // A relative directory would be one that whoever started this process chose by standing in it.
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(&file))
            .find(|candidate| process::is_executable(candidate))
            .ok_or(Failure::Missing)
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment
            .names()
            .filter(|name| !SECRET_VARIABLES.contains(name))
            .filter_map(|name| Some((name, self.environment.get(name).ok().flatten()?)))
    }
}

fn says_not_found(output: &Output) -> bool {
    [&output.stdout, &output.stderr]
        .iter()
        .any(|text| text.trim_ascii().eq_ignore_ascii_case(NOT_FOUND.as_bytes()))
}

fn document(output: &[u8]) -> Result<&RawValue, Failure> {
    let text = std::str::from_utf8(output).map_err(|_| Failure::NotJson)?;
    // The parser's own words may quote a key, and a key of broken output may be anything.
    json::document(text).map_err(|_| Failure::NotJson)
}

/// Reads `{"ServerURL": …, "Username": …, "Secret": …}`.
fn credential(output: &[u8]) -> Result<Option<RegistryCredential>, Failure> {
    let raw = document(output)?;
    let members = json::members(raw).ok_or_else(|| Failure::NotObject(json::kind(raw)))?;
    let mut username = Zeroizing::default();
    let mut secret = Zeroizing::default();
    for (name, value) in members {
        let (field, slot) = if json::is_field(&name, "username") {
            ("Username", &mut username)
        } else if json::is_field(&name, "secret") {
            ("Secret", &mut secret)
        } else {
            continue;
        };
        match (json::string(value), json::kind(value)) {
            (Some(text), _) => *slot = text,
            (None, Kind::Null) => {}
            (None, kind) => return Err(Failure::Field { field, kind }),
        }
    }
    let secret = Secret::from(secret.as_str());
    Ok(match username.as_str() {
        "" if secret.is_empty() => None,
        "<token>" => Some(RegistryCredential::identity_token(secret)),
        username => Some(RegistryCredential::basic(username, secret)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_path() {
        for name in ["pass", "ecr-login", "osxkeychain", "my_helper.v2"] {
            assert_eq!(
                HelperName::parse(name).unwrap().to_string(),
                format!("docker-credential-{name}")
            );
        }
        for name in ["", "../evil", "a/b", "a\\b", "C:evil", "a b", "a\0", "ä", "a\n"] {
            assert_eq!(HelperName::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn an_answer_becomes_the_credential_that_it_means() {
        let read = |output: &str| {
            credential(output.as_bytes()).unwrap().map(|credential| {
                let open = |secret: Option<Secret<String>>| secret.map(|secret| secret.expose().clone());
                [
                    credential.username.clone(),
                    open(credential.password),
                    open(credential.identity_token),
                ]
            })
        };
        let text = |text: &str| Some(text.to_owned());
        for (output, expected) in [
            (
                r#"{"ServerURL": "ghcr.io", "Username": "alice", "Secret": "p:\"w"}"#,
                Some([text("alice"), text("p:\"w"), None]),
            ),
            (
                r#"{"username": "alice", "SECRET": "pw"}"#,
                Some([text("alice"), text("pw"), None]),
            ),
            (
                r#"{"Username": "<token>", "Secret": "t"}"#,
                Some([None, None, text("t")]),
            ),
            (r#"{"Username": "alice"}"#, Some([text("alice"), text(""), None])),
            (r#"{"Username": "", "Secret": ""}"#, None),
            (r#"{"Username": null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(read(output), expected, "{output}");
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_named_without_its_content() {
        for (output, expected) in [
            ("hunter2", "its output is not JSON"),
            ("", "its output is not JSON"),
            ("{\"hunter2\": x", "its output is not JSON"),
            ("\"hunter2\"", "its output is a string, not an object"),
            (
                "{\"Secret\": 5}",
                "field \"Secret\" of its output is a number, not a string",
            ),
        ] {
            assert_eq!(
                credential(output.as_bytes()).unwrap_err().to_string(),
                expected,
                "{output}"
            );
        }
        assert_eq!(
            credential(b"\xff").unwrap_err().to_string(),
            "its output is not JSON"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_output_panics(output in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100)) {
            let _ = credential(&output);
        }
    }
}
