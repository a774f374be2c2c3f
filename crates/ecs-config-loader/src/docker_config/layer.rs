//! One document's answer for an image: a helper to ask, or an entry.

use std::sync::Arc;

use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ErrorClass, ErrorName, ImageReference, Origin, Provenance,
    Registry, ResolvedCredential, Stage,
};

use super::helper::{HelperName, HelperRunner};
use super::server;
use crate::engine_auth::index::{AuthIndex, Entry, SoleKey};
use crate::engine_auth::key::RegistryKey;

/// One document.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) place: Origin,
    pub(super) auths: AuthIndex,
    /// What `auths` was built from.
    pub(super) entries: Vec<Entry>,
    pub(super) marks: Vec<Mark>,
    pub(super) registry_helpers: Vec<Helper>,
    pub(super) store: Option<Helper>,
}

/// An entry of `auths` without a credential: what `docker login` leaves behind where a helper keeps it.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) key: RegistryKey,
    pub(super) origin: Origin,
}

/// A value of `credHelpers`, or `credsStore`.
#[derive(Debug)]
pub(super) struct Helper {
    /// The key in `credHelpers`; `None` for `credsStore`.
    pub(super) key: Option<RegistryKey>,
    pub(super) run: HelperUse,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HelperUse {
    Run(HelperName),
    /// An empty name: Docker keeps this registry's credential in `auths`.
    File,
    /// What is wrong with the name.
    Broken(Arc<str>),
}

pub(super) const HELPER_NAME_STEP: &str =
    "write what follows docker-credential- in the name of the helper's executable";

impl Helper {
    /// The field that names it, for messages.
    pub(super) fn field(&self) -> String {
        match &self.key {
            Some(key) => format!("credHelpers key {:?}", key.written),
            None => "credsStore".to_owned(),
        }
    }

    fn covers(&self, registry: &Registry, repository: &str) -> bool {
        self.key
            .as_ref()
            .is_some_and(|key| key.registry == *registry && key.covers(repository))
    }

    /// The key that an answer is shown under.
    fn shown_key(&self, image: &ImageReference) -> Arc<str> {
        self.key
            .as_ref()
            .map_or_else(|| server::of_image(image).into(), |key| Arc::clone(&key.written))
    }

    fn diagnosis(&self, image: &ImageReference, problem: &str) -> Diagnosis {
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Configuration,
            Stage::Credential,
            format!(
                "{}: {}, which {image} needs: {problem}",
                self.origin,
                self.field()
            ),
        )
        .with_next_step(HELPER_NAME_STEP)
    }
}

impl Layer {
    /// A document without settings.
    pub(super) fn empty(place: Origin) -> Self {
        Self {
            place,
            auths: AuthIndex::new(
                CredentialSource::DockerConfig,
                Vec::new(),
                SoleKey::KeepsToItsPath,
            ),
            entries: Vec::new(),
            marks: Vec::new(),
            registry_helpers: Vec::new(),
            store: None,
        }
    }

    pub(super) fn helpers(&self) -> impl Iterator<Item = &Helper> {
        self.registry_helpers.iter().chain(&self.store)
    }

    /// The helper in charge of an image: the registry's own, else the store; `None` where `auths` is.
    pub(super) fn helper(&self, image: &ImageReference) -> Option<&Helper> {
        self.in_charge(image.registry(), image.repository(), server::of_image(image))
    }

    /// [`helper`](Self::helper) for a repository, or a namespace, of a registry that Docker calls `server`.
    pub(super) fn in_charge(&self, registry: &Registry, repository: &str, server: &str) -> Option<&Helper> {
        self.registry_helpers
            .iter()
            .filter(|helper| helper.covers(registry, repository))
            .min_by(|left, right| match (&left.key, &right.key) {
                (Some(left), Some(right)) => (right.path.len().cmp(&left.path.len()))
                    .then_with(|| (*left.written != *server).cmp(&(*right.written != *server)))
                    .then_with(|| left.precedence(right)),
                _ => std::cmp::Ordering::Equal,
            })
            .or(self.store.as_ref())
            .filter(|helper| helper.run != HelperUse::File)
    }

