//! Why there is no connection to an engine.

use std::time::Duration;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};

use super::DockerHost;
use crate::engine::{EngineError, EngineErrorKind};

/// The engine did not let itself be connected to.
pub(super) fn diagnose(host: &DockerHost, error: &EngineError) -> Diagnosis {
    let message = match error.kind() {
        EngineErrorKind::Unreachable | EngineErrorKind::Interrupted => {
            format!("no connection to the engine at {host}")
        }
        EngineErrorKind::Unsupported => {
            format!("the engine at {host} does not speak this version of its API")
        }
        _ => format!("what answers at {host} is not a container engine"),
    };
    let next_step = match error.kind() {
        EngineErrorKind::Unreachable | EngineErrorKind::Interrupted => next_step(host),
        EngineErrorKind::Unsupported => {
            "use versions of engine and program that know the same API".to_owned()
        }
        _ => "check DOCKER_HOST".to_owned(),
    };
    new(message).with_cause(error.message()).with_next_step(next_step)
}

/// The engine took the connection and said nothing.
pub(super) fn silent(host: &DockerHost, limit: Duration) -> Diagnosis {
    new(format!(
        "the engine at {host} did not answer within {} s",
        limit.as_secs_f32()
    ))
    .with_next_step("check that the engine works: docker version")
}

fn new(message: String) -> Diagnosis {
    Diagnosis::new(
        ErrorName::CannotGetDockerclient,
        ErrorClass::EngineUnreachable,
        Stage::Manifest,
        message,
    )
}

fn next_step(host: &DockerHost) -> String {
    match host.socket() {
        None => "check DOCKER_HOST, and that the engine listens there".to_owned(),
        Some(socket) => match socket_state(socket) {
            Some(state) => {
                format!("check that the engine runs and that this user may use its socket ({state})")
            }
            None => "start the engine, or name its socket in DOCKER_HOST".to_owned(),
        },
    }
}

/// Owner and mode of a socket.
#[cfg(unix)]
fn socket_state(socket: &std::path::Path) -> Option<String> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let metadata = std::fs::metadata(socket).ok()?;
    if !metadata.file_type().is_socket() {
        return Some("it is not a socket".to_owned());
    }
    Some(format!(
        "owner {}, group {}, mode {:o}",
        metadata.uid(),
        metadata.gid(),
        metadata.mode() & 0o7777
    ))
}

#[cfg(not(unix))]
fn socket_state(_: &std::path::Path) -> Option<String> {
    None
}
