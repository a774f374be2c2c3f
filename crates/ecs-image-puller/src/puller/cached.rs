//! When an image that the engine has will do, and for whom.

use ecs_registry_auth::{Diagnosis, ErrorClass, ImageReference, Stage};

use super::manifest::Refused;
use super::operation::Operation;
use crate::engine::ImageDetails;
use crate::record::{Entry, Holder, Known, RecordError, Subject};
use crate::{Behavior, CachedImages};

/// An image that the engine has under the name that was asked for.
#[derive(Debug)]
pub(super) struct Cached {
    /// In the repository that was asked for.
    digest: Option<String>,
    /// The digest, or else the engine's id of the image.
    content: String,
    /// No registry ever gave it: it was built or imported.
    is_local: bool,
}

impl Operation<'_> {
    /// The image, if the engine has it for the platform that was asked for.
    pub(super) async fn find_cached(&mut self) -> Result<Option<Cached>, Diagnosis> {
        let image = self.request.image();
        let details = match self
            .puller
            .engine
            .inspect(&with_version(image.name(), image))
            .await
        {
            Ok(Some(details)) => details,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.explain(&error, Stage::Manifest).await.diagnosis),
        };
        if let (Some(wanted), Some(platform)) = (self.request.platform(), &details.platform)
            && !wanted.accepts(platform)
        {
            return Ok(None);
        }
        let digest = image
            .digest()
            .or_else(|| details.digest_in(image.familiar_name()))
            .map(str::to_owned);
        Ok(Some(Cached {
            content: digest.clone().unwrap_or_else(|| details.id.clone()),
            digest,
            is_local: details.repo_digests.is_empty(),
        }))
    }

    /// With the agent's old behaviour: whether the image will do for whoever asks.
    pub(super) async fn is_trusted(&mut self, behavior: Behavior, cached: &Cached) -> bool {
        if self.puller.settings.cached_images != CachedImages::Trust {
            return false;
        }
        if behavior == Behavior::Once && !self.look_up(cached, None).await.pulled {
            return false;
        }
        self.use_cached(cached);
        true
    }

    /// Whether the image will do for the credential that is in use.
    ///
    /// # Errors
    ///
    /// When the registry refuses to show the manifest, or cannot be asked.
    pub(super) async fn may_use(&mut self, behavior: Behavior, cached: &Cached) -> Result<bool, Diagnosis> {
        let holder = self.holder();
        let known = match behavior {
            Behavior::PreferCached if cached.is_local => Known {
                pulled: false,
                accepted: true,
            },
            _ => self.look_up(cached, Some(holder.clone())).await,
        };
        if behavior == Behavior::Once && !known.pulled {
            return Ok(false);
        }
        if !known.accepted {
            if !self.is_shown(cached).await? {
                return Ok(false);
            }
            // Not the holder from above: a refused credential may have been replaced.
            let entered = self
                .puller
                .record
                .enter(self.subject(&cached.content), self.holder(), Entry::Verified)
                .await;
            self.tell_unrecorded(entered);
        }
        self.use_cached(cached);
        Ok(true)
    }

    /// Whether the registry shows the manifest of this very image. It may have been deleted there, and not every engine
    /// can ask: then a pull decides.
    async fn is_shown(&mut self, cached: &Cached) -> Result<bool, Diagnosis> {
        let Some(digest) = &cached.digest else {
            return Ok(false);
        };
        let Ok(pinned) = ImageReference::parse(&self.request.image().pinned_to(digest)) else {
            return Ok(false);
        };
        match self.ask_registry(&pinned).await {
            Ok(()) => Ok(true),
            Err(Refused::Failed(diagnosis)) if diagnosis.class() != ErrorClass::NotFound => Err(diagnosis),
            Err(Refused::Failed(_) | Refused::Unsupported(_)) => {
                // What this told is not about the image that is asked for next.
                self.forget_digest();
                self.distribution = None;
                self.is_access_shown = false;
                Ok(false)
            }
        }
    }

    /// After a failure that may pass: whether the engine has the image, and it will do.
    pub(super) async fn cached_after(&mut self, failure: &Diagnosis) -> bool {
        let limit = self.puller.settings.manifest_timeout;
        let Ok(Ok(Some(cached))) = tokio::time::timeout(limit, self.find_cached()).await else {
            return false;
        };
        if !self.may_use_after_failure(&cached).await {
            self.facts.notes.push(
                "the image that the engine has is not used, because nothing shows that this credential has access to \
                 it"
                .to_owned(),
            );
            return false;
        }
        self.use_cached(&cached);
        tracing::warn!(image = %self.request.image(), reason = %failure, "pull failed, the engine's image is used");
        self.facts.notes.push(format!(
            "the image that the engine has is used, because the pull failed: {failure}"
        ));
        true
    }

    async fn may_use_after_failure(&mut self, cached: &Cached) -> bool {
        // A credential that could not be obtained is not nobody's.
        self.is_resolved
            && (self.puller.settings.cached_images == CachedImages::Trust
                || cached.is_local
                // Registries give access to repositories as a whole.
                || self.is_access_shown
                || self.look_up(cached, Some(self.holder())).await.accepted)
    }

    fn use_cached(&mut self, cached: &Cached) {
        self.forget_digest();
        if let Some(digest) = &cached.digest {
            self.found_digest(digest);
        }
    }

    fn forget_digest(&mut self) {
        self.facts.digest = None;
        self.facts.reference = None;
    }

    async fn look_up(&mut self, cached: &Cached, holder: Option<Holder>) -> Known {
        let subject = self.subject(&cached.content);
        match self.puller.record.look_up(subject, holder).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "the record of pulls cannot be read");
                self.facts.notes.push(format!(
                    "the record of earlier pulls cannot be read, so nothing is taken as pulled: {error}"
                ));
                Known::default()
            }
        }
    }

    /// Enters what was pulled, with the credential it was pulled with.
    pub(super) fn record_pull(&self) -> impl Future<Output = Result<(), RecordError>> + Send + use<> {
        let record = self.puller.record.clone();
        let entry = self
            .content
            .as_ref()
            .map(|content| (self.subject(content), self.holder()));
        async move {
            match entry {
                Some((subject, holder)) => record.enter(subject, holder, Entry::Pulled).await,
                None => Ok(()),
            }
        }
    }

    /// A pull does not fail because it cannot be recorded.
    pub(super) fn tell_unrecorded(&mut self, outcome: Result<(), RecordError>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, "the record of pulls cannot be written");
            self.facts
                .notes
                .push(format!("this pull could not be recorded: {error}"));
        }
    }

    /// What the engine has, as the record names it.
    pub(super) fn content_of(&self, details: &ImageDetails) -> String {
        let digest = self.facts.digest.as_deref();
        digest.unwrap_or(&details.id).to_owned()
    }

    fn subject(&self, content: &str) -> Subject {
        let image = self.request.image();
        Subject {
            reference: with_version(image.familiar_name(), image),
            platform: self
                .request
                .platform()
                .map(ToString::to_string)
                .unwrap_or_default(),
            repository: image.familiar_name().to_owned(),
            content: content.to_owned(),
        }
    }

    fn holder(&self) -> Holder {
        Holder {
            registry: self.request.image().registry().clone(),
            credential: self
                .credential
                .as_ref()
                .map(|resolved| resolved.credential.clone()),
        }
    }
}

/// The name with what the engine would have the image under: its digest, or else its tag.
fn with_version(name: &str, image: &ImageReference) -> String {
    match image.digest() {
        Some(digest) => format!("{name}@{digest}"),
        None => format!("{name}:{}", image.tag().unwrap_or("latest")),
    }
}
