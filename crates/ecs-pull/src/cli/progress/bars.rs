//! A bar per layer, for terminals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecs_image_puller::{Event, EventKind, EventSink, LayerProgress, LayerState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{ProgressSink, title};
use crate::cli::render::duration;

const HEADER: &str = "{spinner} {prefix}: {wide_msg}";
const WAITING: &str = "    {prefix:12} {msg}";
const MOVING: &str = "    {prefix:12} {msg:11} [{bar:28}] {binary_bytes:>10}/{binary_total_bytes:<10} {binary_bytes_per_sec:>11} {eta:>4}";

/// Layer bars under one line per image.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    images: Mutex<HashMap<Arc<str>, Image>>,
}

#[derive(Debug)]
struct Image {
    header: ProgressBar,
    layers: HashMap<Arc<str>, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            screen: MultiProgress::new(),
            images: Mutex::default(),
        }
    }

    fn show_layer(&self, image: &mut Image, layer: &LayerProgress) {
        let bar = image.layers.entry(layer.id.clone()).or_insert_with(|| {
            // With its style before it is on the screen: the first drawing is not in the default one.
            let bar = ProgressBar::new(0).with_style(style(WAITING));
            let bar = self.screen.insert_after(&image.header, bar);
            bar.set_prefix(layer.id.chars().take(12).collect::<String>());
            bar
        });
        bar.set_message(match layer.state {
            LayerState::Waiting => "waiting",
            LayerState::Downloading => "downloading",
            LayerState::Verifying => "verifying",
            LayerState::Downloaded => "downloaded",
            LayerState::Extracting => "extracting",
            LayerState::Done => "done",
            _ => "",
        });
        let moving = matches!(layer.state, LayerState::Downloading | LayerState::Extracting);
        if let (true, Some(total)) = (moving, layer.total) {
            bar.set_style(style(MOVING));
            bar.set_length(total);
            bar.set_position(layer.current.unwrap_or(0));
        } else {
            bar.set_style(style(WAITING));
        }
        if layer.state == LayerState::Done {
            bar.finish();
        }
    }

    fn remove(&self, image: Image) {
        for bar in image.layers.into_values().chain([image.header]) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }
}

impl EventSink for Bars {
    fn emit(&self, event: Event) {
        let title = title(&event);
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(event.kind, EventKind::Done { .. } | EventKind::Failed { .. }) {
            if let Some(image) = images.remove(&title) {
                self.remove(image);
            }
            return;
        }
        let image = images.entry(title.clone()).or_insert_with(|| {
            let header = self.screen.add(ProgressBar::new_spinner());
            header.set_style(style(HEADER));
            header.set_prefix(title.to_string());
            header.set_message("starting");
            header.enable_steady_tick(Duration::from_millis(120));
            Image {
                header,
                layers: HashMap::new(),
            }
        });
        match &event.kind {
            EventKind::Queued => image.header.set_message("asking for the credential"),
            EventKind::Credential { provenance, .. } => image.header.set_message(format!("{provenance}")),
            EventKind::Manifest { digest } => image.header.set_message(digest.to_string()),
            EventKind::Layer(layer) => self.show_layer(image, layer),
            EventKind::Retry {
                attempt,
                delay,
                error,
                ..
            } => image.header.set_message(format!(
                "attempt {attempt} failed, next in {}: {}",
                duration(*delay),
                error.cause().unwrap_or(error.message())
            )),
            EventKind::Wait { reason, delay } => {
                image
                    .header
                    .set_message(format!("waiting {}: {reason}", duration(*delay)));
            }
            _ => {}
        }
    }
}

impl ProgressSink for Bars {
    fn clear(&self) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, image) in images.drain() {
            self.remove(image);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a bar without style is still a bar.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
