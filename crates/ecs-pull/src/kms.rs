//! Engine auth that is encrypted with AWS KMS: the AWS side of what the configuration only names.

use ecs_config_loader::{
    DecryptFuture, Decryptor, ENGINE_AUTH_ENCRYPTION_CONTEXT, EncryptFuture, Encrypted, EncryptedAuthData,
    Encryptor,
};
use ecs_registry_auth::Secret;
use ecs_secret_resolver::{AwsContext, Identity, KmsDecryptor};

/// Encrypts and decrypts `ECS_ENGINE_AUTH_DATA_KMS` with AWS KMS.
///
/// ```
/// use std::sync::Arc;
///
/// use ecs_pull::KmsAuthData;
/// use ecs_pull::config_loader::{Environment, Loader};
/// use ecs_pull::secret_resolver::{AwsContext, AwsOptions, Identity};
///
/// let aws = AwsContext::new(AwsOptions::default());
/// let loader = Loader::new(Environment::process())
///     .decryptor(Arc::new(KmsAuthData::new(aws, Identity::caller())));
/// # let _ = loader;
/// ```
#[derive(Clone, Debug)]
pub struct KmsAuthData(KmsDecryptor);

impl KmsAuthData {
    /// With the permissions of this identity: on an instance, its own.
    #[must_use]
    pub fn new(aws: AwsContext, identity: Identity) -> Self {
        Self(KmsDecryptor::new(aws, identity))
    }
}

impl Decryptor for KmsAuthData {
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a> {
        Box::pin(self.0.decrypt(
            data.ciphertext,
            data.key,
            data.region,
            &ENGINE_AUTH_ENCRYPTION_CONTEXT,
        ))
    }
}

impl Encryptor for KmsAuthData {
    fn encrypt<'a>(&'a self, key: &'a str, plaintext: &'a Secret<String>) -> EncryptFuture<'a> {
        Box::pin(async move {
            let ciphertext = self
                .0
                .encrypt(
                    plaintext.expose().as_bytes(),
                    key,
                    None,
                    &ENGINE_AUTH_ENCRYPTION_CONTEXT,
                )
                .await?;
            Ok(Encrypted::new(ciphertext, key))
        })
    }
}
