//! The token as the credential of one container's image.

use std::sync::Arc;

use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ImageReference, Keychain, Provenance, ResolveFuture,
    ResolvedCredential,
};

use super::host::{EcrRegistry, is_ecr_public};
use super::request::{EcrRequest, Target, configuration_error};
use super::token::Token;
use super::tokens::EcrTokens;

/// Answers with a token of Amazon ECR, for images in the registry of its request and no others.
///
/// An image anywhere else is an error that says where: a token is never sent to the host that an image happens to
/// name. After a refusal the token is replaced once, because the registry does not tell an ended token from a missing
/// permission in a way that reaches a keychain.
#[derive(Clone, Debug)]
pub struct EcrKeychain {
    tokens: EcrTokens,
    request: EcrRequest,
}

impl EcrKeychain {
    pub(super) fn new(tokens: EcrTokens, request: EcrRequest) -> Self {
        Self { tokens, request }
    }

    /// The request with the endpoint's kind (FIPS, dual-stack) that the image's host asks for; `None` when the image
    /// is elsewhere.
    fn request_for(&self, image: &ImageReference) -> Option<EcrRequest> {
        match &self.request.target {
            Target::Public => is_ecr_public(image.registry()).then(|| self.request.clone()),
            Target::Private(wanted) => EcrRegistry::from_host(image.registry())
                .filter(|found| found.is_same_registry(wanted))
                .map(|found| EcrRequest {
                    target: Target::Private(EcrRegistry {
                        fips: found.fips || wanted.fips,
                        ..found
                    }),
                    ..self.request.clone()
                }),
        }
    }

    fn checked(&self, image: &ImageReference) -> Result<EcrRequest, Diagnosis> {
        self.request_for(image).ok_or_else(|| {
            let container = match &self.request.container {
                Some(container) => format!("container {container:?}: "),
                None => String::new(),
            };
            let origin = match &self.request.origin {
                Some(origin) => format!(" ({origin})"),
                None => String::new(),
            };
            configuration_error(format!(
                "{container}image {image} is at {}, and a token of {}{origin} is not sent there",
                image.registry(),
                self.place()
            ))
            .with_next_step(match self.host() {
                Some(host) => format!("name the image by {host}, or correct the registry id and region"),
                None => "correct the registry id and region, or the image's host".to_owned(),
            })
        })
    }

    fn host(&self) -> Option<String> {
        match &self.request.target {
            Target::Private(registry) => registry.host(),
            Target::Public => Some("public.ecr.aws".to_owned()),
        }
    }

    fn place(&self) -> String {
        match &self.request.target {
            Target::Private(registry) => registry.to_string(),
            Target::Public => self.request.target.name(),
        }
    }

    fn answer(&self, image: &ImageReference, token: &Token) -> ResolvedCredential {
        let mut provenance = Provenance::new(CredentialSource::Ecr, image.registry().clone());
        provenance.origin = self.request.origin.clone();
        provenance.username = token.credential.username.as_deref().map(Arc::from);
        provenance.region = Some(self.request.target.region().into());
        provenance.role = self.request.identity.current_role();
        if token.after_refusal {
            provenance
                .notes
                .push("the registry refused the token before this one".into());
        }
        ResolvedCredential::new(token.credential.clone(), provenance)
    }
}

impl Keychain for EcrKeychain {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(async move {
            let request = self.checked(image)?;
            let token = self.tokens.token(&request).await?;
            Ok(Some(self.answer(image, &token)))
        })
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        Box::pin(async move {
            if refused.provenance.source != CredentialSource::Ecr {
                return Ok(None);
            }
            let request = self.checked(image)?;
            let token = self.tokens.after_refusal(&request, &refused.credential).await?;
            Ok(token.map(|token| self.answer(image, &token)))
        })
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let chosen = self.request_for(image).is_some();
        let place = self.place();
        let reason = if chosen {
            format!("a token of {place}, fetched with {}", self.request.identity)
        } else {
            format!("a token of {place} is not sent to {}", image.registry())
        };
        let mut candidate = Candidate::new(CredentialSource::Ecr, chosen, reason);
        candidate.error = self.checked(image).err();
        candidate.key = self.host().map(Arc::from);
        candidate.origin = self.request.origin.clone();
        vec![candidate]
    }
}