    /// The credential for an image. A helper's word is final, as in Docker: `auths` is not asked after it.
    pub(super) async fn resolve(
        &self,
        image: &ImageReference,
        runner: &HelperRunner,
    ) -> Result<Option<ResolvedCredential>, Diagnosis> {
        let Some(helper) = self.helper(image) else {
            return Ok(self.auths.lookup(image)?.cloned());
        };
        let name = match &helper.run {
            HelperUse::Run(name) => name,
            HelperUse::Broken(problem) => return Err(helper.diagnosis(image, problem)),
            HelperUse::File => return Ok(None),
        };
        let server = server::of_image(image);
        let answer = runner
            .get(name, server)
            .await
            .map_err(|error| error.diagnosis(&helper.origin))?;
        Ok(answer.map(|credential| {
            let mut provenance = Provenance::new(CredentialSource::DockerConfig, image.registry().clone());
            provenance.key = Some(helper.shown_key(image));
            provenance.origin = Some(helper.origin.clone());
            provenance.username = credential.username.as_deref().map(Arc::from);
            provenance.notes = vec![format!("{name} answered for {server}").into()];
            ResolvedCredential::new(credential, provenance)
        }))
    }

    /// Everything that was looked at, the one in charge first. Runs no helper.
    pub(super) fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let in_charge = self.helper(image);
        let mut candidates = Vec::new();
        if let Some(helper) = in_charge {
            let (chosen, reason) = match &helper.run {
                HelperUse::Run(name) => (
                    true,
                    format!("{name} would be asked for {}", server::of_image(image)),
                ),
                HelperUse::Broken(problem) => (
                    false,
                    format!("{problem}; the pull fails rather than go without a credential"),
                ),
                HelperUse::File => (false, String::new()),
            };
            let mut candidate = helper.candidate(image, chosen, reason);
            if let HelperUse::Broken(problem) = &helper.run {
                candidate = candidate.with_error(helper.diagnosis(image, problem));
            }
            candidates.push(candidate);
        }
        for helper in self.helpers() {
            if in_charge.is_some_and(|in_charge| std::ptr::eq(in_charge, helper)) {
                continue;
            }
            let reason = match (&helper.key, &helper.run) {
                (Some(key), _) if key.registry != *image.registry() => {
                    format!("it is for {}, the image is at {}", key.registry, image.registry())
                }
                (Some(key), _) if !key.covers(image.repository()) => {
                    format!("path {} is not a prefix of {}", key.path, image.repository())
                }
                (Some(_), HelperUse::File) => "it has no helper and leaves the answer to auths".to_owned(),
                _ => match in_charge {
                    Some(first) => format!("{} goes first", first.field()),
                    None => {
                        "an empty credHelpers entry for this registry leaves the answer to auths".to_owned()
                    }
                },
            };
            candidates.push(helper.candidate(image, false, reason));
        }
        for mut candidate in self.auths.candidates(image) {
            if let Some(helper) = in_charge
                && candidate
                    .key
                    .as_deref()
                    .is_some_and(|key| server::key(key).registry == *image.registry())
            {
                candidate.pass_over(format!("{} is asked instead, as Docker does", helper.field()));
            }
            candidates.push(candidate);
        }
        for mark in self
            .marks
            .iter()
            .filter(|mark| mark.key.registry == *image.registry())
        {
            let reason = match in_charge {
                Some(helper) => format!("it has no credential itself: {} keeps it", helper.field()),
                None => "it has no credential".to_owned(),
            };
            candidates.push(
                Candidate::new(CredentialSource::DockerConfig, false, reason)
                    .with_key(Arc::clone(&mark.key.written))
                    .with_origin(mark.origin.clone()),
            );
        }
        candidates
    }
}

impl Helper {
    fn candidate(&self, image: &ImageReference, chosen: bool, reason: String) -> Candidate {
        Candidate::new(CredentialSource::DockerConfig, chosen, reason)
            .with_key(self.shown_key(image))
            .with_origin(self.origin.clone())
    }
}
