//! Where an engine is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bollard::Docker;
use thiserror::Error;

use crate::engine::{EngineError, EngineErrorKind};

/// The address of an engine, as `DOCKER_HOST` and `docker --host` take it.
///
/// | written | means |
/// |---|---|
/// | (nothing) | `unix:///var/run/docker.sock` |
/// | `unix:///run/user/1000/podman/podman.sock` | a socket |
/// | `tcp://engine.example.com:2375`, `http://…` | TCP without encryption; the port may be left out |
///
/// Rule: <https://docs.docker.com/reference/cli/docker/#host>.
///
/// ```
/// use ecs_image_puller::DockerHost;
///
/// assert_eq!(DockerHost::default().to_string(), "unix:///var/run/docker.sock");
/// assert_eq!(DockerHost::parse("tcp://engine.example.com")?.to_string(), "tcp://engine.example.com:2375");
/// assert!(DockerHost::parse("engine").is_err());
/// # Ok::<(), ecs_image_puller::DockerHostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerHost(Address);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl Default for DockerHost {
    fn default() -> Self {
        Self(Address::Unix(PathBuf::from("/var/run/docker.sock")))
    }
}

impl DockerHost {
    /// Parses an address. Nothing is looked up and nobody is called.
    ///
    /// # Errors
    ///
    /// [`DockerHostError`] for anything that is not such an address, or is one that is not supported.
    pub fn parse(written: &str) -> Result<Self, DockerHostError> {
        let written = written.trim();
        if written.is_empty() {
            return Ok(Self::default());
        }
        let (scheme, rest) = written.split_once("://").ok_or_else(|| {
            DockerHostError::new(written, "it has no scheme: write unix://PATH or tcp://HOST:PORT")
        })?;
        match scheme {
            "unix" if rest.is_empty() => Ok(Self::default()),
            "unix" if rest.starts_with('/') => Ok(Self(Address::Unix(PathBuf::from(rest)))),
            "unix" => Err(DockerHostError::new(
                written,
                "the path of a socket begins with /",
            )),
            "tcp" | "http" => authority(rest, "2375")
                .map(|authority| Self(Address::Tcp(authority)))
                .map_err(|reason| DockerHostError::new(written, reason)),
            "npipe" => Err(DockerHostError::new(written, "named pipes exist on Windows only")),
            "fd" => Err(DockerHostError::new(
                written,
                "fd:// is for the engine itself: write unix://PATH",
            )),
            _ => Err(DockerHostError::new(
                written,
                "its scheme is none of unix, tcp, http, https, ssh",
            )),
        }
    }

    /// Path of the socket, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match &self.0 {
            Address::Unix(path) => Some(path),
            Address::Tcp(_) => None,
        }
    }

    pub(super) fn client(&self) -> Result<Docker, EngineError> {
        // Limits of time are the puller's; this one would only cut them short.
        const NO_LIMIT: u64 = u32::MAX as u64;
        let client = match &self.0 {
            Address::Unix(path) => match path.to_str() {
                Some(path) => Docker::connect_with_unix(path, NO_LIMIT, bollard::API_DEFAULT_VERSION),
                None => {
                    return Err(EngineError::new(
                        EngineErrorKind::Unreachable,
                        "the path of the socket is not UTF-8",
                    ));
                }
            },
            Address::Tcp(authority) => {
                Docker::connect_with_http(authority, NO_LIMIT, bollard::API_DEFAULT_VERSION)
            }
        };
        client.map_err(super::error::translate)
    }
}

/// Host and port without path.
fn authority(rest: &str, port: &str) -> Result<String, &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("a path after the port is not supported");
    }
    if authority.contains('@') {
        return Err("a user name belongs to ssh:// only");
    }
    // The port is what follows the last colon outside the brackets of an IPv6 address.
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[host_end..].rsplit_once(':') {
        Some((host, written)) if written.parse::<u16>().is_ok() => {
            let host_len = host_end + host.len();
            let host = if host_len == 0 {
                "127.0.0.1"
            } else {
                &authority[..host_len]
            };
            Ok(format!("{host}:{written}"))
        }
        Some(_) => Err("its port is not a number up to 65535"),
        None if authority.is_empty() => Ok(format!("127.0.0.1:{port}")),
        None => Ok(format!("{authority}:{port}")),
    }
}

impl fmt::Display for DockerHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Address::Tcp(authority) => write!(formatter, "tcp://{authority}"),
        }
    }
}

impl FromStr for DockerHost {
    type Err = DockerHostError;

    fn from_str(written: &str) -> Result<Self, DockerHostError> {
        Self::parse(written)
    }
}

/// A text that is not the address of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("engine address {written:?}: {reason}")]
pub struct DockerHostError {
    written: String,
    reason: &'static str,
}

impl DockerHostError {
    fn new(written: &str, reason: &'static str) -> Self {
        Self {
            // A user name or password has no business there, but people write them.
            written: ecs_registry_auth::Redactor::new()
                .redact(&written.chars().take(200).collect::<String>())
                .into_owned(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DockerHost;

    #[test]
    fn addresses_are_read_as_the_docker_command_reads_them() {
        for (written, expected) in [
            ("", "unix:///var/run/docker.sock"),
            ("  ", "unix:///var/run/docker.sock"),
            ("unix://", "unix:///var/run/docker.sock"),
            ("unix:///tmp/d.sock", "unix:///tmp/d.sock"),
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://engine.example.com", "tcp://engine.example.com:2375"),
            ("tcp://:2375", "tcp://127.0.0.1:2375"),
            ("tcp://", "tcp://127.0.0.1:2375"),
            ("tcp://[::1]:2375/", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
            ("http://engine.example.com:80", "tcp://engine.example.com:80"),
        ] {
            assert_eq!(
                DockerHost::parse(written).unwrap().to_string(),
                expected,
                "{written:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (written, reason) in [
            ("/var/run/docker.sock", "no scheme"),
            ("unix://run/docker.sock", "begins with /"),
            ("fd://", "for the engine itself"),
            ("npipe:////./pipe/docker_engine", "Windows"),
            ("tcp://h:99999", "port"),
            ("tcp://h:1/path", "path"),
            ("ftp://h", "none of"),
        ] {
            let error = DockerHost::parse(written).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let error = DockerHost::parse("tcp://alice:secret@h:1")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
