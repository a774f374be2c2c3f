//! An error that is not about one container.

use std::io::Write;

use ecs_pull::ExitCode;
use serde::Serialize;

use super::args::Output;

/// What made the whole command fail: one or more problems, each with its next step.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ExitCode,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            code,
            problems: Vec::new(),
        }
        .and(message, Some(next_step.into()))
    }

    /// All problems of an input at once.
    pub(crate) fn all(code: ExitCode, problems: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        problems.into_iter().fold(
            Self {
                code,
                problems: Vec::new(),
            },
            |failure, (message, next_step)| failure.and(message, next_step),
        )
    }

    fn and(mut self, message: impl Into<String>, next_step: Option<String>) -> Self {
        self.problems.push(Problem {
            message: message.into(),
            next_step,
        });
        self
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.code
    }

    /// For people on stderr; for machines also as the one document on stdout.
    pub(crate) fn report(&self, output: Output) {
        let mut stderr = std::io::stderr().lock();
        for Problem { message, next_step } in &self.problems {
            // Nothing is left to tell a reader who has closed stderr.
            let _ = writeln!(stderr, "error: {message}");
            if let Some(next_step) = next_step {
                let _ = writeln!(stderr, "  next:  {}", next_step.replace('\n', "\n         "));
            }
        }
        if output == Output::Json {
            let document = serde_json::json!({ "ok": false, "errors": self.problems });
            let _ = writeln!(std::io::stdout().lock(), "{document}");
        }
    }
}
