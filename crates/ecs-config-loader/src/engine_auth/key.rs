//! The key of an entry: which registry, and which part of it.

use std::borrow::Cow;
use std::sync::Arc;

use ecs_registry_auth::{ImageReference, Registry, without_user_info};

/// A key such as `https://index.docker.io/v1/`, `ghcr.io` or `registry.example.com/team`.
#[derive(Clone, Debug)]
pub(crate) struct RegistryKey {
    /// As it was written, without user info: see [`shown`].
    pub(crate) written: Arc<str>,
    pub(crate) registry: Registry,
    /// Path within the registry without slashes at its ends; empty for the whole registry.
    pub(crate) path: Box<str>,
    /// The host as it was written.
    host: Box<str>,
    rank: Rank,
}

/// Which of several keys for one registry and path goes first: the smallest.
///
/// The agent's own Docker Hub key, then spellings without `/v1/` or `/v2/`, then `https://`, bare, `http://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    not_the_agents_own: bool,
    api_suffix: bool,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    Https,
    Bare,
    Http,
}

impl RegistryKey {
    /// Reads a key. It always succeeds: see [`never_matches`](Self::never_matches).
    pub(crate) fn parse(written: &str) -> Self {
        let written = shown(written);
        let (scheme, rest) = split_scheme(&written);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, api_suffix) = without_api_version(path);
        let registry = Registry::from_host(host);
        Self {
            rank: Rank {
                not_the_agents_own: rest != "index.docker.io/v1/",
                api_suffix,
                scheme,
            },
            registry,
            path: path.into(),
            host: host.into(),
            written: written.as_ref().into(),
        }
    }

    /// Orders keys for one registry and path, the one that goes first before the others.
    pub(crate) fn precedence(&self, other: &Self) -> std::cmp::Ordering {
        self.rank
            .cmp(&other.rank)
            .then_with(|| self.written.cmp(&other.written))
    }

    /// Whether the path names the repository or a namespace that it is in. Whole segments count, not letters.
    pub(crate) fn covers(&self, repository: &str) -> bool {
        self.path.is_empty()
            || repository
                .strip_prefix(&*self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What was forgiven in the spelling, for an explanation.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        if !self.path.is_empty() {
            None
        } else if !self.registry.is_docker_hub() {
            self.rank
                .api_suffix
                .then_some("the API version at its end is ignored")
        } else if !self.rank.not_the_agents_own {
            None
        } else if self.rank.api_suffix {
            Some("another spelling of index.docker.io/v1/ is accepted as an alias")
        } else {
            Some("Docker Hub key without /v1/ accepted as an alias")
        }
    }

    /// Why no image can ever match this key, if so.
    pub(crate) fn never_matches(&self) -> Option<String> {
        if self.host.is_empty() {
            return Some("it names no registry".to_owned());
        }
        let repository = if self.path.is_empty() { "x" } else { &self.path };
        match ImageReference::parse(&format!("{}/{repository}", self.host)) {
            Err(_) if ImageReference::parse(&format!("{}/x", self.host)).is_err() => {
                Some(format!("{:?} is not the host of a registry", self.host))
            }
            Err(_) => Some(format!("{:?} is not the path of a repository", self.path)),
            Ok(image) if image.registry() != &self.registry => Some(format!(
                "{:?} has neither a dot nor a port, so images that start with it are on Docker Hub",
                self.host
            )),
            Ok(image) if image.tag().is_some() || image.digest().is_some() => {
                Some("it has a tag or a digest, and keys are compared without them".to_owned())
            }
            Ok(_) => None,
        }
    }
}

/// A key without what stands in front of its host as in a URL, which may be a password: it has no meaning in a key, and
/// keys are in messages.
pub(crate) fn shown(written: &str) -> Cow<'_, str> {
    let (scheme, rest) = match written.find("://") {
        Some(colon) => written.split_at(colon + 3),
        None => ("", written),
    };
    let Some((_, behind)) = rest.rsplit_once('@') else {
        return Cow::Borrowed(written);
    };
    // A host whose path has an `@` is left as it is. What is no host may be the first part of a password with a slash.
    let (first, _) = rest.split_once('/').unwrap_or((rest, ""));
    if !first.contains('@') && ImageReference::parse(&format!("{first}/x")).is_ok() {
        return Cow::Borrowed(written);
    }
    let clean = without_user_info(rest).unwrap_or_else(|| format!("[redacted]@{behind}"));
    Cow::Owned(format!("{scheme}{clean}"))
}

fn split_scheme(written: &str) -> (Scheme, &str) {
    for (prefix, scheme) in [("https://", Scheme::Https), ("http://", Scheme::Http)] {
        if let (Some(start), Some(rest)) = (written.get(..prefix.len()), written.get(prefix.len()..))
            && start.eq_ignore_ascii_case(prefix)
        {
            return (scheme, rest);
        }
    }
    (Scheme::Bare, written)
}

