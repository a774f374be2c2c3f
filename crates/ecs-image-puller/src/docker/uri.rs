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
/// Rule: <https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate>.
pub(super) fn create_image(image: &ImageReference, version: &str, platform: Option<&Platform>) -> String {
    let mut path = String::from("/images/create?fromImage=");
    path.extend(utf8_percent_encode(image.familiar_name(), RESERVED));
    path.push_str("&tag=");
    path.extend(utf8_percent_encode(version, RESERVED));
    if let Some(platform) = platform {
        path.push_str("&platform=");
        path.extend(utf8_percent_encode(&platform.to_string(), RESERVED));
    }
    path
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
            "/images/create?fromImage=nginx&tag=latest"
        );
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
