//! What an engine answers, as far as a pull needs it.

use ecs_registry_auth::ImageReference;
use serde::Deserialize;

use crate::Platform;

/// Version of an engine and the platform it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// Version of the engine itself, for example `27.3.1`.
    pub engine: String,
    /// Version of its API, for example `1.47`.
    pub api: String,
    /// The platform whose images it runs.
    pub platform: Option<Platform>,
}

impl EngineVersion {
    /// A version, with the API's version as `major.minor`.
    pub fn new(engine: impl Into<String>, api: impl Into<String>) -> Self {
        Self {
            engine: engine.into(),
            api: api.into(),
            platform: None,
        }
    }

    /// The same with the platform that the engine runs.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }
}

/// What a registry says about an image before anything is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distribution {
    /// Digest of the manifest or manifest list (`algorithm:hex`).
    pub digest: String,
    /// Media type of what the digest names.
    pub media_type: Option<String>,
    /// Size of what the digest names, in bytes. It is the manifest's size, not the image's.
    pub size: Option<u64>,
    /// The platforms the image is built for. Empty when the registry does not tell.
    pub platforms: Vec<Platform>,
}

impl Distribution {
    /// An answer with nothing but a digest (`algorithm:hex`).
    pub fn new(digest: impl Into<String>) -> Self {
        Self {
            digest: digest.into(),
            media_type: None,
            size: None,
            platforms: Vec::new(),
        }
    }

    /// The same with the platforms that exist.
    #[must_use]
    pub fn with_platforms(mut self, platforms: Vec<Platform>) -> Self {
        self.platforms = platforms;
        self
    }

    /// The same with media type and size (in bytes) of the manifest.
    #[must_use]
    pub fn with_manifest(mut self, media_type: impl Into<String>, size: u64) -> Self {
        self.media_type = Some(media_type.into());
        self.size = Some(size);
        self
    }

    /// Whether it is a manifest of schema version 1, whose digest cannot be pulled.
    ///
    /// Rule: <https://distribution.github.io/distribution/spec/deprecated-schema-v1/>.
    #[must_use]
    pub fn is_schema1(&self) -> bool {
        self.media_type.as_deref().is_some_and(|media_type| {
            media_type.starts_with("application/vnd.docker.distribution.manifest.v1")
        })
    }
}

/// One message of an engine's pull.
///
/// Rule: <https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate>; the fields are
/// those of Docker's `jsonmessage`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullFrame {
    /// The layer it is about (the start of its digest), or the tag.
    pub id: Option<String>,
    /// What happens: `Downloading`, `Extracting`, `Pull complete`.
    pub status: Option<String>,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes in all, where the engine knows.
    pub total: Option<u64>,
    /// The pull failed, with this reason.
    pub error: Option<String>,
}

impl PullFrame {
    /// A message about one layer.
    pub fn layer(id: impl Into<String>, status: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            status: Some(status.into()),
            ..Self::default()
        }
    }

    /// A message about the pull as a whole.
    pub fn status(status: impl Into<String>) -> Self {
        Self {
            status: Some(status.into()),
            ..Self::default()
        }
    }

    /// A failure inside the stream.
    pub fn failed(error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::default()
        }
    }

    /// The same with bytes done and bytes in all.
    #[must_use]
    pub fn with_progress(mut self, current: u64, total: u64) -> Self {
        self.current = Some(current);
        self.total = Some(total);
        self
    }

    /// Reads one JSON message.
    ///
    /// A reason stands in `errorDetail.message`, in `error`, or in both; podman and old engines send `error` alone.
    ///
    /// # Errors
    ///
    /// Those of `serde_json`, when it is not a JSON object of that shape.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        let message: Message = serde_json::from_slice(json)?;
        let progress = message.progress_detail.unwrap_or_default();
        let positive = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok());
        Ok(Self {
            id: message.id,
            status: message.status,
            current: positive(progress.current),
            total: positive(progress.total).filter(|total| *total > 0),
            error: message
                .error_detail
                .and_then(|detail| detail.message)
                .or(message.error),
        })
    }
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress_detail: Option<ProgressDetail>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<ErrorDetail>,
}

#[derive(Default, Deserialize)]
struct ProgressDetail {
    // Signed: an engine that does not know a total says -1.
    current: Option<i64>,
    total: Option<i64>,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: Option<String>,
}

/// An image that an engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageDetails {
    /// Id of the image (`sha256:…`), which is not the digest that a registry knows it by.
    pub id: String,
    /// `name@digest` for every registry it was pulled from.
    pub repo_digests: Vec<String>,
    /// Size on disk, in bytes.
    pub size: Option<u64>,
    /// The platform it was built for.
    pub platform: Option<Platform>,
}

impl ImageDetails {
    /// An image by its id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// The same with the names (`name@digest`) that registries know it by.
    #[must_use]
    pub fn with_repo_digests(mut self, repo_digests: Vec<String>) -> Self {
        self.repo_digests = repo_digests;
        self
    }

    /// The digest of this image in a repository, by the repository's name as the engine shows it.
    #[must_use]
    pub fn digest_in(&self, familiar_name: &str) -> Option<&str> {
        self.repo_digests.iter().find_map(|pinned| {
            let (name, digest) = pinned.split_once('@')?;
            // podman shows Docker Hub's host where Docker leaves it out.
            let parsed = ImageReference::parse(name).ok();
            let name = parsed.as_ref().map_or(name, ImageReference::familiar_name);
            (name == familiar_name).then_some(digest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ImageDetails;

    #[test]
    fn a_digest_is_found_under_the_names_of_both_engines() {
        for (shown, familiar, found) in [
            ("nginx@sha256:1", "nginx", true),
            ("docker.io/library/nginx@sha256:1", "nginx", true),
            ("docker.io/team/app@sha256:1", "team/app", true),
            ("docker.io/library/team/app@sha256:1", "library/team/app", true),
            ("docker.io/library/team/app@sha256:1", "team/app", false),
            ("localhost/nginx@sha256:1", "nginx", false),
        ] {
            let details = ImageDetails::new("sha256:0").with_repo_digests(vec![shown.to_owned()]);
            assert_eq!(
                details.digest_in(familiar),
                found.then_some("sha256:1"),
                "{shown} {familiar}"
            );
        }
    }
}
