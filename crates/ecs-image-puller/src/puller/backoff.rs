//! How long until the next attempt.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::RetrySettings;

/// How much of a delay is added at random, at most.
const JITTER: f32 = 0.2;

/// The delays of one operation: never shared, never carried over.
#[derive(Debug)]
pub(super) struct Backoff {
    plain: ExponentialBackoff,
    /// The same with up to as much again added at random, of which [`JITTER`] is taken.
    jittered: ExponentialBackoff,
}

impl Backoff {
    pub(super) fn new(settings: &RetrySettings) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(settings.first_delay)
            .with_factor(settings.factor.max(1.0))
            .with_max_delay(settings.longest_delay)
            .with_max_times(settings.attempts.saturating_sub(1) as usize);
        Self {
            plain: builder.build(),
            jittered: builder.with_jitter().build(),
        }
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let (plain, jittered) = self.plain.next().zip(self.jittered.next())?;
        Some(plain + jittered.saturating_sub(plain).mul_f32(JITTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PullerSettings;

    #[test]
    fn the_agents_delays_with_a_fifth_at_random() {
        let settings = PullerSettings::default();
        for (retry, expected) in [
            (
                settings.manifest_retry,
                vec![10, 30, 90, 270, 810, 2430, 5000, 5000],
            ),
            (settings.pull_retry, vec![1100, 2200, 4400, 5000]),
        ] {
            let delays: Vec<u128> = Backoff::new(&retry).map(|delay| delay.as_millis()).collect();
            assert_eq!(delays.len(), expected.len());
            for (delay, expected) in delays.iter().zip(expected) {
                assert!(
                    *delay + 1 >= expected && *delay <= expected * 12 / 10 + 1,
                    "{delays:?}"
                );
            }
        }
    }

    #[test]
    fn no_attempts_is_one_attempt() {
        let mut retry = PullerSettings::default().pull_retry;
        retry.attempts = 0;
        assert_eq!(Backoff::new(&retry).next(), None);
    }
}
