//! Which credential is used, and for whom.

use ecs_registry_auth::{
    CredentialKind, Diagnosis, ErrorClass, ErrorName, RegistryCredential, ResolvedCredential, Stage,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::operation::Operation;
use crate::event::EventKind;

/// A keychain that always has one more must come to an end: the current, the pending and the previous version of a
/// secret, and one to spare.
const MOST_REFUSALS: u32 = 4;

impl Operation<'_> {
    /// Asks the keychain.
    pub(super) async fn resolve_credential(&mut self) -> Result<(), Diagnosis> {
        self.stage = Stage::Credential;
        let image = self.request.image();
        let begun = Instant::now();
        let answer = self.request.keychain().resolve(image).await;
        self.facts.timings.credential += begun.elapsed();
        let answer = answer?;
        self.is_resolved = true;
        match answer {
            Some(resolved) => self.use_credential(resolved),
            None => {
                self.candidates = self.request.keychain().candidates(image);
                let provenance = self.provenance();
                tracing::info!(%image, tried = self.candidates.len(), "no credential: the pull is anonymous");
                self.facts.provenance = Some(provenance.clone());
                self.emit(EventKind::Credential {
                    provenance,
                    candidates: self.candidates.clone(),
                });
                Ok(())
            }
        }
    }

    fn use_credential(&mut self, resolved: ResolvedCredential) -> Result<(), Diagnosis> {
        let image = self.request.image();
        let problem = if resolved.provenance.registry != *image.registry() {
            Some(format!(
                "the credential of {} is for {}, and {image} is at {}: it was not sent",
                resolved.provenance,
                resolved.provenance.registry,
                image.registry()
            ))
        } else if resolved.credential.kind() == CredentialKind::Empty {
            // An engine would take it as no credential at all.
            Some(format!(
                "the credential of {} for {image} is empty",
                resolved.provenance
            ))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Diagnosis::new(
                ErrorName::CannotPullContainer,
                ErrorClass::Credential,
                Stage::Credential,
                problem,
            ));
        }
        self.redactor = std::mem::take(&mut self.redactor).with_credential(&resolved.credential);
        tracing::debug!(%image, credential = %resolved.provenance, "credential chosen");
        self.facts.provenance = Some(resolved.provenance.clone());
        self.emit(EventKind::Credential {
            provenance: resolved.provenance.clone(),
            candidates: Vec::new(),
        });
        self.credential = Some(resolved);
        // What was shown with another credential was not shown with this one.
        self.is_access_shown = false;
        Ok(())
    }

    /// After a refusal: whether the keychain has another credential, which is in use then.
    pub(super) async fn replace_credential(&mut self) -> bool {
        let Some(refused) = self.credential.clone() else {
            return false;
        };
        self.refusals += 1;
        if self.refusals >= MOST_REFUSALS {
            return false;
        }
        let begun = Instant::now();
        let answer = self
            .request
            .keychain()
            .resolve_after_refusal(self.request.image(), &refused)
            .await;
        self.facts.timings.credential += begun.elapsed();
        let replaced = match answer {
            Ok(Some(resolved)) if is_same(&resolved.credential, &refused.credential) => return false,
            Ok(Some(resolved)) => self.use_credential(resolved),
            Ok(None) => return false,
            Err(error) => Err(error),
        };
        match replaced {
            Ok(()) => true,
            Err(error) => {
                self.facts
                    .notes
                    .push(format!("no other credential could be obtained: {error}"));
                false
            }
        }
    }
}

fn is_same(left: &RegistryCredential, right: &RegistryCredential) -> bool {
    let fields = |credential: &RegistryCredential| {
        [
            &credential.password,
            &credential.identity_token,
            &credential.registry_token,
        ]
        .map(|field| {
            field
                .as_ref()
                .map(|secret| Zeroizing::new(secret.expose().clone()))
        })
    };
    left.username == right.username && fields(left) == fields(right)
}
