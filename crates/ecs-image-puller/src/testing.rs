//! A scripted engine, and a [proxy](fault_proxy) that makes a real registry fail (feature `testing`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs_registry_auth::{ImageReference, RegistryCredential};
use futures_util::stream::{self, StreamExt};

use crate::engine::{
    Distribution, Engine, EngineError, EngineErrorKind, EngineFuture, EngineVersion, ImageDetails, PullFrame,
    PullOrder, PullStream,
};

pub mod fault_proxy;
mod image;

pub use image::FakeImage;

/// An engine and the registries behind it, as a map: images by their reference, and what goes wrong next.
///
/// ```
/// use std::sync::Arc;
///
/// use ecs_image_puller::testing::{FakeEngine, FakeImage};
/// use ecs_image_puller::{PullRequest, Puller, PullerSettings, Silent};
/// use ecs_registry_auth::KeychainChain;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Arc::new(FakeEngine::new().with_image("registry.example.com/app:v1", FakeImage::new("sha256:01")));
/// let puller = Puller::new(engine.clone(), PullerSettings::default());
/// let request = PullRequest::new("registry.example.com/app:v1".parse()?, Arc::new(KeychainChain::default()));
/// let pulled = puller.pull(&request, &Silent).await?;
/// assert_eq!(pulled.facts.digest.as_deref(), Some("sha256:01"));
/// assert!(engine.has("registry.example.com/app:v1"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeEngine(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// What registries have, by the full form of the reference.
    images: BTreeMap<String, FakeImage>,
    /// What the engine has, by reference.
    present: BTreeMap<String, ImageDetails>,
    distribution_faults: VecDeque<EngineError>,
    pull_faults: VecDeque<Fault>,
    calls: Vec<Call>,
}

/// How the next pull goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The engine answers with an error.
    Refuse(EngineError),
    /// The engine never answers.
    Hang,
    /// These messages, then silence.
    Stall(Vec<PullFrame>),
    /// These messages, then the end of the connection, or of the stream when there is no error.
    Break(Vec<PullFrame>, Option<EngineError>),
}

/// A request that the engine got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// For a digest: the image, and the user name that was sent.
    Distribution(String, Option<String>),
    /// For a pull: name and version, and the user name that was sent.
    Pull(String, Option<String>),
    /// For a tag: the new name.
    Tag(String),
}

impl FakeEngine {
    /// An engine that has nothing and whose registries have nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with an image in its registry.
    ///
    /// # Panics
    ///
    /// If `reference` is no image reference.
    #[must_use]
    pub fn with_image(self, reference: &str, image: FakeImage) -> Self {
        self.put_image(reference, image);
        self
    }

    /// Puts an image into its registry, in place of the one that was there.
    ///
    /// # Panics
    ///
    /// If `reference` is no image reference.
    pub fn put_image(&self, reference: &str, image: FakeImage) {
        let key = full(reference);
        self.state().images.insert(key, image);
    }

    /// Gives the engine an image, as if it had been pulled before.
    ///
    /// # Panics
    ///
    /// If `reference` is no image reference.
    pub fn put_present(&self, reference: &str, details: ImageDetails) {
        let key = full(reference);
        self.state().present.insert(key, details);
    }

    /// The next question for a digest fails like this.
    pub fn fail_distribution(&self, error: EngineError) {
        self.state().distribution_faults.push_back(error);
    }

    /// The next pull goes wrong like this.
    pub fn fail_pull(&self, fault: Fault) {
        self.state().pull_faults.push_back(fault);
    }

    /// Whether the engine has an image of this reference.
    ///
    /// # Panics
    ///
    /// If `reference` is no image reference.
    #[must_use]
    pub fn has(&self, reference: &str) -> bool {
        self.state().present.contains_key(&full(reference))
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// How many pulls are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// How many pulls have run at once, at most.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.0.most_running.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(reference: &str) -> String {
    match ImageReference::parse(reference) {
        Ok(image) => with_version(&image),
        Err(error) => panic!("{error}"),
    }
}

fn with_version(image: &ImageReference) -> String {
    match (image.tag(), image.digest()) {
        (None, None) => format!("{}:latest", image.name()),
        (_, Some(digest)) => format!("{}@{digest}", image.name()),
        (Some(tag), None) => format!("{}:{tag}", image.name()),
    }
}

impl State {
    /// The image, if the registry gives it for this credential.
    fn find(
        &self,
        name: &str,
        version: &str,
        credential: Option<&RegistryCredential>,
    ) -> Result<&FakeImage, EngineError> {
        let answer = |status, message: &str| EngineError::new(EngineErrorKind::Answer(status), message);
        let by_digest = version.contains(':');
        let found = self.images.iter().find(|(reference, image)| {
            if by_digest {
                reference.starts_with(name) && image.distribution.digest == version
            } else {
                **reference == format!("{name}:{version}")
            }
        });
        let private = found.and_then(|(_, image)| Some((image, image.wants.as_ref()?)));
        if let Some((image, wants)) = private {
            let Some(credential) = credential else {
                return Err(answer(
                    500,
                    &format!("Head \"https://{name}\": no basic auth credentials"),
                ));
            };
            let shown = credential
                .password
                .as_ref()
                .map(|password| password.expose().as_str());
            let will_do = |(username, password): &(String, String)| {
                credential.username.as_deref() == Some(username) && shown == Some(password)
            };
            if !will_do(wants) && !image.also_wants.iter().any(will_do) {
                return Err(answer(401, "unauthorized: authentication required"));
            }
        }
        match found {
            Some((_, image)) => Ok(image),
            None => Err(answer(
                404,
                &format!("manifest for {name}:{version} not found: manifest unknown: manifest unknown"),
            )),
        }
    }
}

/// No time at all is no reason to give way to others.
async fn wait(pace: Duration) {
    if !pace.is_zero() {
        tokio::time::sleep(pace).await;
    }
}

fn username(credential: Option<&RegistryCredential>) -> Option<String> {
    credential.and_then(|credential| credential.username.clone())
}

impl Engine for FakeEngine {
    fn place(&self) -> String {
        "fake://engine".to_owned()
    }

