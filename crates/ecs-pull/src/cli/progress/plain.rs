//! One line per phase, for pipes and log files.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use ecs_image_puller::{Event, EventKind, EventSink, LayerState};

use super::{ProgressSink, title};
use crate::cli::render::{bytes, duration};

#[derive(Debug, Default)]
pub(super) struct Plain {
    phases: Mutex<HashMap<Arc<str>, Phase>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
enum Phase {
    #[default]
    Start,
    Download,
    Extract,
}

impl Plain {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The line for an event, if it begins a phase.
    fn line(&self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::Credential {
                provenance,
                candidates,
            } if candidates.is_empty() => Some(format!("credential: {provenance}")),
            EventKind::Credential {
                provenance,
                candidates,
            } => {
                let tried: Vec<String> = candidates
                    .iter()
                    .map(|candidate| {
                        let key = candidate.key.as_deref().unwrap_or(candidate.source.as_str());
                        format!("{key}: {}", candidate.reason)
                    })
                    .collect();
                Some(format!("credential: {provenance} (tried {})", tried.join("; ")))
            }
            EventKind::Manifest { digest } => Some(format!("digest: {digest}")),
            EventKind::Layer(layer) => {
                let phase = match layer.state {
                    LayerState::Downloading => Phase::Download,
                    LayerState::Extracting => Phase::Extract,
                    _ => return None,
                };
                let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
                let reached = phases.entry(title(event)).or_default();
                if *reached >= phase {
                    return None;
                }
                *reached = phase;
                Some(
                    if phase == Phase::Download {
                        "downloading layers"
                    } else {
                        "extracting layers"
                    }
                    .to_owned(),
                )
            }
            EventKind::Retry {
                stage,
                attempt,
                delay,
                error,
            } => Some(format!(
                "attempt {attempt} failed at the {stage} stage, next in {}: {}",
                duration(*delay),
                error.cause().unwrap_or(error.message())
            )),
            EventKind::Wait { reason, delay } => Some(format!("waiting {}: {reason}", duration(*delay))),
            EventKind::Done {
                status,
                bytes: downloaded,
                timings,
                ..
            } => {
                let size = downloaded
                    .map(|count| format!(", {}", bytes(count)))
                    .unwrap_or_default();
                Some(format!(
                    "{} in {}{size}",
                    ecs_pull::Status::from(*status),
                    duration(timings.total)
                ))
            }
            _ => None,
        }
    }
}

impl EventSink for Plain {
    fn emit(&self, event: Event) {
        if let Some(line) = self.line(&event) {
            // Progress that nobody can read any more is no reason to stop a pull.
            let _ = writeln!(std::io::stderr().lock(), "{}: {line}", title(&event));
        }
    }
}

impl ProgressSink for Plain {
    fn clear(&self) {}
}
