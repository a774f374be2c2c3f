//! Which image was pulled with which credential.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ecs_registry_auth::{Registry, RegistryCredential};
use thiserror::Error;

mod file;
mod identity;
mod memory;
mod tables;

pub(crate) use identity::{Identity, IdentityKey};

/// Remembers which image and digest were pulled with which credential, for [`Behavior::Once`](crate::Behavior::Once),
/// [`Behavior::PreferCached`](crate::Behavior::PreferCached), and for whoever may have an image after a failure.
///
/// A credential is known by a keyed hash alone. The key is made at random beside the record and never leaves the
/// machine, so that nobody who has the record can try passwords against it.
///
/// A record may be used by any number of processes at once: each opens it for the moment of one look or one entry.
/// An entry is on disk when [`Puller::pull`](crate::Puller::pull) returns. A process that is killed at any moment
/// leaves the record whole. A record that is lost or damaged costs requests and never gives an image away.
///
/// ```
/// use std::sync::Arc;
///
/// use ecs_image_puller::testing::{FakeEngine, FakeImage};
/// use ecs_image_puller::{Behavior, PullRecord, PullRequest, Puller, PullerSettings, Silent, Status};
/// use ecs_registry_auth::KeychainChain;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let engine = Arc::new(FakeEngine::new().with_image("registry.example.com/app:v1", FakeImage::new("sha256:01")));
/// let request = PullRequest::new("registry.example.com/app:v1".parse()?, Arc::new(KeychainChain::default()))
///     .with_behavior(Behavior::Once);
/// for expected in [Status::Pulled, Status::Cached] {
///     // As if each were another process.
///     let puller = Puller::new(engine.clone(), PullerSettings::default())
///         .with_record(PullRecord::in_directory(directory));
///     assert_eq!(puller.pull(&request, &Silent).await?.status, expected);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PullRecord(Arc<Store>);

#[derive(Debug)]
enum Store {
    Memory(Box<memory::Memory>),
    File(file::FileStore),
}

/// Why a record cannot be read or written. A pull does not fail because of it: it goes on as if nothing were recorded,
/// and says so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file of the record cannot be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has had the record open for too long.
    #[error("{path}: another process has kept the record open for 10 s", path = path.display())]
    Busy {
        /// The file that is locked.
        path: PathBuf,
    },
    /// A file of the record is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a question or an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The image as it was asked for, with its tag or digest, in the engine's spelling.
    pub(crate) reference: String,
    /// The platform that was asked for; empty for the engine's own.
    pub(crate) platform: String,
    /// The repository, in the engine's spelling.
    pub(crate) repository: String,
    /// The digest in that repository, or else the engine's id of the image.
    pub(crate) content: String,
}

/// Whom an entry is about.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) registry: Registry,
    /// `None` is nobody: an image that anybody may have.
    pub(crate) credential: Option<Arc<RegistryCredential>>,
}

impl Holder {
    fn identity(&self, key: &IdentityKey) -> Identity {
        key.identity(&self.registry, self.credential.as_deref())
    }

    /// Those whose access is access for this holder too: itself, and anybody.
    fn identities(&self, key: &IdentityKey) -> [Identity; 2] {
        [self.identity(key), key.identity(&self.registry, None)]
    }
}

/// What a record knows of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The reference was pulled before, by anybody.
    pub(crate) pulled: bool,
    /// The registry gave this content to this holder, or to anybody.
    pub(crate) accepted: bool,
}

/// How a holder came to have access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It pulled the image.
    Pulled,
    /// The registry showed it the manifest.
    Verified,
}

impl PullRecord {
    /// A record in a directory, which is made when the first entry is written, together with three files: `pulls.redb`,
    /// `pulls.key` and `pulls.lock`, for their owner alone (mode 0600).
    ///
    /// Nothing is read or written before it is needed.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Store::File(file::FileStore::new(directory.into()))))
    }

    /// A record that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Arc::new(Store::Memory(Box::default())))
    }

    /// What is known. Without a holder, nothing is accepted.
    pub(crate) async fn look_up(
        &self,
        subject: Subject,
        holder: Option<Holder>,
    ) -> Result<Known, RecordError> {
        match &*self.0 {
            Store::Memory(memory) => Ok(memory.look_up(&subject, holder.as_ref())),
            Store::File(file) => {
                let file = file.clone();
                blocking(move || file.look_up(&subject, holder.as_ref())).await
            }
        }
    }

    /// Makes an entry. It is made even if the future is dropped, once it was polled.
    pub(crate) async fn enter(
        &self,
        subject: Subject,
        holder: Holder,
        entry: Entry,
    ) -> Result<(), RecordError> {
        match &*self.0 {
            Store::Memory(memory) => {
                memory.enter(subject, &holder, entry);
                Ok(())
            }
            Store::File(file) => {
                let file = file.clone();
                blocking(move || file.enter(&subject, &holder, entry)).await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only a runtime that shuts down cancels blocking work, and then nobody polls this either.
        Err(_) => std::future::pending().await,
    }
}
