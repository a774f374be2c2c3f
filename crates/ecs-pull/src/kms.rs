//! Engine auth that is encrypted with AWS KMS: the AWS side of what the configuration only names.

use ecs_config_loader::{
    DecryptFuture, Decryptor, ENGINE_AUTH_ENCRYPTION_CONTEXT, EncryptFuture, Encrypted, EncryptedAuthData,
    Encryptor,
};
use ecs_registry_auth::Secret;
use ecs_secret_resolver::{AwsContext, Identity, KmsDecryptor};

use crate::client::instance_identity;

/// Encrypts and decrypts `ECS_ENGINE_AUTH_DATA_KMS` with AWS KMS.
///
/// ```
/// use std::sync::Arc;
///
/// use ecs_pull::KmsAuthData;
/// use ecs_pull::config_loader::{Environment, Loader};
/// use ecs_pull::secret_resolver::{AwsContext, AwsOptions};
///
/// let aws = AwsContext::new(AwsOptions::default());
/// let loader = Loader::new(Environment::process())
///     .decryptor(Arc::new(KmsAuthData::of_instance(aws)));
/// # let _ = loader;
/// ```
#[derive(Clone, Debug)]
pub struct KmsAuthData {
    aws: AwsContext,
    identity: Option<Identity>,
}

impl KmsAuthData {
    /// With the permissions of this identity.
    #[must_use]
    pub fn new(aws: AwsContext, identity: Identity) -> Self {
        Self {
            aws,
            identity: Some(identity),
        }
    }

    /// With the permissions of the machine that the configuration describes: on an external instance
    /// (`ECS_EXTERNAL`) those of ECS Anywhere, else the caller's own.
    #[must_use]
    pub fn of_instance(aws: AwsContext) -> Self {
        Self { aws, identity: None }
    }

    fn kms(&self, external: bool, profile: Option<&str>) -> KmsDecryptor {
        let identity = self
            .identity
            .clone()
            .unwrap_or_else(|| instance_identity(external, profile));
        KmsDecryptor::new(self.aws.clone(), identity)
    }
}

impl Decryptor for KmsAuthData {
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a> {
        let kms = self.kms(data.external, data.profile);
        Box::pin(async move {
            kms.decrypt(
                data.ciphertext,
                data.key,
                data.region,
                &ENGINE_AUTH_ENCRYPTION_CONTEXT,
            )
            .await
        })
    }
}

impl Encryptor for KmsAuthData {
    fn encrypt<'a>(&'a self, key: &'a str, plaintext: &'a Secret<String>) -> EncryptFuture<'a> {
        Box::pin(async move {
            let ciphertext = self
                .kms(false, None)
                .encrypt(
                    plaintext.expose().as_bytes(),
                    key,
                    None,
                    &ENGINE_AUTH_ENCRYPTION_CONTEXT,
                )
                .await?;
            Ok(Encrypted::new(ciphertext.bytes, ciphertext.key))
        })
    }
}
