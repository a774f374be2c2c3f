//! A configuration that follows its files.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{Candidate, ImageReference, Keychain, ResolveFuture};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::layers::Sources;
use crate::{Config, ConfigErrors, EngineAuth, Finding, Loader, file};

/// A file that is being written is read again after this long, and used if it says the same.
const SETTLE: Duration = Duration::from_millis(50);

/// A configuration that follows its files, without a restart.
///
/// The files are read at each interval and compared by content: replaced files, swapped symbolic links and writes
/// in place are all seen, whatever the file system's time stamps say. A new configuration is swapped in as a whole:
/// what starts afterwards uses it, what is running goes on with the old one. A new file that is broken leaves the old
/// configuration in use, and [`problem`](Self::problem) and the log say so.
///
/// The process environment does not change. Dropping the last clone of this value stops the watching.
///
/// ```no_run
/// use std::time::Duration;
///
/// use ecs_config_loader::{ConfigWatch, Environment, Loader};
///
/// # async fn run() -> Result<(), ecs_config_loader::ConfigErrors> {
/// let loader = Loader::new(Environment::process());
/// let watch = ConfigWatch::start(loader, Duration::from_secs(2)).await?;
/// let keychain = watch.keychain();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConfigWatch {
    state: watch::Receiver<State>,
    _task: Arc<StopOnDrop>,
}

#[derive(Clone, Debug)]
struct State {
    config: Arc<Config>,
    problem: Option<ConfigErrors>,
}

#[derive(Debug)]
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ConfigWatch {
    /// Loads the configuration and starts to watch its files on the current Tokio runtime, which needs its timer.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`], for the first configuration.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn start(loader: Loader, interval: Duration) -> Result<Self, ConfigErrors> {
        let hasher = RandomState::new();
        let read = loader.read().await;
        let fingerprint = fingerprint(&hasher, &loader, &read).await;
        let sources = read.map_err(ConfigErrors::new)?;
        let config = loader.assemble(&sources).await.into_result()?;
        drop(sources);
        let (sender, state) = watch::channel(State {
            config: Arc::new(config),
            problem: None,
        });
        let follower = Follower {
            loader,
            hasher,
            fingerprint,
            sender,
        };
        let task = tokio::spawn(follower.run(interval));
        Ok(Self {
            state,
            _task: Arc::new(StopOnDrop(task.abort_handle())),
        })
    }

    /// The configuration in use.
    #[must_use]
    pub fn current(&self) -> Arc<Config> {
        Arc::clone(&self.state.borrow().config)
    }

    /// Why the files as they are now are not in use; `None` if they are.
    #[must_use]
    pub fn problem(&self) -> Option<ConfigErrors> {
        self.state.borrow().problem.clone()
    }

    /// Waits until there is another configuration or another problem than this clone has seen.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // The runtime is shutting down: nothing will change any more.
            std::future::pending::<()>().await;
        }
    }

    /// The engine-auth credentials of whichever configuration is in use when an image is resolved.
    #[must_use]
    pub fn keychain(&self) -> WatchedEngineAuth {
        WatchedEngineAuth(self.clone())
    }
}

/// The engine-auth credentials of a [`ConfigWatch`]: each image is resolved with the configuration of that moment.
#[derive(Clone, Debug)]
pub struct WatchedEngineAuth(ConfigWatch);

impl WatchedEngineAuth {
    /// The credentials in use now. They do not change any more.
    #[must_use]
    pub fn current(&self) -> EngineAuth {
        self.0.state.borrow().config.engine_auth.clone()
    }
}

impl Keychain for WatchedEngineAuth {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        let answer = self.current().lookup(image).map(Option::<&_>::cloned);
        Box::pin(std::future::ready(answer))
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        self.current().candidates(image)
    }
}

struct Follower {
    loader: Loader,
    hasher: RandomState,
    /// Of the files that were looked at last, usable or not.
    fingerprint: u64,
    sender: watch::Sender<State>,
}

impl Follower {
    async fn run(mut self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let read = self.loader.read().await;
        let fingerprint = fingerprint(&self.hasher, &self.loader, &read).await;
        if fingerprint == self.fingerprint {
            let again = self
                .sender
                .borrow()
                .problem
                .as_ref()
                .is_some_and(ConfigErrors::is_retriable);
            if again {
                self.replace(read).await;
            }
            return;
        }
        drop(read);
        tokio::time::sleep(SETTLE).await;
        let read = self.loader.read().await;
        if self::fingerprint(&self.hasher, &self.loader, &read).await == fingerprint {
            self.fingerprint = fingerprint;
            self.replace(read).await;
        }
    }

    async fn replace(&self, read: Result<Sources, Vec<Finding>>) {
        let loaded = match read {
            Ok(sources) => self.loader.assemble(&sources).await.into_result(),
            Err(findings) => Err(ConfigErrors::new(findings)),
        };
        match loaded {
            Ok(config) => {
                tracing::info!(
                    registries = config.engine_auth.len(),
                    warnings = config.warnings.len(),
                    "the configuration has changed and is in use"
                );
                self.sender.send_replace(State {
                    config: Arc::new(config),
                    problem: None,
                });
            }
            Err(problem) => {
                self.sender.send_if_modified(|state| {
                    let news = state.problem.as_ref() != Some(&problem);
                    if news {
                        tracing::warn!(
                            %problem,
                            "the configuration has changed and cannot be used; the previous one stays"
                        );
                        state.problem = Some(problem);
                    }
                    news
                });
            }
        }
    }
}

/// Tells contents apart without keeping them. Its hasher has a random key, so equal values in different processes
/// tell nothing about secrets.
async fn fingerprint(hasher: &RandomState, loader: &Loader, read: &Result<Sources, Vec<Finding>>) -> u64 {
    let mut state = hasher.build_hasher();
    match read {
        Ok(sources) => {
            for file in [&sources.env_file, &sources.json_file] {
                let content = file.as_ref().map(|file| (&file.path, file.content.as_slice()));
                content.hash(&mut state);
            }
        }
        Err(findings) => findings.hash(&mut state),
    }
    for path in loader.also_watched() {
        let read = file::read_optional(path).await;
        read.as_ref()
            .map(|file| file.as_ref().map(|file| file.content.as_slice()))
            .hash(&mut state);
    }
    state.finish()
}
