//! From Docker's configuration to the lines of an `ecs.config`.

use std::fmt;
use std::sync::Arc;

use ecs_registry_auth::{CredentialKind, Diagnosis, Origin, RegistryCredential, Secret};

use crate::docker_config::server;
use crate::engine_auth::key::RegistryKey;
use crate::{AuthType, ConfigErrors, Finding, StoredCredential, StoredCredentials, names};

mod encryptor;
mod format;
mod write;

pub use encryptor::{EncryptFuture, Encrypted, Encryptor};
pub use write::write_env_file;

/// Auth data for the ECS agent, made from the credentials of Docker's configuration.
///
/// Keys become what the agent matches: `https://index.docker.io/v1/` for Docker Hub, else the host with its port.
///
/// ```
/// use ecs_config_loader::{AuthType, DockerConfig, Environment, ImportedAuth};
/// use ecs_registry_auth::Origin;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let text = r#"{"auths": {"https://registry.example.com/v2/": {"auth": "YWxpY2U6aG9yc2U="}}}"#;
/// let config = DockerConfig::parse(text, &Origin::file("config.json"), &Environment::default())?;
/// let imported = ImportedAuth::new(&config.stored().await, None)?;
/// assert_eq!(imported.auth_type(), AuthType::Dockercfg);
/// assert_eq!(
///     imported.lines().expose(),
///     "ECS_ENGINE_AUTH_TYPE=dockercfg\n\
///      ECS_ENGINE_AUTH_DATA={\"registry.example.com\":{\"auth\":\"YWxpY2U6aG9yc2U=\"}}\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ImportedAuth {
    auth_type: AuthType,
    data: Data,
    registries: Vec<ImportedRegistry>,
    notes: Vec<Finding>,
}

#[derive(Clone)]
enum Data {
    Plain(Secret<String>),
    Encrypted(Encrypted),
}

/// A registry whose credential was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedRegistry {
    /// The key in the auth data.
    pub key: String,
    /// The key in Docker's configuration.
    pub from: Arc<str>,
    /// Where that, or the helper that has the credential, was written.
    pub origin: Origin,
}

/// The most bytes that KMS encrypts in one call.
///
/// Rule: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>.
const KMS_PLAINTEXT_MAXIMUM: usize = 4096;

impl ImportedAuth {
    /// Makes auth data of type `wanted`; without one it is `dockercfg`, or `docker` where a credential needs it.
    ///
    /// What cannot be imported is left out, and [`notes`](Self::notes) says why.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when nothing can be imported.
    pub fn new(stored: &StoredCredentials, wanted: Option<AuthType>) -> Result<Self, ConfigErrors> {
        let mut notes = stored.findings.clone();
        let selected = select(&stored.credentials, &mut notes);
        let needing_docker = selected
            .iter()
            .find_map(|entry| Some((entry, needs_docker(&entry.stored.credential)?)));
        let auth_type = match (wanted, needing_docker) {
            (Some(wanted), _) => wanted,
            (None, None) => AuthType::Dockercfg,
            (None, Some((entry, need))) => {
                notes.push(Finding::warning(
                    entry.stored.origin.clone(),
                    format!(
                        "registry {:?} has {need}, which type dockercfg cannot carry: the type is docker",
                        entry.stored.key
                    ),
                ));
                AuthType::Docker
            }
        };
        let entries: Vec<Selected<'_>> = selected
            .into_iter()
            .filter(|entry| match needs_docker(&entry.stored.credential) {
                Some(need) if auth_type == AuthType::Dockercfg => {
                    notes.push(
                        Finding::warning(
                            entry.stored.origin.clone(),
                            format!(
                                "registry {:?} is left out: it has {need}, which type dockercfg cannot carry",
                                entry.stored.key
                            ),
                        )
                        .with_next_step("import it as type docker"),
                    );
                    false
                }
                _ => true,
            })
            .collect();
        if entries.is_empty() {
            let nothing = Finding::error(
                Origin::other("Docker's configuration"),
                "there is no credential that can be imported",
            )
            .with_next_step("run `docker login` for the registry first");
            // What was there and could not be used comes first: it is more likely what has to be mended.
            return Err(ConfigErrors::new(notes.into_iter().chain([nothing]).collect()));
        }
        let data = format::data(
            auth_type,
            entries
                .iter()
                .map(|entry| (entry.key.as_str(), &entry.stored.credential)),
        );
        Ok(Self {
            auth_type,
            data: Data::Plain(data),
            registries: entries
                .into_iter()
                .map(|entry| ImportedRegistry {
                    key: entry.key,
                    from: Arc::clone(&entry.stored.key),
                    origin: entry.stored.origin.clone(),
                })
                .collect(),
            notes,
        })
    }

