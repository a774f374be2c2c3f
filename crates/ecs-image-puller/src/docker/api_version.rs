//! The version of the engine's API that is spoken.

use std::fmt;

use crate::engine::{EngineError, EngineErrorKind};

/// `major.minor` of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion {
    major: u32,
    minor: u32,
}

/// The newest version that this crate has been held against. Nothing it uses has changed since 1.32.
const NEWEST: ApiVersion = ApiVersion { major: 1, minor: 53 };

/// The first version whose engines take `platform` and answer for a registry's manifests without the experimental flag.
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 32 };

impl ApiVersion {
    /// The newest version that both sides know, from what the engine says of itself.
    ///
    /// Rule: <https://docs.docker.com/reference/api/engine/#api-version-negotiation>.
    pub(super) fn negotiate(newest: Option<&str>, oldest: Option<&str>) -> Result<Self, EngineError> {
        let newest = newest.and_then(Self::parse).ok_or_else(|| {
            EngineError::new(
                EngineErrorKind::Malformed,
                "the answer to GET /version states no version of the API",
            )
        })?;
        let spoken = newest.min(NEWEST);
        let refused = oldest.and_then(Self::parse).filter(|oldest| *oldest > spoken);
        if let Some(oldest) = refused {
            return Err(EngineError::new(
                EngineErrorKind::Unsupported,
                format!(
                    "the engine speaks API {oldest} to {newest}, this program {OLDEST} to {NEWEST}: client version {NEWEST} is too old"
                ),
            ));
        }
        if spoken < OLDEST {
            return Err(EngineError::new(
                EngineErrorKind::Unsupported,
                format!(
                    "the engine speaks API {newest}, this program {OLDEST} to {NEWEST}: client version {OLDEST} is too new"
                ),
            ));
        }
        Ok(spoken)
    }

    fn parse(written: &str) -> Option<Self> {
        let (major, minor) = written.split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::ApiVersion;

    #[test]
    fn the_newest_common_version_is_spoken() {
        for (newest, oldest, spoken) in [
            (Some("1.41"), Some("1.12"), Some("1.41")),
            (Some("1.53"), Some("1.44"), Some("1.53")),
            (Some("1.60"), Some("1.44"), Some("1.53")),
            (Some("1.41"), None, Some("1.41")),
            (Some("1.70"), Some("1.60"), None),
            (Some("1.24"), Some("1.12"), None),
            (Some("new"), None, None),
            (None, None, None),
        ] {
            let answer = ApiVersion::negotiate(newest, oldest)
                .ok()
                .map(|version| version.to_string());
            assert_eq!(answer.as_deref(), spoken, "{newest:?} {oldest:?}");
        }
    }
}
