//! The addresses of requests.

use ecs_registry_auth::ImageReference;
use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::api_version::ApiVersion;
use crate::Platform;

/// Everything but what never has a meaning of its own (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The same address with the version of the API before its path. The client below sends none, and an engine takes
/// that as whatever is newest to it.
pub(super) fn versioned(uri: &Uri, version: ApiVersion) -> Option<Uri> {
    replaced(
        uri,
        version,
        uri.path_and_query().map_or("/", PathAndQuery::as_str),
    )
}

/// The same engine with another path and query.
pub(super) fn replaced(uri: &Uri, version: ApiVersion, path_and_query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/v{version}{path_and_query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Path and query of a pull.
///
/// The name stands in full, with Docker Hub's host: an engine may take a short name as another registry's, and would
/// send that registry Docker Hub's credential (<https://docs.podman.io/en/latest/markdown/podman-pull.1.html>).
///
/// Rule: <https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate>.
pub(super) fn create_image(image: &ImageReference, version: &str, platform: Option<&Platform>) -> String {
    let mut path = String::from("/images/create?fromImage=");
    path.extend(utf8_percent_encode(image.name(), RESERVED));
    path.push_str("&tag=");
    path.extend(utf8_percent_encode(version, RESERVED));
    if let Some(platform) = platform {
        path.push_str("&platform=");
        path.extend(utf8_percent_encode(&platform.to_string(), RESERVED));
    }
    path
}

/// The whole reference, its name in full.
pub(super) fn full_reference(image: &ImageReference) -> String {
    let tag = image.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = image
        .digest()
        .map(|digest| format!("@{digest}"))
        .unwrap_or_default();
    format!("{}{tag}{digest}", image.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_names_image_version_and_platform() {
        let image = "[::1]:5000/team/app:v1".parse().unwrap();
        let platform = "linux/arm/v7".parse().unwrap();
        assert_eq!(
            create_image(&image, "sha256:ab", Some(&platform)),
            "/images/create?fromImage=%5B%3A%3A1%5D%3A5000%2Fteam%2Fapp&tag=sha256%3Aab&platform=linux%2Farm%2Fv7"
        );
        assert_eq!(
            create_image(&"nginx".parse().unwrap(), "latest", None),
            "/images/create?fromImage=docker.io%2Flibrary%2Fnginx&tag=latest"
        );
    }

    #[test]
    fn a_reference_names_docker_hub_in_full() {
        for (written, full) in [
            ("nginx", "docker.io/library/nginx"),
            (
                "team/app:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "docker.io/team/app:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            ),
            ("registry.example.com/app:v1", "registry.example.com/app:v1"),
        ] {
            assert_eq!(full_reference(&written.parse().unwrap()), full);
        }
    }

    #[test]
    fn the_version_stands_before_the_path_and_the_query_stays() {
        let version = ApiVersion::negotiate(Some("1.41"), None).unwrap();
        let uri = "http://engine.example.com:2375/images/a/tag?repo=b"
            .parse()
            .unwrap();
        assert_eq!(
            versioned(&uri, version).unwrap(),
            "http://engine.example.com:2375/v1.41/images/a/tag?repo=b"
        );
    }
}
