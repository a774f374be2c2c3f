//! How the progress of pulls is shown on stderr.

use std::io::IsTerminal;
use std::sync::Arc;

use ecs_image_puller::{Event, EventSink};

use super::args::Progress;

mod bars;
mod plain;

/// The sink for a style.
pub(crate) fn sink(style: Progress, quiet: bool) -> Box<dyn ProgressSink> {
    let on_terminal = std::io::stderr().is_terminal();
    match style {
        _ if quiet => Box::new(Nothing),
        Progress::None => Box::new(Nothing),
        Progress::Auto if on_terminal => Box::new(bars::Bars::new()),
        Progress::Bar => Box::new(bars::Bars::new()),
        Progress::Auto | Progress::Plain => Box::new(plain::Plain::new()),
    }
}

/// An [`EventSink`] that can be ended.
pub(crate) trait ProgressSink: EventSink {
    /// Removes what is still drawn, so that results start on a clean line.
    fn clear(&self);
}

#[derive(Debug)]
struct Nothing;

impl EventSink for Nothing {
    fn emit(&self, _: Event) {}
}

impl ProgressSink for Nothing {
    fn clear(&self) {}
}

/// The name an event is shown under: its container, or the image where it has none.
fn title(event: &Event) -> Arc<str> {
    event.container.clone().unwrap_or_else(|| event.image.clone())
}
