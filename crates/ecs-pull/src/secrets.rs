//! The secrets that this process has seen, so that none of them leaves it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use ecs_registry_auth::{
    Candidate, ImageReference, Keychain, Redactor, RegistryCredential, ResolveFuture, ResolvedCredential,
};

/// Remembers every credential that was resolved and takes it out of texts. Clones share what they know.
///
/// A pull needs none of this to keep its errors clean; it is for texts that others write, such as the log lines of
/// HTTP libraries.
///
/// ```
/// use ecs_pull::KnownSecrets;
/// use ecs_pull::registry_auth::RegistryCredential;
///
/// let known = KnownSecrets::default();
/// known.learn(&RegistryCredential::basic("alice", "correct horse"));
/// assert_eq!(known.redact("password=correct horse"), "password=[redacted]");
/// ```
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets(Arc<RwLock<Redactor>>);

impl KnownSecrets {
    /// Adds the secrets of a credential.
    pub fn learn(&self, credential: &RegistryCredential) {
        let mut redactor = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *redactor = std::mem::take(&mut *redactor).with_credential(credential);
    }

    /// The text without them.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).redact(text)
    }
}

/// A keychain whose answers are learned before anybody else sees them.
#[derive(Debug)]
pub(crate) struct Learning {
    keychain: Arc<dyn Keychain>,
    known: KnownSecrets,
    /// What was learned last: an answer from a cache is the same credential again and again.
    learned: Mutex<Weak<RegistryCredential>>,
}

impl Learning {
    pub(crate) fn new(keychain: Arc<dyn Keychain>, known: KnownSecrets) -> Self {
        Self {
            keychain,
            known,
            learned: Mutex::default(),
        }
    }

    fn learn_once(&self, credential: &Arc<RegistryCredential>) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        // As long as this pointer is kept, no other credential can have its address.
        if !std::ptr::eq(learned.as_ptr(), Arc::as_ptr(credential)) {
            self.known.learn(credential);
            *learned = Arc::downgrade(credential);
        }
    }

    fn learn<'a>(&'a self, answer: ResolveFuture<'a>) -> ResolveFuture<'a> {
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(resolved) = &answer {
                self.learn_once(&resolved.credential);
            }
            Ok(answer)
        })
    }
}

impl Keychain for Learning {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        self.learn(self.keychain.resolve(image))
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        self.learn(self.keychain.resolve_after_refusal(image, refused))
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        self.keychain.candidates(image)
    }
}
