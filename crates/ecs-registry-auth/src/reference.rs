//! Image references, parsed as the Docker daemon parses them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::Registry;

mod grammar;
mod user_info;

pub use user_info::without_user_info;

/// A validated image reference: `[host[:port]/]path[:tag][@digest]`.
///
/// Agrees with the reference parser of the Docker daemon, not with the ECS agent's: a first component with an
/// upper-case letter is a host (`UPPER/app`), and an image on Docker Hub without a namespace is in `library`.
///
/// Rule: <https://github.com/distribution/reference/blob/main/reference.go>.
///
/// ```
/// use ecs_registry_auth::ImageReference;
///
/// let image: ImageReference = "nginx:1.25".parse()?;
/// assert_eq!(image.domain(), "docker.io");
/// assert_eq!(image.repository(), "library/nginx");
/// assert_eq!(image.tag(), Some("1.25"));
/// assert_eq!(image.to_string(), "nginx:1.25");
/// # Ok::<(), ecs_registry_auth::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// As it was written.
    written: Box<str>,
    /// `domain/path` without tag and digest, with Docker Hub's defaults filled in.
    name: Box<str>,
    /// Where the domain ends in `name`.
    domain_len: usize,
    tag: Option<Range<usize>>,
    digest: Option<Range<usize>>,
    registry: Registry,
}

impl ImageReference {
    /// Parses a reference.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] with the daemon's wording and the reference that was written.
    pub fn parse(written: &str) -> Result<Self, ReferenceError> {
        let parsed = grammar::parse(written).map_err(|kind| ReferenceError::new(written, kind))?;
        Ok(Self {
            registry: Registry::from_host(&parsed.domain),
            domain_len: parsed.domain.len(),
            name: format!("{}/{}", parsed.domain, parsed.path).into(),
            tag: parsed.tag,
            digest: parsed.digest,
            written: written.into(),
        })
    }

    /// The registry that the daemon will contact.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The host (and port) as the daemon spells it; `docker.io` where none was written.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.name[..self.domain_len]
    }

    /// The repository's name within its registry, for example `library/nginx`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.name[self.domain_len + 1..]
    }

    /// `domain/repository`, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag, if one was written. The daemon takes `latest` where neither tag nor digest was.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.clone().map(|range| &self.written[range])
    }

    /// The digest (`algorithm:hex`), if one was written.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.clone().map(|range| &self.written[range])
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name as the daemon shows it: Docker Hub's host left out, and `library/` where only a name follows it.
    ///
    /// Rule: <https://github.com/distribution/reference/blob/main/normalize.go>.
    #[must_use]
    pub fn familiar_name(&self) -> &str {
        match self.domain() {
            "docker.io" => self
                .repository()
                .strip_prefix("library/")
                .filter(|rest| !rest.contains('/'))
                .unwrap_or(self.repository()),
            _ => &self.name,
        }
    }

    /// The whole reference as the daemon shows it.
    #[must_use]
    pub fn familiar(&self) -> String {
        let tag = self.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self
            .digest()
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        format!("{}{tag}{digest}", self.familiar_name())
    }

    /// The name as it was written, pinned to a digest (`algorithm:hex`) instead of its tag.
    #[must_use]
    pub fn pinned_to(&self, digest: &str) -> String {
        let end = match (&self.tag, &self.digest) {
            (Some(tag), _) => tag.start - 1,
            (None, Some(digest)) => digest.start - 1,
            (None, None) => self.written.len(),
        };
        format!("{}@{digest}", &self.written[..end])
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(written: &str) -> Result<Self, ReferenceError> {
        Self::parse(written)
    }
}

impl Serialize for ImageReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

/// A text that is not an image reference. What may be a password in front of a host is left out of its message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("image {written:?}: {kind}")]
pub struct ReferenceError {
    written: String,
    kind: ReferenceErrorKind,
}

impl ReferenceError {
    fn new(written: &str, kind: ReferenceErrorKind) -> Self {
        match (without_user_info(written), kind) {
            // The path of such a text begins with what may be a password.
            (Some(redacted), ReferenceErrorKind::Uppercase(_)) => Self {
                written: cut(&redacted),
                kind: ReferenceErrorKind::Format,
            },
            (None, ReferenceErrorKind::Uppercase(path)) => Self {
                written: cut(written),
                kind: ReferenceErrorKind::Uppercase(cut(&path)),
            },
            (redacted, kind) => Self {
                written: cut(redacted.as_deref().unwrap_or(written)),
                kind,
            },
        }
    }

    /// What is wrong with it.
    #[must_use]
    pub fn kind(&self) -> &ReferenceErrorKind {
        &self.kind
    }
}

/// As much of a text as belongs into a message.
fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

/// What is wrong with a text that is not an image reference, in the daemon's wording.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReferenceErrorKind {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// It starts with `http://` or `https://`.
    #[error("invalid reference format: leave out the scheme")]
    Scheme,
    /// Only hosts and tags may have upper-case letters. Holds the path, or the start of a long one.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// The path is longer than 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// 64 hexadecimal digits are an image id, not a name.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    ImageId(String),
    /// An algorithm other than sha256, sha384 and sha512.
    #[error("unsupported digest algorithm")]
    DigestAlgorithm,
    /// A digest of the wrong length.
    #[error("invalid checksum digest length")]
    DigestLength,
    /// A digest with characters other than lower-case hexadecimal digits.
    #[error("invalid checksum digest format")]
    DigestFormat,
}