    fn version(&self) -> EngineFuture<'_, EngineVersion> {
        Box::pin(std::future::ready(Ok(EngineVersion::new("0.0.0", "1.41"))))
    }

    fn distribution<'a>(
        &'a self,
        image: &'a ImageReference,
        credential: Option<&'a RegistryCredential>,
    ) -> EngineFuture<'a, Distribution> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                let call = Call::Distribution(with_version(image), username(credential));
                state.calls.push(call);
                if let Some(error) = state.distribution_faults.pop_front() {
                    return Err(error);
                }
                let version = image.digest().or(image.tag()).unwrap_or("latest");
                state
                    .find(image.name(), version, credential)
                    .map(|image| (image.distribution.clone(), image.pace))
            };
            let (distribution, pace) = answer?;
            wait(pace).await;
            Ok(distribution)
        })
    }

    fn pull<'a>(&'a self, order: PullOrder<'a>) -> EngineFuture<'a, PullStream> {
        Box::pin(async move {
            let name = order.image.name();
            let (fault, image) = {
                let mut state = self.state();
                let call = Call::Pull(format!("{name} {}", order.version), username(order.credential));
                state.calls.push(call);
                let fault = state.pull_faults.pop_front();
                let found = state.find(name, order.version, order.credential).cloned();
                (fault, found)
            };
            let running = Running::new(self.clone());
            let pace = image.as_ref().map_or(Duration::ZERO, |image| image.pace);
            let paced = move |frame| async move {
                wait(pace).await;
                frame
            };
            let stream: PullStream = match fault {
                Some(Fault::Refuse(error)) => return Err(error),
                Some(Fault::Hang) => std::future::pending().await,
                Some(Fault::Stall(frames)) => stream::iter(frames.into_iter().map(Ok))
                    .chain(stream::pending())
                    .boxed(),
                Some(Fault::Break(frames, error)) => {
                    stream::iter(frames.into_iter().map(Ok).chain(error.map(Err)))
                        .then(paced)
                        .boxed()
                }
                None => {
                    let image = image?;
                    let digest = image.distribution.digest.clone();
                    let mut details =
                        ImageDetails::new("sha256:id").with_repo_digests(vec![format!("{name}@{digest}")]);
                    details.platform = order.platform.cloned();
                    let references = [format!("{name}@{digest}"), format!("{name}:{}", order.version)];
                    let engine = self.clone();
                    let end = stream::once(async move {
                        let mut state = engine.state();
                        for reference in references {
                            state.present.insert(reference, details.clone());
                        }
                        Ok(PullFrame::status("Status: Downloaded newer image"))
                    });
                    let (count, message) = image.messages;
                    let frames = image.frames.into_iter().chain((0..count).map(message));
                    stream::iter(frames.map(Ok)).then(paced).chain(end).boxed()
                }
            };
            let stream: PullStream = Box::pin(stream.map(move |frame| {
                let _held = &running;
                frame
            }));
            Ok(stream)
        })
    }

    fn inspect<'a>(&'a self, reference: &'a str) -> EngineFuture<'a, Option<ImageDetails>> {
        let details = self.state().present.get(reference).cloned();
        Box::pin(std::future::ready(Ok(details)))
    }

    fn tag<'a>(&'a self, source: &'a str, repository: &'a str, tag: &'a str) -> EngineFuture<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            let name = format!("{repository}:{tag}");
            state.calls.push(Call::Tag(name.clone()));
            match state.present.get(source).cloned() {
                Some(details) => {
                    state.present.insert(name, details);
                    Ok(())
                }
                None => Err(EngineError::new(
                    EngineErrorKind::Answer(404),
                    format!("No such image: {source}"),
                )),
            }
        })
    }
}

/// Counts a pull until it is dropped.
#[derive(Debug)]
struct Running(FakeEngine);

impl Running {
    fn new(engine: FakeEngine) -> Self {
        let running = engine.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        engine.0.most_running.fetch_max(running, Ordering::SeqCst);
        Self(engine)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
