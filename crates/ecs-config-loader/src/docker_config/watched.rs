//! Docker's configuration as it is when an image is resolved.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecs_registry_auth::{Candidate, ImageReference, Keychain, ResolveFuture};

use super::DockerConfig;
use crate::{ConfigErrors, DockerConfigUse, Environment, file};

/// A file that is being written is read again after this long, and used if it says the same.
const SETTLE: Duration = Duration::from_millis(50);

/// A [`DockerConfig`] that follows its file: after `docker login`, the next pull uses the new credential.
///
/// The file is compared by content before each image is resolved. What is running goes on with the configuration that
/// it started with. A new file that is broken leaves the old configuration in use, and [`problem`](Self::problem) and
/// the log say so. Cloning is cheap; clones share what they know.
///
/// ```no_run
/// use ecs_config_loader::{DockerConfigUse, Environment, WatchedDockerConfig};
///
/// # async fn run() -> Result<(), ecs_config_loader::ConfigErrors> {
/// let environment = Environment::process();
/// let keychain = WatchedDockerConfig::load(&DockerConfigUse::Standard, &environment).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WatchedDockerConfig(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wanted: DockerConfigUse,
    environment: Environment,
    helper_timeout: Option<Duration>,
    hasher: RandomState,
    state: Mutex<State>,
    /// Held by the one caller that reads the changed file.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct State {
    config: DockerConfig,
    /// Of the file that was looked at last, usable or not.
    fingerprint: u64,
    problem: Option<ConfigErrors>,
}

impl WatchedDockerConfig {
    /// What a setting asks for; `None` when it is [`DockerConfigUse::Off`].
    ///
    /// # Errors
    ///
    /// As [`DockerConfig::load`], for the first configuration.
    pub async fn load(
        wanted: &DockerConfigUse,
        environment: &Environment,
    ) -> Result<Option<Self>, ConfigErrors> {
        Self::load_with(wanted, environment, None).await
    }

    /// [`load`](Self::load) with another limit on how long a helper may take.
    ///
    /// # Errors
    ///
    /// As [`DockerConfig::load`], for the first configuration.
    pub async fn load_with_helper_timeout(
        wanted: &DockerConfigUse,
        environment: &Environment,
        timeout: Duration,
    ) -> Result<Option<Self>, ConfigErrors> {
        Self::load_with(wanted, environment, Some(timeout)).await
    }

    async fn load_with(
        wanted: &DockerConfigUse,
        environment: &Environment,
        helper_timeout: Option<Duration>,
    ) -> Result<Option<Self>, ConfigErrors> {
        // The first one says which file it is. The fingerprint is taken before the one that is used is read: a file that
        // is replaced in between differs from its fingerprint and is read again.
        let Some(first) = DockerConfig::load(wanted, environment).await? else {
            return Ok(None);
        };
        let hasher = RandomState::new();
        let fingerprint = fingerprint(&hasher, &first).await;
        let config = DockerConfig::load(wanted, environment).await?.unwrap_or(first);
        let config = limited(config, helper_timeout);
        Ok(Some(Self(Arc::new(Shared {
            wanted: wanted.clone(),
            environment: environment.clone(),
            helper_timeout,
            hasher,
            state: Mutex::new(State {
                config,
                fingerprint,
                problem: None,
            }),
            reading: tokio::sync::Mutex::new(()),
        }))))
    }

    /// The configuration that was in use last.
    #[must_use]
    pub fn current(&self) -> DockerConfig {
        self.0.state().config
    }

    /// Why the file as it was last seen is not in use; `None` if it is.
    #[must_use]
    pub fn problem(&self) -> Option<ConfigErrors> {
        self.0.state().problem
    }
}

impl Shared {
    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration as the file is now.
    async fn fresh(&self) -> DockerConfig {
        let state = self.state();
        let seen = fingerprint(&self.hasher, &state.config).await;
        if seen == state.fingerprint {
            return state.config;
        }
        let _reading = self.reading.lock().await;
        let state = self.state();
        if seen == state.fingerprint {
            // Another caller has read it in the meantime.
            return state.config;
        }
        tokio::time::sleep(SETTLE).await;
        let loaded = DockerConfig::load(&self.wanted, &self.environment).await;
        if fingerprint(&self.hasher, &state.config).await == seen {
            self.replace(loaded, seen);
        }
        self.state().config
    }

    fn replace(&self, loaded: Result<Option<DockerConfig>, ConfigErrors>, fingerprint: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fingerprint = fingerprint;
        match loaded {
            Ok(config) => {
                tracing::info!("Docker's configuration has changed and is in use");
                state.problem = None;
                if let Some(config) = config {
                    state.config = limited(config, self.helper_timeout);
                }
            }
            Err(problem) => {
                tracing::warn!(
                    %problem,
                    "Docker's configuration has changed and cannot be used; the previous one stays"
                );
                state.problem = Some(problem);
            }
        }
    }
}

fn limited(config: DockerConfig, helper_timeout: Option<Duration>) -> DockerConfig {
    match helper_timeout {
        Some(timeout) => config.with_helper_timeout(timeout),
        None => config,
    }
}

/// Tells contents apart without keeping them. The hasher's key is random: equal values in different processes tell
/// nothing about secrets.
async fn fingerprint(hasher: &RandomState, config: &DockerConfig) -> u64 {
    let mut state = hasher.build_hasher();
    if let Some(path) = config.path() {
        let read = file::read_optional(path).await;
        read.as_ref()
            .map(|file| file.as_ref().map(|file| file.content.as_slice()))
            .hash(&mut state);
    }
    state.finish()
}

impl Keychain for WatchedDockerConfig {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(async move { self.0.fresh().await.resolve(image).await })
    }

    /// Of the configuration that was in use last: this reads nothing.
    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        self.current().candidates(image)
    }
}
