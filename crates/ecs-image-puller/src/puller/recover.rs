//! Whether there is another attempt after a failure.

use std::time::Duration;

use ecs_registry_auth::{Diagnosis, ErrorClass, Stage};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::limits::Budget;
use super::manifest::Answer;
use super::operation::Operation;
use crate::Attempt;
use crate::diagnosis::{Recovery, Verdict, diagnose, wants_witness};
use crate::engine::EngineError;
use crate::event::EventKind;

/// A registry that asks for fewer requests without saying for how long is left alone for this long at least.
const SHORTEST_COOL_DOWN: Duration = Duration::from_secs(1);

/// No more attempts than this are kept: a keychain or a setting may ask for any number.
const LONGEST_HISTORY: usize = 32;

impl Operation<'_> {
    /// Before anything is asked of the registry: waits while it wants to be left alone.
    pub(super) async fn wait_for_registry(&mut self) {
        if self.facts.attempts == 0 {
            self.facts.attempts = 1;
        }
        loop {
            let registry = self.request.image().registry();
            let Some(until) = self.puller.cool_downs.until(self.identity()) else {
                return;
            };
            self.emit(EventKind::Wait {
                reason: format!("{registry} asked for fewer requests"),
                delay: until - Instant::now(),
            });
            tokio::time::sleep_until(until).await;
        }
    }

    /// After a failed attempt: returns when the next may begin.
    ///
    /// # Errors
    ///
    /// The failure itself, when there is no next.
    pub(super) async fn recover(
        &mut self,
        backoff: &mut Backoff,
        verdict: Verdict,
        begun: Instant,
    ) -> Result<(), Diagnosis> {
        let Verdict { diagnosis, recovery } = verdict;
        self.note(&diagnosis, begun.elapsed());
        match recovery {
            Recovery::Final => return Err(diagnosis),
            Recovery::AnotherCredential => {
                self.refusal = Some(diagnosis.clone());
                if !self.replace_credential().await {
                    return Err(diagnosis);
                }
                self.refusal = None;
                self.tell_retry(diagnosis, Duration::ZERO);
            }
            Recovery::Retry => {
                let Some(delay) = backoff.next() else {
                    return Err(diagnosis);
                };
                self.tell_retry(diagnosis, delay);
                tokio::time::sleep(delay).await;
            }
            Recovery::CoolDown(asked) => {
                let longest = self.puller.settings.longest_wait;
                let Some(delay) = backoff
                    .next()
                    .map(|delay| delay.max(asked.unwrap_or(SHORTEST_COOL_DOWN)))
                else {
                    return Err(diagnosis);
                };
                // A wait that the limit of the whole call would cut short is not worth beginning.
                let cut_short = Instant::now() + delay >= self.started + self.puller.settings.pull_timeout;
                if delay > longest || cut_short {
                    let wait = format!("wait {} s, as the registry asks, and pull again", delay.as_secs());
                    return Err(diagnosis.with_next_step(wait));
                }
                self.puller
                    .cool_downs
                    .set(self.identity(), Instant::now() + delay);
                // The wait itself is that of every call for this account.
                self.tell_retry(diagnosis, delay);
            }
        }
        self.facts.attempts += 1;
        Ok(())
    }

    fn note(&mut self, diagnosis: &Diagnosis, took: Duration) {
        if self.facts.history.len() == LONGEST_HISTORY {
            self.facts.history.remove(0);
        }
        self.facts.history.push(Attempt {
            number: self.facts.attempts,
            stage: diagnosis.stage(),
            name: diagnosis.name(),
            message: diagnosis.message().to_owned(),
            cause: diagnosis.cause().map(str::to_owned),
            took,
        });
    }

    fn tell_retry(&self, error: Diagnosis, delay: Duration) {
        tracing::debug!(
            image = %self.request.image(),
            stage = %error.stage(),
            attempt = self.facts.attempts,
            delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            reason = %error,
            "an attempt failed and another follows"
        );
        self.emit(EventKind::Retry {
            stage: error.stage(),
            attempt: self.facts.attempts,
            delay,
            error,
        });
    }

    /// What a failure of the engine means; the registry is asked once more where the engine's answer is vague.
    pub(super) async fn explain(&mut self, error: &EngineError, stage: Stage) -> Verdict {
        let provenance = self.provenance();
        let verdict = diagnose(error, None, &self.evidence(stage, &provenance));
        // Also for the list of platforms that exist, which the engine does not tell.
        let lacks_platforms = verdict.diagnosis.class() == ErrorClass::NotFound
            && self.distribution.is_none()
            && crate::diagnosis::Cause::of(error, true) == crate::diagnosis::Cause::PlatformMissing;
        if stage != Stage::Pull || !(lacks_platforms || wants_witness(error, self.credential.is_some())) {
            return verdict;
        }
        self.wait_for_registry().await;
        let image = self.request.image();
        let mut budget = Budget::new(self.puller.settings.manifest_timeout);
        match self.ask_once(image, &mut budget).await {
            Some(Answer::Given(Ok(distribution))) => {
                self.distribution = Some(distribution);
                diagnose(error, None, &self.evidence(stage, &provenance))
            }
            Some(Answer::Given(Err(witness))) => {
                diagnose(error, Some(&witness), &self.evidence(stage, &provenance))
            }
            Some(Answer::TooLate) | None => verdict,
        }
    }
}
