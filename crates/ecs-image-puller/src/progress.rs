//! From the engine's messages to typed progress, phases and bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::PullFrame;
use crate::event::{LayerProgress, LayerState};

/// No image has more layers than this; what an engine names beyond it is not followed.
const MOST_LAYERS: usize = 1024;

/// What the layers of one pull are doing.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    layers: HashMap<Arc<str>, Layer>,
    digest: Option<Arc<str>>,
    last_download: Option<Instant>,
}

#[derive(Debug)]
struct Layer {
    latest: LayerProgress,
    downloaded: u64,
}

/// What a stalled pull was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Layers are missing.
    Downloading,
    /// All layers are there, not all are unpacked.
    Extracting,
}

impl Layers {
    /// Takes a message; the answer is what it says about a layer, if it does.
    pub(crate) fn take(&mut self, frame: &PullFrame, now: Instant) -> Option<&LayerProgress> {
        let status = frame.status.as_deref()?;
        let Some(state) = state_of(status) else {
            if let Some(digest) = status.strip_prefix("Digest: ") {
                self.digest = Some(digest.trim().into());
            }
            return None;
        };
        let id = frame.id.as_deref()?;
        if matches!(
            state,
            LayerState::Downloading | LayerState::Verifying | LayerState::Downloaded
        ) {
            self.last_download = Some(now);
        }
        if !self.layers.contains_key(id) {
            if self.layers.len() == MOST_LAYERS {
                return None;
            }
            let id: Arc<str> = id.into();
            let layer = Layer {
                latest: LayerProgress {
                    id: id.clone(),
                    state,
                    current: None,
                    total: None,
                },
                downloaded: 0,
            };
            self.layers.insert(id, layer);
        }
        let layer = self.layers.get_mut(id)?;
        layer.latest.state = state;
        layer.latest.current = frame.current;
        layer.latest.total = frame.total;
        if state == LayerState::Downloading {
            layer.downloaded = layer.downloaded.max(frame.current.unwrap_or(0));
        }
        if let (LayerState::Extracting, Some(total)) = (state, frame.total) {
            // Progress of a download is told now and then; what is unpacked was downloaded whole.
            layer.downloaded = layer.downloaded.max(total);
        }
        Some(&layer.latest)
    }

    /// How far each layer is, in no order.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &LayerProgress> {
        self.layers.values().map(|layer| &layer.latest)
    }

    /// The digest that the engine told.
    pub(crate) fn digest(&self) -> Option<&Arc<str>> {
        self.digest.as_ref()
    }

    /// Bytes that were downloaded, as far as the engine told.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let bytes = self.layers.values().map(|layer| layer.downloaded).sum();
        (bytes > 0).then_some(bytes)
    }

    /// What is being waited for, and for how many layers.
    pub(crate) fn phase(&self) -> (Phase, usize) {
        let count = |states: &[LayerState]| {
            self.layers
                .values()
                .filter(|layer| states.contains(&layer.latest.state))
                .count()
        };
        match count(&[
            LayerState::Waiting,
            LayerState::Downloading,
            LayerState::Verifying,
        ]) {
            0 => match count(&[LayerState::Downloaded, LayerState::Extracting]) {
                0 => (Phase::Downloading, 0),
                extracting => (Phase::Extracting, extracting),
            },
            downloading => (Phase::Downloading, downloading),
        }
    }

    /// How the time from `begun` until `now` splits into download and extraction.
    pub(crate) fn split(&self, begun: Instant, now: Instant) -> (Duration, Duration) {
        match self.last_download {
            Some(last) => (last - begun, now - last),
            None => (now - begun, Duration::ZERO),
        }
    }
}

/// Which state of a layer a status of the engine names.
///
/// Rule: <https://github.com/moby/moby/blob/master/daemon/internal/distribution/pull_v2.go> and the texts of
/// containerd's image store, which differ in their capitals.
fn state_of(status: &str) -> Option<LayerState> {
    const STATES: [(&str, LayerState); 8] = [
        // The two that come a thousand times first.
        ("downloading", LayerState::Downloading),
        ("extracting", LayerState::Extracting),
        ("pulling fs layer", LayerState::Waiting),
        ("waiting", LayerState::Waiting),
        ("verifying checksum", LayerState::Verifying),
        ("download complete", LayerState::Downloaded),
        ("pull complete", LayerState::Done),
        ("already exists", LayerState::Done),
    ];
    const RETRYING: &str = "retrying in ";
    let known = STATES
        .iter()
        .find(|(text, _)| text.eq_ignore_ascii_case(status))
        .map(|(_, state)| *state);
    let is_retrying = || {
        status
            .get(..RETRYING.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RETRYING))
    };
    known.or_else(|| is_retrying().then_some(LayerState::Waiting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_goes_through_its_states() {
        let begun = Instant::now();
        let mut layers = Layers::default();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(
            layers.take(&PullFrame::layer("v1", "Pulling from team/app"), at(0)),
            None
        );
        for (second, frame, state) in [
            (0, PullFrame::layer("a", "Pulling fs layer"), LayerState::Waiting),
            (
                1,
                PullFrame::layer("a", "Downloading").with_progress(10, 100),
                LayerState::Downloading,
            ),
            (
                2,
                PullFrame::layer("a", "Verifying Checksum"),
                LayerState::Verifying,
            ),
            (
                3,
                PullFrame::layer("a", "Download complete"),
                LayerState::Downloaded,
            ),
            (
                4,
                PullFrame::layer("a", "Extracting").with_progress(50, 100),
                LayerState::Extracting,
            ),
            (5, PullFrame::layer("a", "Pull complete"), LayerState::Done),
            (5, PullFrame::layer("b", "Already exists"), LayerState::Done),
        ] {
            assert_eq!(layers.take(&frame, at(second)).unwrap().state, state);
        }
        layers.take(&PullFrame::status("Digest: sha256:abc"), at(6));
        assert_eq!(layers.digest().map(|digest| &**digest), Some("sha256:abc"));
        assert_eq!(layers.bytes(), Some(100));
        assert_eq!(
            layers.split(begun, at(7)),
            (Duration::from_secs(3), Duration::from_secs(4))
        );
    }

    #[test]
    fn download_and_extraction_are_told_apart() {
        let now = Instant::now();
        let mut layers = Layers::default();
        assert_eq!(layers.phase(), (Phase::Downloading, 0));
        layers.take(&PullFrame::layer("a", "Extracting"), now);
        layers.take(&PullFrame::layer("b", "Downloading"), now);
        assert_eq!(layers.phase(), (Phase::Downloading, 1));
        layers.take(&PullFrame::layer("b", "Download complete"), now);
        assert_eq!(layers.phase(), (Phase::Extracting, 2));
    }

    #[test]
    fn an_engine_that_names_endless_layers_fills_no_memory() {
        let now = Instant::now();
        let mut layers = Layers::default();
        for number in 0..10_000 {
            layers.take(&PullFrame::layer(number.to_string(), "Downloading"), now);
        }
        assert_eq!(layers.layers.len(), MOST_LAYERS);
    }
}
