//! When an image that the engine has will do.

use ecs_registry_auth::Diagnosis;
use ecs_registry_auth::Stage;

use super::operation::Operation;
use crate::Behavior;

impl Operation<'_> {
    /// Whether the behaviour lets an image do that the engine has, and it has it.
    pub(super) async fn is_cached_for(&mut self, behavior: Behavior) -> Result<bool, Diagnosis> {
        match behavior {
            Behavior::Default | Behavior::Always => Ok(false),
            Behavior::Once if !self.puller.pulled().contains(&*self.memory_key()) => Ok(false),
            Behavior::Once | Behavior::PreferCached => self.find_cached().await,
        }
    }

    /// After a failure that may pass: whether the engine has the image.
    pub(super) async fn cached_after(&mut self, failure: &Diagnosis) -> bool {
        let limit = self.puller.settings.manifest_timeout;
        let found = tokio::time::timeout(limit, self.find_cached()).await;
        if !matches!(found, Ok(Ok(true))) {
            return false;
        }
        tracing::warn!(image = %self.request.image(), reason = %failure, "pull failed, the engine's image is used");
        self.facts.notes.push(format!(
            "the image that the engine has is used, because the pull failed: {failure}"
        ));
        true
    }

    async fn find_cached(&mut self) -> Result<bool, Diagnosis> {
        let image = self.request.image();
        let name = match image.digest() {
            Some(digest) => format!("{}@{digest}", image.familiar_name()),
            None => format!("{}:{}", image.familiar_name(), image.tag().unwrap_or("latest")),
        };
        let details = match self.puller.engine.inspect(&name).await {
            Ok(Some(details)) => details,
            Ok(None) => return Ok(false),
            Err(error) => return Err(self.explain(&error, Stage::Manifest).await.diagnosis),
        };
        if let (Some(wanted), Some(platform)) = (self.request.platform(), &details.platform)
            && !wanted.accepts(platform)
        {
            return Ok(false);
        }
        let digest = image
            .digest()
            .or_else(|| details.digest_in(image.familiar_name()))
            .map(str::to_owned);
        if let Some(digest) = digest {
            self.found_digest(&digest);
        }
        Ok(true)
    }

    /// Takes note that this puller has pulled the image.
    pub(super) fn remember_pulled(&self) {
        let key = self.memory_key();
        self.puller.pulled().insert(key);
    }

    fn memory_key(&self) -> Box<str> {
        let platform = self
            .request
            .platform()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("{}|{platform}", self.request.image().familiar()).into()
    }
}
