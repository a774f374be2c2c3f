//! A queue between a pull and a consumer that takes its time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::event::{Event, EventKind, EventSink};

/// Makes a queue that never slows the pull and never holds more than `capacity` events.
///
/// Of one layer only the latest progress is kept while nobody takes it, so a slow consumer sees fewer steps and the
/// same end. When the queue is full all the same, the oldest layer progress makes room, or else the oldest event;
/// [`EventReceiver::dropped`] counts them. `capacity` below 16 counts as 16.
///
/// ```
/// use ecs_image_puller::{Event, EventKind, EventSink, event_queue};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (sink, mut receiver) = event_queue(1024);
/// sink.emit(Event::new("registry.example.com/app", None, EventKind::Queued));
/// drop(sink);
/// assert!(matches!(receiver.next().await.map(|event| event.kind), Some(EventKind::Queued)));
/// assert!(receiver.next().await.is_none());
/// # }
/// ```
#[must_use]
pub fn event_queue(capacity: usize) -> (EventQueue, EventReceiver) {
    let shared = Arc::new(Shared {
        capacity: capacity.max(16),
        state: Mutex::new(State::default()),
        changed: Notify::new(),
    });
    (
        EventQueue(Arc::new(Sender(shared.clone()))),
        EventReceiver(shared),
    )
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    dropped: u64,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics while it holds the lock, and a queue is whole after each step anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pull's end of an [`event_queue`]. Clones feed the same queue.
#[derive(Clone, Debug)]
pub struct EventQueue(Arc<Sender>);

#[derive(Debug)]
struct Sender(Arc<Shared>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_one();
    }
}

impl EventSink for EventQueue {
    fn emit(&self, event: Event) {
        let shared = &self.0.0;
        {
            let mut state = shared.state();
            // Only the layer's latest event may be replaced: an older one of the same state belongs to an earlier
            // attempt, and what happened in between must not be told after what followed it.
            let latest = state
                .events
                .iter_mut()
                .rev()
                .find(|waiting| is_same_layer(waiting, &event));
            if let Some(waiting) = latest
                && is_newer(waiting, &event)
            {
                *waiting = event;
                return;
            }
            if state.events.len() == shared.capacity {
                let victim = state
                    .events
                    .iter()
                    .position(|event| matches!(event.kind, EventKind::Layer(_)))
                    .unwrap_or(0);
                state.events.remove(victim);
                state.dropped += 1;
            }
            state.events.push_back(event);
        }
        shared.changed.notify_one();
    }
}

/// Whether both are about one layer of one pull.
fn is_same_layer(waiting: &Event, event: &Event) -> bool {
    match (&waiting.kind, &event.kind) {
        (EventKind::Layer(old), EventKind::Layer(new)) => {
            old.id == new.id && waiting.image == event.image && waiting.container == event.container
        }
        _ => false,
    }
}

/// Whether `event` says all that `waiting`, of the same layer, says: it is in the same state, further on.
fn is_newer(waiting: &Event, event: &Event) -> bool {
    match (&waiting.kind, &event.kind) {
        (EventKind::Layer(old), EventKind::Layer(new)) => old.state == new.state,
        _ => false,
    }
}

/// The consumer's end of an [`event_queue`].
#[derive(Debug)]
pub struct EventReceiver(Arc<Shared>);

impl EventReceiver {
    /// The next event; `None` when every sender is gone and nothing is left.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            {
                let mut state = self.0.state();
                if let Some(event) = state.events.pop_front() {
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            self.0.changed.notified().await;
        }
    }

    /// The next event, if one is there.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.state().events.pop_front()
    }

    /// How many events were given up because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.state().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LayerProgress, LayerState};

    fn layer(id: &str, current: u64) -> Event {
        Event::new(
            "app",
            None,
            EventKind::Layer(LayerProgress {
                id: id.into(),
                state: LayerState::Downloading,
                current: Some(current),
                total: None,
            }),
        )
    }

    #[tokio::test]
    async fn a_million_steps_of_one_layer_are_one_event() {
        let (sink, mut receiver) = event_queue(16);
        for current in 0..1_000_000 {
            sink.emit(layer("a", current));
        }
        drop(sink);
        let last = receiver.next().await.unwrap();
        assert!(matches!(
            last.kind,
            EventKind::Layer(LayerProgress {
                current: Some(999_999),
                ..
            })
        ));
        assert!(receiver.next().await.is_none());
        assert_eq!(receiver.dropped(), 0);
    }

    #[tokio::test]
    async fn states_of_a_layer_keep_their_order() {
        let (sink, mut receiver) = event_queue(16);
        let states = [
            LayerState::Waiting,
            LayerState::Downloading,
            LayerState::Waiting,
            LayerState::Downloading,
        ];
        for state in states {
            sink.emit(Event::new(
                "app",
                None,
                EventKind::Layer(LayerProgress {
                    id: "a".into(),
                    state,
                    current: None,
                    total: None,
                }),
            ));
        }
        drop(sink);
        let mut seen = Vec::new();
        while let Some(event) = receiver.next().await {
            if let EventKind::Layer(layer) = event.kind {
                seen.push(layer.state);
            }
        }
        assert_eq!(seen, states);
    }

    #[tokio::test]
    async fn a_full_queue_gives_up_layers_before_anything_else() {
        let (sink, mut receiver) = event_queue(16);
        sink.emit(Event::new("app", None, EventKind::Queued));
        for number in 0..100 {
            sink.emit(layer(&number.to_string(), 1));
        }
        assert_eq!(receiver.dropped(), 85);
        assert!(matches!(receiver.next().await.unwrap().kind, EventKind::Queued));
        drop(sink);
        let mut left = 0;
        while receiver.next().await.is_some() {
            left += 1;
        }
        assert_eq!(left, 15);
    }

    #[tokio::test]
    async fn a_waiting_consumer_is_woken() {
        let (sink, mut receiver) = event_queue(16);
        let consumer = tokio::spawn(async move { receiver.next().await.is_some() });
        tokio::task::yield_now().await;
        sink.emit(layer("a", 1));
        assert!(consumer.await.unwrap());
    }
}
