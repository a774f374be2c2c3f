//! Equal requests that are made at the same time are made once.
//!
//! A flight is one request to the engine. It runs in the futures of those who wait for it and nowhere else: each may
//! leave, and with the last one the request ends.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

mod progress;
mod pull;

pub(crate) use progress::Progress;
pub(crate) use pull::{Landing, PullFlight, PullKey, Stopped, fly};

/// A request under way, and its answer once it is there.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, T>>;

/// The requests under way, by what they ask for, each with what is to be known about it.
pub(crate) struct Flights<K, I, T: Clone>(Mutex<HashMap<K, Entry<I, T>>>);

struct Entry<I, T: Clone> {
    info: I,
    flight: WeakShared<BoxFuture<'static, T>>,
}

/// What became of the wish for a flight.
pub(crate) enum Boarded<I, T: Clone> {
    /// The request was under way already.
    Joined(I, Flight<T>),
    /// It begins when the flight is polled first.
    Began(I, Flight<T>),
    /// It is under way, and this caller may not join.
    Refused,
}

impl<K, I, T: Clone> Default for Flights<K, I, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, I, T: Clone> fmt::Debug for Flights<K, I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flights").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, I: Clone, T: Clone> Flights<K, I, T> {
    /// Joins the request if it is under way and `may_join` agrees, or begins it.
    pub(crate) fn board(
        &self,
        key: K,
        may_join: impl FnOnce(&I) -> bool,
        begin: impl FnOnce() -> (I, BoxFuture<'static, T>),
    ) -> Boarded<I, T> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = flights.get(&key)
            && let Some(flight) = entry.flight.upgrade()
            // One that has ended answers for then, not for now.
            && flight.peek().is_none()
        {
            return if may_join(&entry.info) {
                Boarded::Joined(entry.info.clone(), flight)
            } else {
                Boarded::Refused
            };
        }
        flights.retain(|_, entry| {
            entry
                .flight
                .upgrade()
                .is_some_and(|flight| flight.peek().is_none())
        });
        let (info, request) = begin();
        let flight = request.shared();
        if let Some(weak) = flight.downgrade() {
            let info = info.clone();
            flights.insert(key, Entry { info, flight: weak });
        }
        Boarded::Began(info, flight)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    fn is_joined(boarded: &Boarded<(), u8>) -> bool {
        matches!(boarded, Boarded::Joined(..))
    }

    fn flight(boarded: Boarded<(), u8>) -> Flight<u8> {
        match boarded {
            Boarded::Joined((), flight) | Boarded::Began((), flight) => flight,
            Boarded::Refused => panic!("refused"),
        }
    }

    #[tokio::test]
    async fn whoever_leaves_leaves_the_others_their_answer() {
        let flights: Flights<&str, (), u8> = Flights::default();
        let (sender, receiver) = oneshot::channel();
        let begin = || ((), async { receiver.await.unwrap_or(0) }.boxed());
        let mut leader = flight(flights.board("a", |()| true, begin));
        assert!((&mut leader).now_or_never().is_none());
        let second = flights.board("a", |()| true, || ((), pending().boxed()));
        assert!(is_joined(&second));
        assert!(matches!(
            flights.board("a", |()| false, || ((), pending().boxed())),
            Boarded::Refused
        ));
        let waiting = tokio::spawn(flight(second));
        tokio::task::yield_now().await;
        drop(leader);
        sender.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn with_the_last_caller_the_request_ends() {
        let flights: Flights<&str, (), u8> = Flights::default();
        let (mut sender, receiver) = oneshot::channel();
        let begin = || ((), async { receiver.await.unwrap_or(0) }.boxed());
        let first = flight(flights.board("a", |()| true, begin));
        let second = flight(flights.board("a", |()| true, || ((), pending().boxed())));
        assert!(second.clone().now_or_never().is_none());
        drop(first);
        assert!(!sender.is_closed());
        drop(second);
        assert!(sender.is_closed());
        sender.closed().now_or_never().unwrap();
        let next = flights.board("a", |()| true, || ((), async { 3 }.boxed()));
        assert!(!is_joined(&next));
        assert_eq!(flight(next).await, 3);
    }

    #[tokio::test]
    async fn an_answer_is_not_kept_and_nothing_piles_up() {
        let flights: Flights<u32, (), u8> = Flights::default();
        for number in 0..1000 {
            let first = flight(flights.board(number, |()| true, || ((), async { 1 }.boxed())));
            assert_eq!(first.await, 1);
            let again = flights.board(number, |()| true, || ((), async { 2 }.boxed()));
            assert!(!is_joined(&again));
            assert_eq!(flight(again).await, 2);
        }
        assert!(flights.0.lock().unwrap().len() <= 1);
    }
}
