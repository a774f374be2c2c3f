//! Where an engine is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bollard::Docker;
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use thiserror::Error;

use super::ssh::SshTarget;
use super::tls::TlsOptions;
use crate::engine::{EngineError, EngineErrorKind};

/// What the docker command fills in.
const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// The address of an engine, as `DOCKER_HOST` and `docker --host` take it.
///
/// | written | means |
/// |---|---|
/// | (nothing) | `unix:///var/run/docker.sock` |
/// | `unix:///run/user/1000/podman/podman.sock` | a socket |
/// | `tcp://engine.example.com:2375`, `http://…` | TCP without encryption; the port may be left out |
/// | `https://engine.example.com:2376`, or `tcp://…` and [`with_tls`](Self::with_tls) | TLS |
/// | `ssh://user@engine.example.com:22` | `docker system dial-stdio` on that machine, through the `ssh` command |
///
/// [`HostChoice`](crate::HostChoice) weighs addresses, contexts and variables against each other.
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
    /// Host, and the port where one was written.
    Tcp(String, Option<u16>),
    Tls(String, Option<u16>, TlsOptions),
    Ssh(SshTarget),
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
            "tcp" | "http" => authority(rest)
                .map(|(host, port)| Self(Address::Tcp(host, port)))
                .map_err(|reason| DockerHostError::new(written, reason)),
            "https" => authority(rest)
                .map(|(host, port)| Self(Address::Tls(host, port, TlsOptions::new())))
                .map_err(|reason| DockerHostError::new(written, reason)),
            "ssh" => SshTarget::parse(rest)
                .map(|target| Self(Address::Ssh(target)))
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

    /// The same behind TLS, where it is an address of TCP; a socket and SSH stay as they are, as with the docker
    /// command. A port that was left out is 2376 then.
    #[must_use]
    pub fn with_tls(self, options: TlsOptions) -> Self {
        match self.0 {
            Address::Tcp(host, port) | Address::Tls(host, port, _) => Self(Address::Tls(host, port, options)),
            other => Self(other),
        }
    }

    /// Path of the socket, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match &self.0 {
            Address::Unix(path) => Some(path),
            Address::Tcp(..) | Address::Tls(..) | Address::Ssh(_) => None,
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
            Address::Tcp(host, port) => {
                let authority = format!("{host}:{}", port.unwrap_or(PLAIN_PORT));
                Docker::connect_with_http(&authority, NO_LIMIT, bollard::API_DEFAULT_VERSION)
            }
            Address::Tls(host, port, options) => {
                return options.client(&format!("{host}:{}", port.unwrap_or(TLS_PORT)), NO_LIMIT);
            }
            Address::Ssh(target) => return target.client(NO_LIMIT),
        };
        client.map_err(super::error::translate)
    }
}

/// Host and port without path.
fn authority(rest: &str) -> Result<(String, Option<u16>), &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("a path after the port is not supported");
    }
    if authority.contains('@') {
        return Err("a user name belongs to ssh:// only");
    }
    // The port is what follows the last colon outside the brackets of an IPv6 address.
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[host_end..].rsplit_once(':') {
        None => (authority, None),
        Some((host, port)) => {
            let port = port.parse().map_err(|_| "its port is not a number up to 65535")?;
            (&authority[..host_end + host.len()], Some(port))
        }
    };
    let valid = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    if host_end == 0 && !host.chars().all(valid) {
        return Err("its host is not a name or an address (IPv6 stands in brackets)");
    }
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Ok((host.to_owned(), port))
}

impl fmt::Display for DockerHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Address::Tcp(host, port) => write!(formatter, "tcp://{host}:{}", port.unwrap_or(PLAIN_PORT)),
            Address::Tls(host, port, _) => write!(formatter, "https://{host}:{}", port.unwrap_or(TLS_PORT)),
            Address::Ssh(target) => write!(formatter, "ssh://{target}"),
        }
    }
}

impl FromStr for DockerHost {
    type Err = DockerHostError;

    fn from_str(written: &str) -> Result<Self, DockerHostError> {
        Self::parse(written)
    }
}

/// A text that is not the address of an engine, or a context that does not lead to one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {reason}")]
pub struct DockerHostError {
    place: String,
    reason: String,
}

impl DockerHostError {
    fn new(written: &str, reason: &str) -> Self {
        // A user name or password has no business there, but people write them.
        let written: String = written.chars().take(200).collect();
        Self {
            place: format!(
                "engine address {:?}",
                ecs_registry_auth::Redactor::new().redact(&written)
            ),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn context(name: &str, reason: &str) -> Self {
        Self {
            place: format!("docker context {:?}", name.chars().take(200).collect::<String>()),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn file(path: &Path, reason: &str) -> Self {
        Self {
            place: path.display().to_string(),
            reason: reason.to_owned(),
        }
    }
}

/// As an error of the configuration.
impl From<DockerHostError> for Diagnosis {
    fn from(error: DockerHostError) -> Self {
        Self::new(
            ErrorName::CannotGetDockerclient,
            ErrorClass::Configuration,
            Stage::Manifest,
            error.to_string(),
        )
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
            ("https://engine.example.com", "https://engine.example.com:2376"),
            ("ssh://engine.example.com", "ssh://engine.example.com"),
            (
                "ssh://alice@engine.example.com:22",
                "ssh://alice@engine.example.com:22",
            ),
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
            ("tcp://::1", "IPv6"),
            ("tcp://h h", "host"),
            ("ssh://", "host"),
            ("ssh://-oProxyCommand=x", "host"),
            ("ssh://alice:secret@h", "password"),
            ("ssh://h/path", "path"),
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
