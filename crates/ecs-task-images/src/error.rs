//! What is wrong with a document, with the place and the next step.

use std::collections::HashSet;
use std::fmt;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Origin, Stage};

/// One thing about a document that somebody has to look at.
///
/// `Display` is the place, the container and what is wrong. The document's values are not shown: any of them may be
/// a secret that was pasted into the wrong field. Names of containers and fields are, and an image that cannot hold
/// a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    origin: Origin,
    container: Option<String>,
    pointer: Option<String>,
    message: String,
    next_step: String,
}

impl Problem {
    pub(crate) fn new(origin: Origin, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            origin,
            container: None,
            pointer: None,
            message: message.into(),
            next_step: next_step.into(),
        }))
    }

    pub(crate) fn with_pointer(mut self, pointer: String) -> Self {
        self.0.pointer = Some(pointer);
        self
    }

    pub(crate) fn with_container(mut self, container: Option<String>) -> Self {
        self.0.container = container;
        self
    }

    /// The document, and the line where one is known.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The container it is about.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        self.0.container.as_deref()
    }

    /// The value it is about, as a JSON pointer (RFC 6901: <https://www.rfc-editor.org/rfc/rfc6901>). The empty
    /// pointer is the document itself; `None` is a text that is not JSON.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, in the imperative.
    #[must_use]
    pub fn next_step(&self) -> &str {
        &self.0.next_step
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.0.origin)?;
        if let Some(container) = &self.0.container {
            write!(formatter, "container {container:?}: ")?;
        }
        formatter.write_str(&self.0.message)?;
        match self.pointer() {
            Some(pointer) if !pointer.is_empty() => write!(formatter, " (at {pointer})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl From<&Problem> for Diagnosis {
    fn from(problem: &Problem) -> Self {
        configuration(problem.to_string()).with_next_step(problem.next_step())
    }
}

impl From<Problem> for Diagnosis {
    fn from(problem: Problem) -> Self {
        Self::from(&problem)
    }
}

/// Everything that is wrong with a document, at once. Never empty.
///
/// `Display` is one line per [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError(Vec<Problem>);

impl TaskError {
    /// `problems` is not empty.
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// What was found, in the order of the document.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for TaskError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&joined(&self.0, "\n", Problem::to_string))
    }
}

impl std::error::Error for TaskError {}

/// All problems in one diagnosis of the class [`ErrorClass::Configuration`]; the next steps without repetition.
impl From<&TaskError> for Diagnosis {
    fn from(error: &TaskError) -> Self {
        configuration(joined(&error.0, "; ", Problem::to_string)).with_next_step(joined(
            &error.0,
            "; ",
            |problem| problem.next_step().to_owned(),
        ))
    }
}

impl From<TaskError> for Diagnosis {
    fn from(error: TaskError) -> Self {
        Self::from(&error)
    }
}

fn configuration(message: String) -> Diagnosis {
    Diagnosis::new(
        ErrorName::CannotPullContainer,
        ErrorClass::Configuration,
        // Nothing was asked of anybody yet, so the first stage.
        Stage::Credential,
        message,
    )
}

fn joined(problems: &[Problem], separator: &str, text: impl Fn(&Problem) -> String) -> String {
    let mut seen = HashSet::new();
    let texts: Vec<String> = problems
        .iter()
        .map(text)
        .filter(|text| seen.insert(text.clone()))
        .collect();
    texts.join(separator)
}
