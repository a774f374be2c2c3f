//! From what an engine or a registry said to what its reader needs.
//!
//! [`cause`] reads the text, [`words`] writes the diagnosis; what follows from a cause stands in one table here.

use std::time::Duration;

use ecs_registry_auth::{
    Candidate, CredentialSource, Diagnosis, ErrorClass, ErrorName, ImageReference, Provenance, Redactor,
    Stage,
};

use crate::Platform;
use crate::engine::{EngineError, EngineErrorKind};

mod cause;
mod permission;
mod retry_after;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use cause::Cause;
pub(crate) use words::clean;

/// What is known at the moment of a failure: the evidence that a text alone does not hold.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) image: &'a ImageReference,
    pub(crate) stage: Stage,
    /// The credential that was sent; its source is `anonymous` when there was none.
    pub(crate) provenance: &'a Provenance,
    /// What was tried when there was none.
    pub(crate) candidates: &'a [Candidate],
    /// The platform that was asked for.
    pub(crate) platform: Option<&'a Platform>,
    /// The platforms that exist, once the registry told.
    pub(crate) platforms: &'a [Platform],
    /// Where the engine is.
    pub(crate) place: &'a str,
    pub(crate) redactor: &'a Redactor,
}

impl Evidence<'_> {
    pub(crate) fn was_sent(&self) -> bool {
        self.provenance.source != CredentialSource::Anonymous
    }
}

/// What may follow a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Nothing: the same again would fail the same.
    Final,
    /// Another credential, if the keychain has one; never the same again.
    AnotherCredential,
    /// The same again after a while.
    Retry,
    /// The same again once the registry wants to be asked: at the earliest after this time, if it said so.
    CoolDown(Option<Duration>),
}

/// A diagnosis and what may follow.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) diagnosis: Diagnosis,
    pub(crate) recovery: Recovery,
}

/// Name, class and what may follow: the one table that decides what is final.
fn consequence(cause: Cause, message: &str) -> (ErrorName, ErrorClass, Recovery) {
    use ErrorClass as Class;
    use ErrorName as Name;
    match cause {
        Cause::NoCredentialSent
        | Cause::CredentialUnfit
        | Cause::CredentialRefused
        | Cause::HubLoginRejected
        | Cause::Denied
        | Cause::AccessDeniedOrAbsent
        | Cause::ScopeMissing
        | Cause::EcrTokenExpired => (
            Name::CannotPullContainer,
            Class::Refused,
            Recovery::AnotherCredential,
        ),
        // What a token may do does not change with a fresh one.
        Cause::EcrPermission => (Name::CannotPullContainer, Class::Refused, Recovery::Final),
        Cause::EcrTokenPermission => (Name::CannotPullEcrContainer, Class::Credential, Recovery::Final),
        Cause::TagMissing
        | Cause::RepositoryMissing
        | Cause::BlobMissing
        | Cause::PlatformMissing
        | Cause::WrongOperatingSystem => (Name::CannotPullContainer, Class::NotFound, Recovery::Final),
        // A quota comes back after hours, unless the registry says otherwise.
        Cause::PullQuota | Cause::AnonymousPullQuota => match retry_after::find(message) {
            Some(wait) => (
                Name::CannotPullContainer,
                Class::RateLimited,
                Recovery::CoolDown(Some(wait)),
            ),
            None => (Name::CannotPullContainer, Class::RateLimited, Recovery::Final),
        },
        Cause::AbuseLimit | Cause::Throttled => (
            Name::CannotPullContainer,
            Class::RateLimited,
            Recovery::CoolDown(retry_after::find(message)),
        ),
        Cause::UnknownAuthority | Cause::Certificate | Cause::PlainHttp => {
            (Name::CannotPullContainer, Class::Other, Recovery::Final)
        }
        Cause::NoSuchHost
        | Cause::ConnectionRefused
        | Cause::NetworkTimeout
        | Cause::Proxy
        | Cause::ConnectionLost
        | Cause::CorruptLayer
        | Cause::RegistryFailure => (Name::CannotPullContainer, Class::Other, Recovery::Retry),
        Cause::DiskFull => (Name::CannotPullContainer, Class::Other, Recovery::Final),
        Cause::OldManifest | Cause::UnreadableManifest | Cause::ForeignAnswer | Cause::EngineCannotAsk => {
            (Name::CannotPullImageManifest, Class::Other, Recovery::Final)
        }
        Cause::BadReference => (Name::CannotPullContainer, Class::Configuration, Recovery::Final),
        Cause::EngineTooNew | Cause::EngineTooOld => (
            Name::CannotGetDockerclient,
            Class::EngineUnreachable,
            Recovery::Final,
        ),
        Cause::EngineUnreachable | Cause::EngineInterrupted => (
            Name::CannotGetDockerclient,
            Class::EngineUnreachable,
            Recovery::Retry,
        ),
        Cause::Unknown => (Name::CannotPullContainer, Class::Other, Recovery::Final),
        // Some engines answer 500 to what is not understood above; a second look costs little.
        Cause::UnknownServerError => (Name::CannotPullContainer, Class::Other, Recovery::Retry),
    }
}

/// What a failure of the engine means. `witness` is what the registry answered to a plain question for the manifest,
/// where that was asked to explain a vague answer.
pub(crate) fn diagnose(
    error: &EngineError,
    witness: Option<&EngineError>,
    evidence: &Evidence<'_>,
) -> Verdict {
    let mut cause = Cause::of(error, evidence.was_sent());
    let mut said = error;
    // An engine that cannot ask, or is gone by now, has witnessed nothing.
    if let Some(witness) = witness.filter(|witness| witness.status().is_some()) {
        let told = Cause::of(witness, evidence.was_sent());
        if cause.is_vague() && !told.is_vague() {
            cause = told;
            said = witness;
        }
    }
    let mut verdict = of_cause(cause, said.message(), evidence);
    let said = words::clean(error.message(), evidence.redactor);
    if !said.is_empty() {
        verdict.diagnosis = verdict.diagnosis.with_cause(said);
    }
    verdict
}

/// The image is not built for the platform that was asked for: what this side found out, nobody said it.
pub(crate) fn platform_missing(evidence: &Evidence<'_>) -> Verdict {
    of_cause(Cause::PlatformMissing, "", evidence)
}

fn of_cause(cause: Cause, said: &str, evidence: &Evidence<'_>) -> Verdict {
    let (name, class, recovery) = consequence(cause, said);
    let text = words::Words::new(cause, evidence);
    let mut diagnosis = Diagnosis::new(name, class, evidence.stage, text.message())
        .with_retriable(matches!(recovery, Recovery::Retry | Recovery::CoolDown(_)));
    let statement = matches!(cause, Cause::EcrPermission | Cause::EcrTokenPermission)
        // Its words end in the next step, which nobody redacts any more.
        .then(|| words::clean(said, evidence.redactor))
        .and_then(|said| Some(permission::Permission::denied(&said)?.next_step()))
        .map(|next_step| format!("check that the role has the permissions to pull: {next_step}"));
    if let Some(next_step) = statement.or_else(|| text.next_step()) {
        diagnosis = diagnosis.with_next_step(next_step);
    }
    Verdict { diagnosis, recovery }
}

/// Whether the registry should be asked for a better answer than this one.
pub(crate) fn wants_witness(error: &EngineError, was_sent: bool) -> bool {
    matches!(error.kind(), EngineErrorKind::Answer(_) | EngineErrorKind::Stream)
        && Cause::of(error, was_sent).is_vague()
}