    /// The same with its data encrypted by `encryptor` under `key`: the id, ARN or alias of a KMS key.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`]: the encryptor's, or that there is more data than KMS takes in one call.
    pub async fn encrypted(mut self, encryptor: &dyn Encryptor, key: &str) -> Result<Self, Diagnosis> {
        if let Data::Plain(plain) = &self.data {
            let length = plain.expose().len();
            if length > KMS_PLAINTEXT_MAXIMUM {
                return Err(Diagnosis::from(ConfigErrors::new(vec![
                    Finding::error(
                        Origin::other("Docker's configuration"),
                        format!(
                            "the auth data has {length} bytes, and KMS encrypts {KMS_PLAINTEXT_MAXIMUM} at most"
                        ),
                    )
                    .with_next_step("import fewer registries"),
                ])));
            }
            self.data = Data::Encrypted(encryptor.encrypt(key, plain).await?);
        }
        Ok(self)
    }

    /// The type of the auth data.
    #[must_use]
    pub fn auth_type(&self) -> AuthType {
        self.auth_type
    }

    /// The registries in it, by key.
    #[must_use]
    pub fn registries(&self) -> &[ImportedRegistry] {
        &self.registries
    }

    /// What was left out and why, and what was decided.
    #[must_use]
    pub fn notes(&self) -> &[Finding] {
        &self.notes
    }

    /// The lines for an `ecs.config`, each with its line end: type and data, or type, encrypted data and its key.
    #[must_use]
    pub fn lines(&self) -> Secret<String> {
        let lines = self.settings().map(|(name, value)| (name, "=", value, "\n"));
        let length = lines
            .clone()
            .map(|(name, equals, value, end)| name.len() + equals.len() + value.len() + end.len())
            .sum();
        // One buffer of the right size: one that grows leaves copies behind.
        let mut text = String::with_capacity(length);
        for (name, equals, value, end) in lines {
            text.extend([name, equals, value, end]);
        }
        Secret::new(text)
    }

    /// The same as names and values, in the order of the lines. The values are as secret as [`lines`](Self::lines).
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> + Clone {
        let rest = match &self.data {
            Data::Plain(plain) => [Some((names::AUTH_DATA, plain.expose().as_str())), None],
            Data::Encrypted(encrypted) => [
                Some((names::AUTH_DATA_KMS, encrypted.base64.as_str())),
                Some((names::AUTH_KMS_KEY, encrypted.key.as_str())),
            ],
        };
        std::iter::once((names::AUTH_TYPE, self.auth_type.as_str())).chain(rest.into_iter().flatten())
    }
}

/// Without the data.
impl fmt::Debug for ImportedAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ImportedAuth")
            .field("auth_type", &self.auth_type)
            .field("registries", &self.registries)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// A credential with the key that it gets.
struct Selected<'a> {
    key: String,
    stored: &'a StoredCredential,
}

/// One credential per key, by key.
fn select<'a>(stored: &'a [StoredCredential], notes: &mut Vec<Finding>) -> Vec<Selected<'a>> {
    let mut selected: Vec<Selected<'a>> = Vec::with_capacity(stored.len());
    for stored in stored {
        let mut skip = |reason: String| {
            notes.push(Finding::warning(
                stored.origin.clone(),
                format!("registry {:?} is left out: {reason}", stored.key),
            ));
        };
        let key = server::key(&stored.key);
        if stored.credential.kind() == CredentialKind::Empty {
            skip("it has no credential".to_owned());
            continue;
        }
        if let Some(reason) = key.never_matches() {
            skip(format!("it can never match an image: {reason}"));
            continue;
        }
        let written = agent_key(&key, &stored.key);
        if let Some(first) = selected
            .iter()
            .find(|first| is_same_place(&server::key(&first.stored.key), &key))
        {
            skip(format!(
                "{:?} names the same registry and goes first",
                first.stored.key
            ));
            continue;
        }
        if key.registry.is_docker_hub() && !key.path.is_empty() {
            notes.push(Finding::warning(
                stored.origin.clone(),
                format!(
                    "registry {:?} is a part of Docker Hub, which ecs-pull matches and the ECS agent does not",
                    stored.key
                ),
            ));
        }
        selected.push(Selected { key: written, stored });
    }
    selected.sort_by(|left, right| left.key.cmp(&right.key));
    selected
}

fn is_same_place(left: &RegistryKey, right: &RegistryKey) -> bool {
    (&left.registry, &left.path) == (&right.registry, &right.path)
}

/// What the agent matches.
fn agent_key(key: &RegistryKey, written: &str) -> String {
    match (key.registry.is_docker_hub(), &*key.path) {
        (true, "") => server::DOCKER_HUB.to_owned(),
        (true, path) => format!("{}/{path}", key.registry),
        (false, "") => server::host(written).to_owned(),
        (false, path) => format!("{}/{path}", server::host(written)),
    }
}

/// What of a credential `base64("user:password")` cannot hold, if anything.
fn needs_docker(credential: &RegistryCredential) -> Option<&'static str> {
    match credential.kind() {
        CredentialKind::IdentityToken => Some("an identity token"),
        CredentialKind::RegistryToken => Some("a registry token"),
        _ => credential
            .username
            .as_deref()
            .is_some_and(|username| username.contains(':'))
            .then_some("a user name with a colon"),
    }
}
