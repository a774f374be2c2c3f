//! The names that Docker's command line has for registries.

use std::sync::Arc;

use ecs_registry_auth::{ImageReference, Registry};

use crate::engine_auth::key::RegistryKey;

/// Docker Hub, in `auths` and for helpers.
pub(crate) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What Docker asks helpers for when it pulls this image.
pub(super) fn of_image(image: &ImageReference) -> &str {
    of_host(image.registry(), image.domain())
}

/// What Docker asks helpers for after `docker login HOST`.
pub(super) fn of_host<'a>(registry: &Registry, host: &'a str) -> &'a str {
    if registry.is_docker_hub() {
        DOCKER_HUB
    } else {
        host
    }
}

/// Reads a key of `auths` or `credHelpers`.
///
/// A URL names its host as a whole, whatever its path: that is how Docker reads the keys of its old versions. A bare
/// key with a path is one of `containers-auth.json` and names that path. Docker Hub has its own spellings.
///
/// Rules: `ConvertToHostname` in <https://github.com/docker/cli/blob/master/cli/config/credentials/file_store.go>,
/// <https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>.
pub(crate) fn key(written: &str) -> RegistryKey {
    let mut key = RegistryKey::parse(written);
    let written = Arc::clone(&key.written);
    if let Some(host) = url_host(&written)
        && !key.registry.is_docker_hub()
    {
        // The host itself as a key goes before its URLs, as in Docker, and `http://` goes last.
        key = RegistryKey::parse(&format!("http://{host}"));
        key.written = written;
    }
    key
}

/// Whether it is one of the entries in which Docker keeps the tokens of its own login to Docker Hub.
pub(super) fn is_docker_login_token(written: &str) -> bool {
    matches!(
        written.strip_prefix(DOCKER_HUB),
        Some("access-token" | "refresh-token")
    )
}

/// Host and port of a key, without scheme and path.
pub(crate) fn host(written: &str) -> &str {
    url_host(written).unwrap_or_else(|| before_slash(written))
}

fn url_host(written: &str) -> Option<&str> {
    let (_, rest) = written.split_once("://")?;
    let authority = before_slash(rest);
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

fn before_slash(text: &str) -> &str {
    text.split_once('/').map_or(text, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_host_and_a_bare_key_its_path() {
        for (written, registry, path) in [
            ("https://registry.example.com/v1/", "registry.example.com", ""),
            (
                "https://registry.example.com/some/path",
                "registry.example.com",
                "",
            ),
            (
                "http://registry.example.com:5000",
                "registry.example.com:5000",
                "",
            ),
            ("registry.example.com/team", "registry.example.com", "team"),
            ("registry.example.com", "registry.example.com", ""),
            ("https://index.docker.io/v1/", "docker.io", ""),
            ("docker.io/myorg", "docker.io", "myorg"),
        ] {
            let key = key(written);
            assert_eq!(&*key.written, written);
            assert_eq!((key.registry.as_str(), &*key.path), (registry, path), "{written}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_no_part_of_its_key() {
        let key = key("https://alice:hunter2@registry.example.com/v1/");
        assert_eq!(&*key.written, "https://[redacted]@registry.example.com/v1/");
        assert_eq!((key.registry.as_str(), &*key.path), ("registry.example.com", ""));
        assert_eq!(host(&key.written), "registry.example.com");
    }

    #[test]
    fn the_host_itself_goes_before_its_urls() {
        let mut keys = [
            "https://z.example.com",
            "http://z.example.com/v1/",
            "z.example.com",
        ]
        .map(key);
        keys.sort_by(RegistryKey::precedence);
        assert_eq!(&*keys[0].written, "z.example.com");
    }

    #[test]
    fn helpers_are_asked_by_dockers_own_names() {
        for (image, server) in [
            ("nginx", "https://index.docker.io/v1/"),
            ("index.docker.io/library/nginx", "https://index.docker.io/v1/"),
            ("ghcr.io/team/app", "ghcr.io"),
            ("registry.example.com:5000/app", "registry.example.com:5000"),
            ("registry.example.com:443/app", "registry.example.com:443"),
        ] {
            assert_eq!(of_image(&image.parse().unwrap()), server, "{image}");
        }
    }

    #[test]
    fn dockers_login_tokens_are_no_registry() {
        assert!(is_docker_login_token("https://index.docker.io/v1/refresh-token"));
        assert!(!is_docker_login_token("https://index.docker.io/v1/"));
    }
}
