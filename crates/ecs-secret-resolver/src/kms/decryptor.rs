//! Encryption of configuration at rest.

use std::collections::HashMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use ecs_registry_auth::{Diagnosis, ErrorName, Secret};

use crate::aws::diagnosis::{Subject, configuration_error};
use crate::aws::failure::AwsFailure;
use crate::{Arn, AwsContext, Identity};

/// Encrypts and decrypts small texts with a KMS key, bound to an encryption context.
///
/// ```
/// use ecs_secret_resolver::{AwsContext, AwsOptions, Identity, KmsDecryptor};
///
/// let kms = KmsDecryptor::new(AwsContext::new(AwsOptions::default()), Identity::caller());
/// # async fn example(kms: KmsDecryptor) -> Result<(), ecs_registry_auth::Diagnosis> {
/// let key = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
/// let context = [("purpose", "ECS_ENGINE_AUTH_DATA")];
/// let ciphertext = kms.encrypt(b"{}", key, None, &context).await?;
/// let plain = kms.decrypt(&ciphertext.bytes, Some(&ciphertext.key), None, &context).await?;
/// assert_eq!(plain.expose(), b"{}");
/// # Ok(())
/// # }
/// # let _ = example(kms);
/// ```
#[derive(Clone, Debug)]
pub struct KmsDecryptor {
    context: AwsContext,
    identity: Identity,
}

/// What KMS encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ciphertext {
    /// What KMS returned as `CiphertextBlob`.
    pub bytes: Vec<u8>,
    /// The ARN of the key, also where an id or an alias was asked for; it names the region to decrypt in.
    pub key: String,
}

impl KmsDecryptor {
    /// With the permissions of an identity: usually [`Identity::caller`] or the instance's.
    #[must_use]
    pub fn new(context: AwsContext, identity: Identity) -> Self {
        Self { context, identity }
    }

    /// Decrypts what KMS returned as `CiphertextBlob`.
    ///
    /// The region is that of `key` when it is an ARN, else `region`, else the context's. With a key, a ciphertext of
    /// another one is refused.
    ///
    /// Rule: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] with key, region, identity, AWS's code and request id.
    pub async fn decrypt(
        &self,
        ciphertext: &[u8],
        key: Option<&str>,
        region: Option<&str>,
        encryption_context: &[(&str, &str)],
    ) -> Result<Secret<Vec<u8>>, Diagnosis> {
        let (client, region) = self.client(key, region).await?;
        let answer = client
            .decrypt()
            .ciphertext_blob(Blob::new(ciphertext))
            .set_key_id(key.map(str::to_owned))
            .set_encryption_context(Some(owned(encryption_context)))
            .send()
            .await;
        match answer {
            Ok(output) => output
                .plaintext
                .map(|plain| Secret::new(plain.into_inner()))
                .ok_or_else(|| configuration_error(format!("KMS in {region} answered without a plain text"))),
            Err(error) => {
                let failure = AwsFailure::from_sdk("kms:Decrypt", &error, self.context.now());
                Err(self.diagnose(&failure, "the ciphertext cannot be decrypted", key, &region))
            }
        }
    }

    /// Encrypts at most 4096 bytes.
    ///
    /// `key` is the ARN, the id or the alias of a symmetric key. The region is chosen as in [`decrypt`](Self::decrypt).
    ///
    /// Rule: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] with key, region, identity, AWS's code and request id.
    pub async fn encrypt(
        &self,
        plain: &[u8],
        key: &str,
        region: Option<&str>,
        encryption_context: &[(&str, &str)],
    ) -> Result<Ciphertext, Diagnosis> {
        const MOST: usize = 4096;
        if plain.len() > MOST {
            return Err(configuration_error(format!(
                "KMS encrypts at most {MOST} bytes at once, these are {}",
                plain.len()
            ))
            .with_next_step("leave out registries that this instance does not use"));
        }
        let (client, region) = self.client(Some(key), region).await?;
        let answer = client
            .encrypt()
            .plaintext(Blob::new(plain))
            .key_id(key)
            .set_encryption_context(Some(owned(encryption_context)))
            .send()
            .await;
        match answer {
            Ok(output) => output
                .ciphertext_blob
                .map(|blob| Ciphertext {
                    bytes: blob.into_inner(),
                    key: output.key_id.unwrap_or_else(|| key.to_owned()),
                })
                .ok_or_else(|| configuration_error(format!("KMS in {region} answered without a ciphertext"))),
            Err(error) => {
                let failure = AwsFailure::from_sdk("kms:Encrypt", &error, self.context.now());
                Err(self.diagnose(&failure, "the text cannot be encrypted", Some(key), &region))
            }
        }
    }

    async fn client(&self, key: Option<&str>, region: Option<&str>) -> Result<(Client, String), Diagnosis> {
        let of_key = key
            .and_then(|key| Arn::parse(key).ok())
            .filter(|arn| arn.service() == "kms")
            .map(|arn| arn.region().to_owned());
        let region = match of_key.or_else(|| region.map(str::to_owned)) {
            Some(region) => region,
            None => self.context.region().await?.ok_or_else(|| {
                configuration_error("no region is set for KMS")
                    .with_next_step("name the key by its ARN, or set the region (AWS_DEFAULT_REGION)")
            })?,
        };
        let config = self.context.sdk_config(&self.identity, &region).await?;
        Ok((Client::new(&config), region))
    }

    fn diagnose(&self, failure: &AwsFailure, what: &str, key: Option<&str>, region: &str) -> Diagnosis {
        let what = match key {
            Some(key) => format!("{what} with key {key}"),
            None => what.to_owned(),
        };
        // A policy names a key by its ARN only: ids and aliases match nothing there.
        let arn = key
            .and_then(|key| Arn::parse(key).ok())
            .filter(|arn| arn.service() == "kms" && arn.resource().starts_with("key/"));
        let diagnosis = failure.diagnosis(Subject {
            name: ErrorName::ResourceInitialization,
            what: &what,
            region,
            identity: &self.identity,
            resource: arn.as_ref().map_or("ARN of the key", Arn::as_str),
            endpoint: "kms",
        });
        match failure.code.as_deref() {
            Some("InvalidCiphertextException") => diagnosis.with_next_step(
                "encrypt the data again with this key and encryption context: this ciphertext is of another one, or was \
                 changed",
            ),
            Some("IncorrectKeyException") => {
                diagnosis.with_next_step("name the key that the data was encrypted with")
            }
            Some("NotFoundException" | "ValidationException" | "InvalidArnException") => {
                diagnosis.with_next_step("check the key's ARN and region")
            }
            _ => diagnosis,
        }
    }
}

fn owned(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
