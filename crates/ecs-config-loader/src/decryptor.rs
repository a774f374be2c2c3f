//! Auth data that is encrypted where it is stored.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use ecs_registry_auth::{Diagnosis, Secret};

/// The encryption context that binds a ciphertext to its purpose: KMS decrypts it only with the same one.
///
/// Rule: <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>.
pub const ENGINE_AUTH_ENCRYPTION_CONTEXT: [(&str, &str); 1] = [("purpose", "ECS_ENGINE_AUTH_DATA")];

/// Auth data as it is stored in `ECS_ENGINE_AUTH_DATA_KMS`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EncryptedAuthData<'a> {
    /// What KMS returned as `CiphertextBlob`.
    pub ciphertext: &'a [u8],
    /// `ECS_ENGINE_AUTH_KMS_KEY`: the ARN of the key, where it is set.
    pub key: Option<&'a str>,
    /// The key's region: the one in its ARN, else the configured one.
    pub region: Option<&'a str>,
    /// `ECS_EXTERNAL`: whether this is an external instance (ECS Anywhere), which has credentials of another origin.
    pub external: bool,
    /// `ECS_ALTERNATE_CREDENTIAL_PROFILE`: the profile in the instance's rotating credentials file, where it is set.
    pub profile: Option<&'a str>,
}

/// The answer of a [`Decryptor`], once it is there.
pub type DecryptFuture<'a> = Pin<Box<dyn Future<Output = Result<Secret<Vec<u8>>, Diagnosis>> + Send + 'a>>;

/// Whatever turns a ciphertext into auth data: AWS KMS, or a map in a test. This crate knows no AWS.
pub trait Decryptor: Debug + Send + Sync {
    /// The plain text, which has the same form as `ECS_ENGINE_AUTH_DATA`. Decrypt with
    /// [`ENGINE_AUTH_ENCRYPTION_CONTEXT`].
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`]. A retriable one makes a watcher try again.
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a>;
}
