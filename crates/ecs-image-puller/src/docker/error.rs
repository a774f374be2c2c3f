//! From the client's errors to ours.

use bollard::errors::Error;

use crate::engine::{EngineError, EngineErrorKind};

/// Translates an error of the client. What it says about requests holds no header and no body.
pub(super) fn translate(error: Error) -> EngineError {
    use EngineErrorKind as Kind;
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            EngineError::new(Kind::Answer(status_code), message.trim().to_owned())
        }
        Error::DockerStreamError { error } => EngineError::new(Kind::Stream, error),
        Error::SocketNotFoundError(path) => {
            EngineError::new(Kind::Unreachable, format!("{path}: no such socket"))
        }
        Error::HyperLegacyError { ref err } if err.is_connect() => {
            EngineError::new(Kind::Unreachable, deepest(err))
        }
        Error::HyperLegacyError { ref err } => EngineError::new(Kind::Interrupted, deepest(err)),
        Error::HyperResponseError { ref err } => EngineError::new(Kind::Interrupted, deepest(err)),
        Error::IOError { ref err } => EngineError::new(Kind::Interrupted, deepest(err)),
        Error::RequestTimeoutError => EngineError::new(Kind::Interrupted, "no answer in time"),
        Error::JsonDataError { message, .. } => EngineError::new(Kind::Malformed, position(&message)),
        Error::JsonSerdeError { ref err } => EngineError::new(
            Kind::Malformed,
            format!("not JSON at line {}, column {}", err.line(), err.column()),
        ),
        other => EngineError::new(Kind::Malformed, other.to_string()),
    }
}

/// The innermost error says what the operating system said; those around it only that there was an error.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Where the JSON was wrong, without the value that was wrong.
fn position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(at) => format!("not the expected JSON{}", &message[at..]),
        None => "not the expected JSON".to_owned(),
    }
}

/// An engine without an endpoint for the registry's manifests says so with a 404 of its own; that of a registry names
/// what is missing.
pub(super) fn unsupported_distribution(error: EngineError) -> EngineError {
    let own = ["page not found", "404 page not found", "not found", ""];
    let text = error.message().to_ascii_lowercase();
    match error.status() {
        // The whole text: the engine quotes the page of a web server that is no registry.
        Some(404 | 405 | 501) if own.contains(&text.trim()) => {
            EngineError::new(EngineErrorKind::Unsupported, error.message())
        }
        _ => error,
    }
}
