//! Auth data that is encrypted where it is stored: the side that writes.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ecs_registry_auth::{Diagnosis, Secret};

/// Auth data after its encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    pub(super) base64: String,
    pub(super) key: String,
}

impl Encrypted {
    /// What KMS returned as `CiphertextBlob`, and as `KeyId` the ARN of the key that it used.
    pub fn new(ciphertext: impl AsRef<[u8]>, key: impl Into<String>) -> Self {
        Self {
            base64: BASE64_STANDARD.encode(ciphertext),
            key: key.into(),
        }
    }
}

/// The answer of an [`Encryptor`], once it is there.
pub type EncryptFuture<'a> = Pin<Box<dyn Future<Output = Result<Encrypted, Diagnosis>> + Send + 'a>>;

/// Whatever encrypts auth data: AWS KMS, or a map in a test. This crate knows no AWS.
pub trait Encryptor: Debug + Send + Sync {
    /// Encrypts auth data under `key`: the id, ARN or alias of a KMS key. Encrypt with
    /// [`ENGINE_AUTH_ENCRYPTION_CONTEXT`](crate::ENGINE_AUTH_ENCRYPTION_CONTEXT).
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`].
    fn encrypt<'a>(&'a self, key: &'a str, plaintext: &'a Secret<String>) -> EncryptFuture<'a>;
}
