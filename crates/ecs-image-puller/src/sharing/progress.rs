//! One pull's progress, told to everybody who waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use crate::engine::PullFrame;
use crate::event::LayerProgress;
use crate::progress::Layers;

/// Steps that are kept for a caller who does not look: of each layer the latest of each state, and no more than these.
const MOST_KEPT: usize = 1024;

/// How far a pull is, and who is told.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    layers: Layers,
    mailboxes: Vec<Weak<Mailbox>>,
}

/// What one caller has not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<VecDeque<LayerProgress>>);

impl Progress {
    /// From now on steps go here too; first, how far each layer is.
    pub(crate) fn subscribe(&self) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        let mut state = self.state();
        for step in state.layers.latest() {
            mailbox.put(step.clone());
        }
        state.mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
        state.mailboxes.push(Arc::downgrade(&mailbox));
        mailbox
    }

    /// Takes a message of the engine.
    pub(crate) fn take(&self, frame: &PullFrame, now: Instant) {
        let mut state = self.state();
        let State { layers, mailboxes } = &mut *state;
        let Some(step) = layers.take(frame, now) else {
            return;
        };
        for mailbox in mailboxes.iter().filter_map(Weak::upgrade) {
            mailbox.put(step.clone());
        }
    }

    /// What is known of the layers.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Layers) -> T) -> T {
        read(&self.state().layers)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Layers are whole after each message, whoever panicked elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    /// The oldest step that was not taken.
    pub(crate) fn next(&self) -> Option<LayerProgress> {
        self.kept().pop_front()
    }

    fn put(&self, step: LayerProgress) {
        let mut kept = self.kept();
        let waiting = kept.iter_mut().rev().find(|waiting| waiting.id == step.id);
        if let Some(waiting) = waiting
            && waiting.state == step.state
        {
            *waiting = step;
            return;
        }
        if kept.len() == MOST_KEPT {
            kept.pop_front();
        }
        kept.push_back(step);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<LayerProgress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerState;

    fn taken(mailbox: &Mailbox) -> Vec<(String, LayerState, Option<u64>)> {
        std::iter::from_fn(|| mailbox.next())
            .map(|step| (step.id.to_string(), step.state, step.current))
            .collect()
    }

    #[test]
    fn who_comes_late_learns_how_far_each_layer_is() {
        let progress = Progress::default();
        let now = Instant::now();
        let early = progress.subscribe();
        for frame in [
            PullFrame::layer("a", "Pulling fs layer"),
            PullFrame::layer("a", "Downloading").with_progress(1, 10),
            PullFrame::layer("a", "Downloading").with_progress(5, 10),
        ] {
            progress.take(&frame, now);
        }
        let late = progress.subscribe();
        progress.take(&PullFrame::layer("a", "Pull complete"), now);
        let name = || "a".to_owned();
        assert_eq!(
            taken(&early),
            [
                (name(), LayerState::Waiting, None),
                (name(), LayerState::Downloading, Some(5)),
                (name(), LayerState::Done, None)
            ]
        );
        assert_eq!(
            taken(&late),
            [
                (name(), LayerState::Downloading, Some(5)),
                (name(), LayerState::Done, None)
            ]
        );
    }

    #[test]
    fn who_does_not_look_fills_no_memory_and_who_left_gets_nothing() {
        let progress = Progress::default();
        let now = Instant::now();
        let asleep = progress.subscribe();
        for round in 0..10 {
            drop(progress.subscribe());
            for number in 0..1024 {
                for status in ["Downloading", "Extracting"] {
                    let frame = PullFrame::layer(number.to_string(), status).with_progress(round, 10);
                    progress.take(&frame, now);
                }
            }
        }
        assert_eq!(taken(&asleep).len(), MOST_KEPT);
        assert!(progress.state().mailboxes.len() <= 2);
    }
}