/// The path without slashes at its ends and without `/v1/` or `/v2/` behind it; whether one of those was there.
///
/// Without its closing slash it is the API's version only right behind the host: elsewhere it may be a namespace.
fn without_api_version(path: &str) -> (&str, bool) {
    let closed = path.ends_with('/');
    let path = path.trim_matches('/');
    for version in ["v1", "v2"] {
        if path == version {
            return ("", true);
        }
        if closed && let Some(before) = path.strip_suffix(version).and_then(|path| path.strip_suffix('/')) {
            return (before.trim_end_matches('/'), true);
        }
    }
    (path, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_registry_is_one() {
        for (written, registry, path) in [
            ("docker.io", "docker.io", ""),
            ("https://index.docker.io/v1/", "docker.io", ""),
            ("registry-1.docker.io/v2", "docker.io", ""),
            ("docker.io/myorg/", "docker.io", "myorg"),
            ("HTTPS://GHCR.io:443/", "ghcr.io", ""),
            ("ghcr.io/team/v1/", "ghcr.io", "team"),
            ("ghcr.io/team/v1", "ghcr.io", "team/v1"),
            ("http://[::1]:5000/v2/", "[::1]:5000", ""),
            ("localhost:5000/team/app", "localhost:5000", "team/app"),
            ("", "", ""),
        ] {
            let key = RegistryKey::parse(written);
            assert_eq!((key.registry.as_str(), &*key.path), (registry, path), "{written}");
        }
    }

    #[test]
    fn the_agents_own_key_goes_first_then_plain_spellings_then_https() {
        let order = [
            "https://index.docker.io/v1/",
            "index.docker.io/v1/",
            "http://index.docker.io/v1/",
            "https://docker.io",
            "docker.io",
            "index.docker.io",
            "http://docker.io",
            "https://index.docker.io/v1",
            "registry-1.docker.io/v2/",
        ];
        let mut keys: Vec<RegistryKey> = order.iter().rev().map(|key| RegistryKey::parse(key)).collect();
        keys.sort_by(RegistryKey::precedence);
        let sorted: Vec<&str> = keys.iter().map(|key| &*key.written).collect();
        assert_eq!(sorted, order);
    }

    #[test]
    fn paths_match_on_whole_segments() {
        for (key, repository, expected) in [
            ("r.example.com/team", "team/app", true),
            ("r.example.com/team", "team", true),
            ("r.example.com/team", "teamwork/app", false),
            ("r.example.com/team/app", "team", false),
            ("r.example.com", "anything/at/all", true),
        ] {
            assert_eq!(
                RegistryKey::parse(key).covers(repository),
                expected,
                "{key} {repository}"
            );
        }
    }

    #[test]
    fn what_may_be_a_password_is_no_part_of_a_key() {
        for (written, expected) in [
            ("https://alice:hunter2@ghcr.io", "https://[redacted]@ghcr.io"),
            ("HTTP://hunter2@ghcr.io/team", "HTTP://[redacted]@ghcr.io/team"),
            ("alice:hunter2@localhost", "[redacted]@localhost"),
            ("hunter2@localhost", "[redacted]@localhost"),
            ("https://alice:hun/ter2@ghcr.io", "https://[redacted]@ghcr.io"),
            ("https://alice:hun ter2@ghcr.io", "https://[redacted]@ghcr.io"),
            ("ssh://alice:hun@ter2@ghcr.io/x", "ssh://[redacted]@ghcr.io/x"),
            ("ghcr.io/team@1.0", "ghcr.io/team@1.0"),
            ("localhost:5000/team@1.0", "localhost:5000/team@1.0"),
            ("[::1]:5000/app@sha256:0123", "[::1]:5000/app@sha256:0123"),
            ("https://ghcr.io", "https://ghcr.io"),
        ] {
            let key = RegistryKey::parse(written);
            assert_eq!(&*key.written, expected, "{written}");
            assert_eq!(shown(expected), expected);
            assert!(
                !format!("{key:?} {:?}", key.never_matches()).contains("ter2"),
                "{key:?}"
            );
        }
    }

    #[test]
    fn keys_that_match_no_image_are_found() {
        for (key, expected) in [
            ("", "it names no registry"),
            ("https://", "it names no registry"),
            ("ghcr", "\"ghcr\" has neither a dot nor a port"),
            (
                "user@ghcr.io",
                "\"[redacted]@ghcr.io\" is not the host of a registry",
            ),
            ("ghcr.io/Team", "\"Team\" is not the path of a repository"),
            ("ghcr.io/team/app:v1", "it has a tag or a digest"),
        ] {
            let reason = RegistryKey::parse(key).never_matches().unwrap();
            assert!(reason.starts_with(expected), "{key}: {reason}");
        }
        for key in [
            "ghcr.io",
            "localhost",
            "[::1]:5000/team",
            "REG.Example.com",
            "index.docker.io/v1/",
        ] {
            assert_eq!(RegistryKey::parse(key).never_matches(), None, "{key}");
        }
    }
}
