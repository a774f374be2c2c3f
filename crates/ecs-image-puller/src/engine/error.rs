//! How an engine fails.

use thiserror::Error;

/// What kind of failure it was, before anybody reads its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// There is no connection to the engine.
    Unreachable,
    /// The connection was lost in the middle of a request: the engine stopped or was restarted.
    Interrupted,
    /// The engine answered with this HTTP status.
    Answer(u16),
    /// The engine's answer began as a success and then told of a failure.
    Stream,
    /// The engine cannot do what was asked of it.
    Unsupported,
    /// The engine's answer cannot be read.
    Malformed,
}

/// A failure as the engine told it. Its text is the engine's own, often with the registry's inside.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EngineError {
    kind: EngineErrorKind,
    message: String,
}

impl EngineError {
    /// A failure with the text that came with it.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> EngineErrorKind {
        self.kind
    }

    /// The HTTP status of the engine's answer, if that is what failed.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            EngineErrorKind::Answer(status) => Some(status),
            _ => None,
        }
    }

    /// The engine's text. It comes from outside and may be of any length.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}
