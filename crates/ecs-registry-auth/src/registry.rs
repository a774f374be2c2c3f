//! The registry that an image or a configuration key names.

use std::fmt;
use std::sync::Arc;

/// A registry, by the host (and port) that serves it, in one spelling.
///
/// * Docker Hub's spellings (`docker.io`, `index.docker.io`, `registry-1.docker.io`) are one registry, shown as
///   `docker.io`.
/// * Hosts compare without regard to case, as DNS names do
///   (RFC 4343: <https://www.rfc-editor.org/rfc/rfc4343>).
/// * `host` and `host:443` are one registry, because 443 is what the engine dials without a port.
///
/// ```
/// use ecs_registry_auth::Registry;
///
/// assert_eq!(Registry::from_host("Registry.example.com:443"), Registry::from_host("registry.example.com"));
/// assert_ne!(Registry::from_host("registry.example.com:5000"), Registry::from_host("registry.example.com"));
/// assert!(Registry::from_host("index.docker.io").is_docker_hub());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry(Arc<str>);

impl Registry {
    /// The registry behind a host with an optional port, without scheme and path. IPv6 addresses stand in brackets.
    #[must_use]
    pub fn from_host(host: &str) -> Self {
        let lower = host.to_ascii_lowercase();
        let without_port = lower.strip_suffix(":443").unwrap_or(&lower);
        match without_port {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => Self::docker_hub(),
            other => Self(other.into()),
        }
    }

    /// Docker Hub.
    #[must_use]
    pub fn docker_hub() -> Self {
        Self("docker.io".into())
    }

    /// Whether this is Docker Hub.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        &*self.0 == "docker.io"
    }

    /// Host and port in the one spelling used for comparing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn an_ipv6_host_keeps_its_last_group() {
        assert_eq!(Registry::from_host("[2001:db8::443]").as_str(), "[2001:db8::443]");
        assert_eq!(
            Registry::from_host("[2001:db8::1]:443"),
            Registry::from_host("[2001:DB8::1]")
        );
    }

    #[test]
    fn names_that_only_look_like_docker_hub_are_not() {
        for host in [
            "docker.io.example.com",
            "xdocker.io",
            "docker.io:5000",
            "hub.docker.com",
            "localhost",
        ] {
            assert!(!Registry::from_host(host).is_docker_hub(), "{host}");
        }
    }
}
