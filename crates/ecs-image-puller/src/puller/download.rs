//! The pull itself.

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::limits;
use super::operation::Operation;
use crate::diagnosis::{Recovery, Verdict};
use crate::engine::{EngineError, EngineErrorKind, PullOrder};
use crate::event::EventKind;
use crate::progress::Layers;

impl Operation<'_> {
    /// Pulls, sees that the engine has the image, and names it as it was asked for.
    pub(super) async fn download(&mut self) -> Result<(), Diagnosis> {
        let mut backoff = Backoff::new(&self.puller.settings.pull_retry);
        loop {
            self.wait_for_registry().await;
            let begun = Instant::now();
            let verdict = match self.download_once().await {
                Ok(()) => match self.tag().await {
                    Ok(()) => return Ok(()),
                    Err(verdict) => verdict,
                },
                Err(verdict) => verdict,
            };
            self.recover(&mut backoff, verdict, begun).await?;
        }
    }

    async fn download_once(&mut self) -> Result<(), Verdict> {
        let begun = Instant::now();
        let mut layers = Layers::new(begun);
        let outcome = self.follow(&mut layers, begun).await;
        let (download, extract) = layers.split(Instant::now());
        self.facts.timings.download += download;
        self.facts.timings.extract += extract;
        if let Some(bytes) = layers.bytes() {
            self.facts.bytes = Some(self.facts.bytes.unwrap_or(0) + bytes);
        }
        match outcome {
            Ok(()) => self.see_image(&layers).await,
            Err(Stopped::Limit(verdict)) => Err(verdict),
            Err(Stopped::Engine(error)) => Err(self.explain(&error, Stage::Pull).await),
        }
    }

    /// Runs one pull of the engine to its end. Whatever ends it drops the stream first, which ends the engine's side,
    /// so that no attempt overlaps with the one before.
    async fn follow(&mut self, layers: &mut Layers, begun: Instant) -> Result<(), Stopped> {
        let image = self.request.image();
        let settings = &self.puller.settings;
        let version = self.version();
        let credential = self.credential.clone();
        let order = PullOrder::new(image, &version)
            .with_platform(self.request.platform())
            .with_credential(credential.as_ref().map(|resolved| &*resolved.credential));
        let first = begun + settings.begin_timeout;
        let started = tokio::time::timeout_at(first, self.puller.engine.pull(order)).await;
        let mut stream = match started {
            Ok(stream) => stream.map_err(Stopped::Engine)?,
            Err(_) => return Err(Stopped::Limit(limits::begin(image, settings.begin_timeout))),
        };
        let mut deadline = first;
        let mut any = false;
        loop {
            let frame = match tokio::time::timeout_at(deadline, stream.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => frame.map_err(Stopped::Engine)?,
                Err(_) if any => {
                    return Err(Stopped::Limit(limits::inactivity(
                        image,
                        settings.inactivity_timeout,
                        layers.phase(),
                    )));
                }
                Err(_) => return Err(Stopped::Limit(limits::begin(image, settings.begin_timeout))),
            };
            if let Some(error) = frame.error {
                return Err(Stopped::Engine(EngineError::new(EngineErrorKind::Stream, error)));
            }
            let now = Instant::now();
            any = true;
            deadline = now + settings.inactivity_timeout;
            if let Some(progress) = layers.take(&frame, now) {
                self.emit(EventKind::Layer(progress));
            }
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
            Some(digest) => format!("{}@{digest}", image.familiar_name()),
            None => format!("{}:{}", image.familiar_name(), self.version()),
        }
    }

    /// A stream may end well and have brought nothing: the image is looked at.
    async fn see_image(&mut self, layers: &Layers) -> Result<(), Verdict> {
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
            let told = layers.digest().map(ToString::to_string);
            let digest = told.or_else(|| details.digest_in(image.familiar_name()).map(str::to_owned));
            if let Some(digest) = digest {
                self.found_digest(&digest);
                // It was pulled by its name and has it already.
                return Ok(());
            }
        }
        Ok(())
    }

    /// What was pulled by its digest gets the name that was asked for; an image that was asked for by digest has none.
    async fn tag(&mut self) -> Result<(), Verdict> {
        let image = self.request.image();
        let Some(digest) = self.facts.digest.as_ref().filter(|_| image.digest().is_none()) else {
            return Ok(());
        };
        let source = format!("{}@{digest}", image.familiar_name());
        let tag = image.tag().unwrap_or("latest");
        match self.puller.engine.tag(&source, image.familiar_name(), tag).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(&error, Stage::Tag).await),
        }
    }
}

/// What ended a pull of the engine.
enum Stopped {
    Limit(Verdict),
    Engine(EngineError),
}
