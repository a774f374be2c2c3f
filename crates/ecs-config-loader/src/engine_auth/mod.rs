//! Credentials from `ECS_ENGINE_AUTH_TYPE` and `ECS_ENGINE_AUTH_DATA`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ImageReference, Keychain, Origin, ResolveFuture,
    ResolvedCredential,
};

use crate::{Finding, Strictness};

mod auth_field;
mod candidates;
pub(crate) mod data;
pub(crate) mod entry;
mod findings;
pub(crate) mod index;
pub(crate) mod key;

use data::Place;
use index::{AuthIndex, Entry, SoleKey};

/// The shape of the auth data (`ECS_ENGINE_AUTH_TYPE`).
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth-container-instances.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthType {
    /// `{"registry": {"username": …, "password": …}}`.
    Docker,
    /// `{"registry": {"auth": base64("user:password")}}`.
    Dockercfg,
}

impl AuthType {
    /// The name in `ECS_ENGINE_AUTH_TYPE`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Dockercfg => "dockercfg",
        }
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A value of `ECS_ENGINE_AUTH_TYPE` that is neither `docker` nor `dockercfg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the valid values are docker, dockercfg and nothing at all")]
pub struct AuthTypeError;

impl FromStr for AuthType {
    type Err = AuthTypeError;

    fn from_str(text: &str) -> Result<Self, AuthTypeError> {
        match text.trim() {
            "docker" => Ok(Self::Docker),
            "dockercfg" => Ok(Self::Dockercfg),
            _ => Err(AuthTypeError),
        }
    }
}

/// The engine-auth credentials of one configuration. Cloning is cheap, and an instance never changes.
///
/// For an image it answers with the most specific key: registries compare in one spelling, paths by whole segments
/// and without tag and digest. An entry for the image that is broken is an error and never an anonymous pull, unless
/// another entry covers the image too.
///
/// ```
/// use ecs_config_loader::{AuthType, EngineAuth, Strictness};
/// use ecs_registry_auth::Origin;
///
/// let data = r#"{"ghcr.io": {"username": "alice", "password": "correct horse"}}"#;
/// let place = Origin::environment("ECS_ENGINE_AUTH_DATA");
/// let (auth, findings) = EngineAuth::parse(AuthType::Docker, data, &place, Strictness::Lenient)?;
/// assert!(findings.is_empty());
///
/// let resolved = auth.lookup(&"ghcr.io/team/app".parse()?)?.expect("there is a key");
/// assert_eq!(resolved.provenance.key.as_deref(), Some("ghcr.io"));
/// assert!(auth.lookup(&"nginx".parse()?)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EngineAuth(Arc<AuthIndex>);

impl EngineAuth {
    /// No credentials at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_entries(Vec::new(), Strictness::Lenient)
    }

    /// Reads auth data that stands at `place`, and says what is wrong with single entries: each of them is a warning,
    /// also when strict, which here only keeps every key to its path. [`Loader::strict`](crate::Loader::strict)
    /// makes errors of them.
    ///
    /// # Errors
    ///
    /// A [`Finding`] when the data as a whole is unusable: malformed JSON, or no object.
    pub fn parse(
        auth_type: AuthType,
        data: &str,
        place: &Origin,
        strictness: Strictness,
    ) -> Result<(Self, Vec<Finding>), Finding> {
        let mut notes = Vec::new();
        let entries = data::decode(data, auth_type, &Place::Whole(place.clone()), &mut notes)?;
        let auth = Self::from_entries(entries, strictness);
        notes.extend(auth.0.findings());
        Ok((auth, notes))
    }

    pub(crate) fn from_entries(entries: Vec<Entry>, strictness: Strictness) -> Self {
        let sole_key = match strictness {
            Strictness::Lenient => SoleKey::UsedBeyondItsPath,
            Strictness::Strict => SoleKey::KeepsToItsPath,
        };
        Self(Arc::new(AuthIndex::new(
            CredentialSource::EngineAuth,
            entries,
            sole_key,
        )))
    }

    /// The credential for an image, by reference: a hit allocates nothing.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when the entry that should answer is broken.
    pub fn lookup(&self, image: &ImageReference) -> Result<Option<&ResolvedCredential>, Diagnosis> {
        self.0.lookup(image)
    }

    /// Every key and why it is chosen or not: the chosen one first, then those of the image's registry.
    #[must_use]
    pub fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        self.0.candidates(image)
    }

    /// How many registry keys there are, broken ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there is no registry key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    pub(crate) fn index(&self) -> &AuthIndex {
        &self.0
    }
}

impl Default for EngineAuth {
    fn default() -> Self {
        Self::empty()
    }
}

/// The keys alone.
impl fmt::Debug for EngineAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_set()
            .entries(self.0.entries.iter().map(|entry| &entry.key.written))
            .finish()
    }
}

impl Keychain for EngineAuth {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(std::future::ready(
            self.lookup(image).map(Option::<&ResolvedCredential>::cloned),
        ))
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        self.0.candidates(image)
    }
}
