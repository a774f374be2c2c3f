//! Limits of time that ran out: each with its phase, its length and the setting to raise.

use std::time::Duration;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, ImageReference, Stage};
use tokio::time::Instant;

use crate::Attempt;
use crate::diagnosis::{Recovery, Verdict};
use crate::progress::Phase;

/// The whole call, which ran out in this stage.
pub(super) fn whole(
    image: &ImageReference,
    limit: Duration,
    stage: Stage,
    last: Option<&Attempt>,
) -> Diagnosis {
    let diagnosis = new(
        stage,
        format!(
            "{image} took longer than {} in all and ran out in the stage {stage}",
            Shown(limit)
        ),
        "ECS_IMAGE_PULL_TIMEOUT",
    );
    with_last(diagnosis, last)
}

/// Resolving the digest, every attempt included.
pub(super) fn manifest(image: &ImageReference, limit: Duration, last: Option<&Attempt>) -> Diagnosis {
    let diagnosis = new(
        Stage::Manifest,
        format!(
            "resolving the digest of {image} took longer than {}",
            Shown(limit)
        ),
        "ECS_MANIFEST_PULL_TIMEOUT",
    );
    with_last(diagnosis, last)
}

/// One request for the manifest.
pub(super) fn request(image: &ImageReference, limit: Duration) -> Verdict {
    retried(new(
        Stage::Manifest,
        format!("no answer about {image} came within {}", Shown(limit)),
        "ECS_MANIFEST_PULL_TIMEOUT",
    ))
}

/// From the request to the first message.
pub(super) fn begin(image: &ImageReference, limit: Duration) -> Verdict {
    retried(new(
        Stage::Pull,
        format!("the engine did not begin to pull {image} within {}", Shown(limit)),
        "ECS_IMAGE_PULL_BEGIN_TIMEOUT",
    ))
}

/// Between two messages.
pub(super) fn inactivity(image: &ImageReference, limit: Duration, phase: Phase, layers: usize) -> Verdict {
    let doing = match (phase, layers) {
        (Phase::Downloading, 0) => "before any layer".to_owned(),
        (Phase::Downloading, layers) => format!("in the download, with {layers} of its layers missing"),
        (Phase::Extracting, layers) => format!("in the extraction, with {layers} of its layers not unpacked"),
    };
    retried(new(
        Stage::Pull,
        format!(
            "the pull of {image} made no progress for {} {doing}",
            Shown(limit)
        ),
        "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT",
    ))
}

/// Time that is spent in pieces.
#[derive(Debug)]
pub(super) struct Budget {
    left: Duration,
}

impl Budget {
    pub(super) fn new(left: Duration) -> Self {
        Self { left }
    }

    /// Does what is given in the time that is left; `None` when that runs out.
    pub(super) async fn spend<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let begun = Instant::now();
        let done = tokio::time::timeout(self.left, work).await.ok();
        self.left = self.left.saturating_sub(begun.elapsed());
        done
    }
}

fn new(stage: Stage, message: String, setting: &str) -> Diagnosis {
    Diagnosis::new(ErrorName::DockerTimeout, ErrorClass::TimedOut, stage, message)
        .with_next_step(format!(
            "check registry, network and disk of the engine's machine; if it only needs longer, raise {setting}"
        ))
        .with_retriable(true)
}

fn with_last(diagnosis: Diagnosis, last: Option<&Attempt>) -> Diagnosis {
    match last {
        Some(last) => diagnosis.with_cause(format!("the last failure was: {}", last.message)),
        None => diagnosis,
    }
}

fn retried(diagnosis: Diagnosis) -> Verdict {
    Verdict {
        diagnosis,
        recovery: Recovery::Retry,
    }
}

/// As the settings are written: `1m30s`.
struct Shown(Duration);

impl std::fmt::Display for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hours, minutes) = (self.0.as_secs() / 3600, self.0.as_secs() / 60 % 60);
        let seconds = self.0.as_secs() % 60;
        if hours > 0 {
            write!(formatter, "{hours}h")?;
        }
        if minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        match (seconds, self.0.subsec_millis()) {
            (0, 0) if hours + minutes > 0 => Ok(()),
            (seconds, 0) => write!(formatter, "{seconds}s"),
            (seconds, millis) => write!(formatter, "{seconds}.{millis:03}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_shown_as_they_are_written() {
        for (millis, shown) in [
            (60_000, "1m"),
            (7_200_000, "2h"),
            (5_400_000, "1h30m"),
            (90_500, "1m30.500s"),
            (250, "0.250s"),
            (0, "0s"),
        ] {
            assert_eq!(Shown(Duration::from_millis(millis)).to_string(), shown);
        }
    }
}
