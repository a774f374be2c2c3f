//! Why a helper gave no answer, without a word of what it printed.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Origin, Stage};
use thiserror::Error;

use super::HelperName;
use super::process::{OUTPUT_LIMIT, Output};
use crate::engine_auth::key::shown;
use crate::json::Kind;

/// A helper that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelperError {
    helper: HelperName,
    /// The server that it was asked for; `None` when it was asked for its list.
    server: Option<Arc<str>>,
    failure: Failure,
}

/// What went wrong.
///
/// What a helper prints may be a credential, on either stream. It is compared with [`KNOWN`] and never shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    #[error("no such executable in the directories of PATH")]
    Missing,
    #[error("it cannot be started: {0}")]
    Start(String),
    #[error("its input or output broke: {0}")]
    Pipe(String),
    #[error("it did not answer within {0:?} and was ended")]
    TimedOut(Duration),
    #[error("it printed more than {limit} KiB and was ended", limit = OUTPUT_LIMIT / 1024)]
    TooMuchOutput,
    #[error("it ended with {status}{}", known.map(|known| format!(": {}", known.meaning)).unwrap_or_default())]
    Ended {
        status: String,
        known: Option<&'static Known>,
    },
    #[error("its output is not JSON")]
    NotJson,
    #[error("its output is {0}, not an object")]
    NotObject(Kind),
    #[error("field {field:?} of its output is {kind}, not a string")]
    Field { field: &'static str, kind: Kind },
}

/// A text that helpers are known to print, and what it means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    text: &'static str,
    meaning: &'static str,
    next_step: &'static str,
}

/// Seen with the helpers of docker-credential-helpers and of Amazon ECR. The first that is found counts.
static KNOWN: [Known; 7] = [
    Known {
        text: "pass store is uninitialized",
        meaning: "its password store is not initialised",
        next_step: "run `pass init` as the user whose configuration this is",
    },
    Known {
        text: "pass not initialized",
        meaning: "its password store is not initialised",
        next_step: "run `pass init` as the user whose configuration this is",
    },
    Known {
        text: "gpg: decryption failed",
        meaning: "gpg could not decrypt the entry",
        next_step: "unlock the key for gpg, or use a helper that needs no passphrase",
    },
    Known {
        text: "Cannot autolaunch D-Bus",
        meaning: "there is no D-Bus session, and so no secret service",
        next_step: "run it within the user's session, or use a helper that needs none",
    },
    Known {
        text: "NoCredentialProviders",
        meaning: "it found no AWS credentials",
        next_step: "give the helper AWS credentials through its environment or profile",
    },
    Known {
        text: "no credentials server URL",
        meaning: "the entry that it keeps has no server",
        next_step: "run `docker login` for this registry again",
    },
    Known {
        text: "no credentials username",
        meaning: "the entry that it keeps has no user name",
        next_step: "run `docker login` for this registry again",
    },
];

impl Failure {
    pub(super) fn start(error: &io::Error) -> Self {
        Self::Start(error.to_string())
    }

    pub(super) fn pipe(error: &io::Error) -> Self {
        Self::Pipe(error.to_string())
    }

    /// Of a helper that ended with another status than 0.
    pub(super) fn of(output: &Output) -> Self {
        let says = |known: &&Known| {
            [&output.stdout, &output.stderr].iter().any(|printed| {
                printed
                    .windows(known.text.len())
                    .any(|part| part == known.text.as_bytes())
            })
        };
        Self::Ended {
            status: output.status.to_string(),
            known: KNOWN.iter().find(says),
        }
    }
}

impl HelperError {
    pub(super) fn new(helper: HelperName, server: Option<&str>, failure: Failure) -> Self {
        Self {
            helper,
            server: server.map(|server| shown(server).into()),
            failure,
        }
    }

    /// What to do about it.
    pub(crate) fn next_step(&self) -> String {
        match &self.failure {
            Failure::Missing => format!(
                "install {} into a directory of PATH, or remove it from Docker's configuration",
                self.helper
            ),
            Failure::Start(_) => format!("make {} executable by this user", self.helper),
            Failure::Ended {
                known: Some(known), ..
            } => known.next_step.to_owned(),
            Failure::Pipe(_)
            | Failure::TimedOut(_)
            | Failure::TooMuchOutput
            | Failure::Ended { known: None, .. }
            | Failure::NotJson
            | Failure::NotObject(_)
            | Failure::Field { .. } => match &self.server {
                Some(server) => format!(
                    "run `echo {server} | {} get` to see what it says, which is not shown here because it may \
                     hold a credential",
                    self.helper
                ),
                None => format!("run `{} list` to see what it says", self.helper),
            },
        }
    }

    /// Whether the helper would fail in the same way for every server.
    pub(crate) fn concerns_all_servers(&self) -> bool {
        matches!(
            self.failure,
            Failure::Missing | Failure::Start(_) | Failure::TimedOut(_)
        )
    }

    /// For whoever needs the credential. `origin` is where the helper was named.
    pub(crate) fn diagnosis(&self, origin: &Origin) -> Diagnosis {
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Credential,
            Stage::Credential,
            format!("{origin}: {self}"),
        )
        .with_next_step(self.next_step())
        .with_retriable(matches!(self.failure, Failure::TimedOut(_)))
    }
}

impl fmt::Display for HelperError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(
                formatter,
                "{} has no answer for {server:?}: {}",
                self.helper, self.failure
            ),
            None => write!(formatter, "{} has no list: {}", self.helper, self.failure),
        }
    }
}
