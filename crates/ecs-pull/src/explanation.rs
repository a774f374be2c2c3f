//! Which credential would be used, without asking anybody.

use std::sync::Arc;

use ecs_registry_auth::{Candidate, CredentialSource, Diagnosis, ImageReference, Provenance, Registry};
use serde::Serialize;

use crate::{Client, Container, ExitCode, Task};

/// Which credential one image would get, and why.
///
/// Its JSON is an element of `images` in the command line's contract; absent values are left out.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The container's name; absent for an image that was named by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    /// The image as it was written.
    pub image: Arc<str>,
    /// The registry that the engine will contact.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub registry: Option<Registry>,
    /// The repository's name within the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// What would be used; its source is `anonymous` when there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Provenance>,
    /// Everything that was looked at.
    pub candidates: Vec<Candidate>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnosis>,
}

/// The answer for every image of a task.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanations {
    /// In the order of the task.
    pub images: Vec<Explanation>,
}

impl Explanations {
    /// What a process that did only this should end with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::worst(
            self.images
                .iter()
                .filter_map(|explanation| explanation.error.as_ref())
                .map(|error| ExitCode::from(error.class())),
        )
    }
}

impl Client {
    /// Says which credential every image of a task would get and why, without any request.
    #[must_use]
    pub fn explain(&self, task: &Task) -> Explanations {
        Explanations {
            images: task
                .containers
                .iter()
                .map(|container| self.explain_one(task, container))
                .collect(),
        }
    }

    fn explain_one(&self, task: &Task, container: &Container) -> Explanation {
        let mut explanation = Explanation {
            container: container.name.clone(),
            image: container.image.clone(),
            registry: None,
            repository: None,
            credential: None,
            candidates: Vec::new(),
            error: None,
        };
        let image = match &container.reference {
            Ok(image) => image,
            Err(error) => {
                explanation.error = Some(error.clone());
                return explanation;
            }
        };
        explanation.registry = Some(image.registry().clone());
        explanation.repository = Some(image.repository().to_owned());
        let outcome = self.keychain(task, container).and_then(|keychain| {
            explanation.candidates = keychain.candidates(image);
            self.expected(task, image, &explanation.candidates)
        });
        match outcome {
            Ok(provenance) => explanation.credential = Some(provenance),
            Err(error) => explanation.error = Some(error),
        }
        explanation
    }

    /// What the keychain would answer, as far as that can be known without asking.
    fn expected(
        &self,
        task: &Task,
        image: &ImageReference,
        candidates: &[Candidate],
    ) -> Result<Provenance, Diagnosis> {
        if let Some(error) = candidates.iter().find_map(|candidate| candidate.error.clone()) {
            return Err(error);
        }
        let Some(chosen) = candidates.iter().find(|candidate| candidate.chosen) else {
            return Ok(Provenance::anonymous(image.registry().clone()));
        };
        if chosen.source == CredentialSource::EngineAuth
            && let Some(resolved) = self.engine_auth().lookup(image)?
        {
            return Ok((*resolved.provenance).clone());
        }
        let mut provenance = Provenance::new(chosen.source, image.registry().clone());
        provenance.origin = chosen.origin.clone();
        match chosen.source {
            CredentialSource::RepositoryCredentials => provenance.secret = chosen.key.clone(),
            CredentialSource::Ecr => {}
            _ => provenance.key = chosen.key.clone(),
        }
        if matches!(
            chosen.source,
            CredentialSource::RepositoryCredentials | CredentialSource::Ecr
        ) {
            provenance.role = self
                .identity(task)?
                .and_then(|identity| identity.role().map(Arc::from));
        }
        Ok(provenance)
    }
}

fn as_text<S: serde::Serializer>(registry: &Option<Registry>, serializer: S) -> Result<S::Ok, S::Error> {
    match registry {
        Some(registry) => serializer.collect_str(registry),
        None => serializer.serialize_none(),
    }
}
