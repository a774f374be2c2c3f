//! The pull itself.

use std::future::poll_fn;
use std::sync::Arc;

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::limits;
use super::manifest::Refused;
use super::operation::Operation;
use crate::diagnosis::{Recovery, Verdict};
use crate::event::EventKind;
use crate::progress::Layers;
use crate::sharing::{self, Boarded, Flight, Landing, Progress, PullFlight, PullKey, Stopped};

impl Operation<'_> {
    /// Pulls, sees that the engine has the image, and names it as it was asked for.
    pub(super) async fn download(&mut self) -> Result<(), Diagnosis> {
        let mut backoff = Backoff::new(&self.puller.settings.pull_retry);
        loop {
            self.wait_for_registry().await;
            let begun = Instant::now();
            let verdict = match self.download_once().await {
                Ok(()) => {
                    self.stage = Stage::Tag;
                    let entry = self.record_pull();
                    let (tagged, recorded) = join(self.tag(), entry).await;
                    self.tell_unrecorded(recorded);
                    match tagged {
                        Ok(()) => return Ok(()),
                        Err(verdict) => verdict,
                    }
                }
                Err(verdict) => verdict,
            };
            self.recover(&mut backoff, verdict, begun).await?;
        }
    }

    async fn download_once(&mut self) -> Result<(), Verdict> {
        let begun = Instant::now();
        let (landing, progress) = self.fly().await?;
        // Who came late did not wait for all of it.
        let waited = begun.elapsed();
        let extract = landing.extract.min(waited);
        self.facts.timings.extract += extract;
        self.facts.timings.download += landing.download.min(waited - extract);
        if let Some(bytes) = progress.read(Layers::bytes) {
            self.facts.bytes = Some(self.facts.bytes.unwrap_or(0) + bytes);
        }
        let (image, settings) = (self.request.image(), &self.puller.settings);
        match &landing.outcome {
            Ok(()) => {
                let told = progress.read(|layers| layers.digest().cloned());
                self.see_image(told).await
            }
            Err(Stopped::Engine(error)) => Err(self.explain(error, Stage::Pull).await),
            Err(Stopped::Begin) => Err(limits::begin(image, settings.begin_timeout)),
            Err(Stopped::Inactivity(phase, layers)) => Err(limits::inactivity(
                image,
                settings.inactivity_timeout,
                *phase,
                *layers,
            )),
        }
    }

    /// Has the engine pull, or waits for the same pull of another call.
    async fn fly(&mut self) -> Result<(Arc<Landing>, Arc<Progress>), Verdict> {
        let mut joins_others = true;
        loop {
            // Showing access may have replaced the credential.
            let mine = self.identity();
            let is_shown = self.is_access_shown;
            let may_join = |flight: &PullFlight| flight.identity == mine || (joins_others && is_shown);
            let boarded = self
                .puller
                .pulls
                .board(self.pull_key(), may_join, || self.new_flight());
            let (info, flight) = match boarded {
                Boarded::Began(info, flight) => (info, flight),
                Boarded::Joined(info, flight) => {
                    self.facts.shared = true;
                    (info, flight)
                }
                Boarded::Refused if joins_others && !is_shown => {
                    joins_others = self.show_access().await?;
                    continue;
                }
                // Apart from the others, and with whoever has the same credential.
                Boarded::Refused => {
                    let key = PullKey {
                        apart: Some(mine),
                        ..self.pull_key()
                    };
                    match self.puller.pulls.board(key, |_| true, || self.new_flight()) {
                        Boarded::Began(info, flight) => (info, flight),
                        Boarded::Joined(info, flight) => {
                            self.facts.shared = true;
                            (info, flight)
                        }
                        Boarded::Refused => {
                            let (info, request) = self.new_flight();
                            (info, request.shared())
                        }
                    }
                }
            };
            self.stage = Stage::Pull;
            let landing = self.follow(flight, &info.progress).await;
            if landing.outcome.is_err() && info.identity != mine {
                // That may have been the fault of a credential that is not this caller's.
                joins_others = false;
                self.facts.shared = false;
                continue;
            }
            return Ok((landing, info.progress));
        }
    }

    fn pull_key(&self) -> PullKey {
        PullKey {
            repository: self.request.image().familiar_name().to_owned(),
            version: self.version(),
            platform: self.request.platform().cloned(),
            apart: None,
        }
    }

    fn new_flight(&self) -> (PullFlight, BoxFuture<'static, Arc<Landing>>) {
        let progress = Arc::<Progress>::default();
        let info = PullFlight {
            identity: self.identity(),
            progress: progress.clone(),
        };
        let request = sharing::fly(
            self.puller.engine.clone(),
            self.puller.load.clone(),
            self.request.image().clone(),
            self.pull_key(),
            self.credential
                .as_ref()
                .map(|resolved| resolved.credential.clone()),
            self.puller.settings.clone(),
            progress,
        );
        (info, request.boxed())
    }

    /// Waits until the pull has ended, and tells how far it is.
    async fn follow(&self, mut flight: Flight<Arc<Landing>>, progress: &Progress) -> Arc<Landing> {
        let mailbox = progress.subscribe();
        // Whatever moves the pull on wakes everybody who waits for it, so that the mailbox needs no waking of its own.
        poll_fn(|context| {
            let landing = flight.poll_unpin(context);
            while let Some(step) = mailbox.next() {
                self.emit(EventKind::Layer(step));
            }
            landing
        })
        .await
    }

    /// Before joining somebody else's pull: whether the registry shows this caller the manifest. `false` when the
    /// engine cannot ask.
    async fn show_access(&mut self) -> Result<bool, Verdict> {
        match self.ask_registry(self.request.image()).await {
            Ok(()) => Ok(true),
            Err(Refused::Unsupported(_)) => Ok(false),
            Err(Refused::Failed(diagnosis)) => Err(Verdict {
                diagnosis,
                // It has been retried already.
                recovery: Recovery::Final,
            }),
        }
    }

    /// The digest, or else the tag.
    fn version(&self) -> String {
        match &self.facts.digest {
            Some(digest) => digest.to_string(),
            None => self.request.image().tag().unwrap_or("latest").to_owned(),
        }
    }

    /// The name under which the engine has what was pulled.
    fn pulled_name(&self) -> String {
        let image = self.request.image();
        match &self.facts.digest {
            Some(digest) => format!("{}@{digest}", image.name()),
            None => format!("{}:{}", image.name(), self.version()),
        }
    }

    /// A stream may end well and have brought nothing: the image is looked at.
    async fn see_image(&mut self, told: Option<Arc<str>>) -> Result<(), Verdict> {
        let details = match self.puller.engine.inspect(&self.pulled_name()).await {
            Ok(details) => details,
            Err(error) => return Err(self.explain(&error, Stage::Pull).await),
        };
        let image = self.request.image();
        let Some(details) = details else {
            let diagnosis = Diagnosis::new(
                ErrorName::CannotPullContainer,
                ErrorClass::Other,
                Stage::Pull,
                format!("the engine ended the pull of {image} without an error and does not have the image"),
            )
            .with_next_step("look at the engine's log")
            .with_retriable(true);
            return Err(Verdict {
                diagnosis,
                recovery: Recovery::Retry,
            });
        };
        if let (Some(wanted), Some(platform)) = (self.request.platform(), &details.platform)
            && !wanted.accepts(platform)
        {
            return Err(self.platform_missing(Stage::Pull));
        }
        if self.facts.digest.is_none() {
            let told = told
                .as_deref()
                .or_else(|| details.digest_in(image.familiar_name()));
            if let Some(digest) = told {
                self.found_digest(digest);
            }
        }
        self.content = Some(self.content_of(&details));
        Ok(())
    }

    /// What was pulled by its digest gets the name that was asked for; an image that was asked for by digest has none.
    async fn tag(&mut self) -> Result<(), Verdict> {
        let image = self.request.image();
        let Some(digest) = self.facts.digest.as_ref().filter(|_| image.digest().is_none()) else {
            return Ok(());
        };
        let source = format!("{}@{digest}", image.name());
        let tag = image.tag().unwrap_or("latest");
        match self.puller.engine.tag(&source, image.name(), tag).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(&error, Stage::Tag).await),
        }
    }
}
