//! Which build of an image is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// An operating system, an architecture and sometimes its variant: `linux/arm64/v8`.
///
/// Spellings that mean the same compare as equal: `x86_64` is `amd64`, `aarch64` is `arm64`, and `arm64/v8` is what
/// `arm64` says.
///
/// Rule: <https://github.com/containerd/platforms/blob/main/platforms.go> and
/// <https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate>.
///
/// ```
/// use ecs_image_puller::Platform;
///
/// let platform: Platform = "linux/aarch64".parse()?;
/// assert_eq!(platform.to_string(), "linux/arm64");
/// assert_eq!(platform, "linux/arm64/v8".parse()?);
/// # Ok::<(), ecs_image_puller::PlatformError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: Box<str>,
    architecture: Box<str>,
    variant: Option<Box<str>>,
}

impl Platform {
    /// Parses `os/architecture[/variant]`.
    ///
    /// # Errors
    ///
    /// [`PlatformError`] when it has another number of parts, or a part that is empty or holds anything but letters,
    /// digits, `.`, `_` and `-`.
    pub fn parse(written: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = written.split('/').collect();
        if parts.iter().any(|part| !is_part(part)) {
            return Err(PlatformError {
                written: written.chars().take(100).collect(),
            });
        }
        match *parts {
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(PlatformError {
                written: written.chars().take(100).collect(),
            }),
        }
    }

    /// A platform from its parts, as an engine or a manifest list states them.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (architecture, implied): (Box<str>, _) = match architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "x86-64" => ("amd64".into(), None),
            "aarch64" => ("arm64".into(), None),
            "i386" | "i686" => ("386".into(), None),
            "armhf" => ("arm".into(), Some("v7")),
            "armel" => ("arm".into(), Some("v6")),
            other => (other.into(), None),
        };
        let variant = variant
            .filter(|variant| !variant.is_empty())
            .or(implied)
            .map(|variant| match variant {
                "5" | "6" | "7" | "8" => format!("v{variant}"),
                other => other.to_ascii_lowercase(),
            })
            // What every 64-bit ARM and every amd64 build says or leaves out alike.
            .filter(|variant| {
                !matches!(
                    (&*architecture, variant.as_str()),
                    ("arm64", "v8") | ("amd64", "v1")
                )
            });
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".into(),
            other => other.into(),
        };
        Self {
            os,
            architecture,
            variant: variant.map(Into::into),
        }
    }

    /// Operating system, for example `linux`.
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// Architecture, for example `arm64`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Variant, for example `v7`; `None` where the architecture has only one that matters.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Whether a build for `offered` is what was asked for. A platform without variant takes any variant.
    #[must_use]
    pub fn accepts(&self, offered: &Self) -> bool {
        self.os == offered.os
            && self.architecture == offered.architecture
            && (self.variant.is_none() || self.variant == offered.variant)
    }
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-'))
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(written: &str) -> Result<Self, PlatformError> {
        Self::parse(written)
    }
}

/// As its text.
impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "platform {written:?}: write it as os/architecture or os/architecture/variant, for example linux/arm64/v8"
)]
pub struct PlatformError {
    written: String,
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn spellings_that_mean_the_same_are_equal() {
        for (left, right) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64/v8"),
            ("Linux/ARM64", "linux/arm64"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/arm/7", "linux/arm/v7"),
        ] {
            assert_eq!(Platform::parse(left), Platform::parse(right), "{left} {right}");
        }
    }

    #[test]
    fn a_platform_without_variant_takes_any_variant() {
        let arm = Platform::parse("linux/arm").unwrap();
        let v7 = Platform::parse("linux/arm/v7").unwrap();
        assert!(arm.accepts(&v7));
        assert!(!v7.accepts(&arm));
        assert!(!v7.accepts(&Platform::parse("linux/arm/v6").unwrap()));
        assert!(!arm.accepts(&Platform::parse("windows/arm").unwrap()));
    }

    #[test]
    fn anything_else_is_refused() {
        for written in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/amd64/v1/x",
            "linux amd64",
            "linux/am?d64",
        ] {
            assert!(Platform::parse(written).is_err(), "{written:?}");
        }
    }
}
