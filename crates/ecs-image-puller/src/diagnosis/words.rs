//! The sentences of a diagnosis.

use ecs_registry_auth::{CredentialSource, Redactor};

use super::{Cause, Evidence};

/// A registry may answer with a page of HTML.
const LONGEST_CAUSE: usize = 1000;

/// What the other side said, without secrets, line breaks and excess.
pub(crate) fn clean(said: &str, redactor: &Redactor) -> String {
    let bounded: String = said.chars().take(4 * LONGEST_CAUSE).collect();
    let clean = redactor.redact(&bounded);
    let mut line = String::with_capacity(clean.len());
    for word in clean.split(|character: char| character.is_whitespace() || character.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > LONGEST_CAUSE {
        line = line.chars().take(LONGEST_CAUSE).collect();
        line.push('\u{2026}');
    }
    line
}

/// Message and next step of a cause, with the evidence at hand.
pub(super) struct Words<'a> {
    cause: Cause,
    evidence: &'a Evidence<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn new(cause: Cause, evidence: &'a Evidence<'a>) -> Self {
        Self { cause, evidence }
    }

    /// Where and what, in one sentence without a full stop.
    pub(super) fn message(&self) -> String {
        let image = self.evidence.image;
        let registry = image.registry();
        let sent = self.sent();
        match self.cause {
            Cause::NoCredentialSent => format!(
                "{registry} wants a credential for {image}, and none was sent{}",
                self.tried()
            ),
            Cause::CredentialUnfit => format!(
                "{registry} wants a user name and a password for {image}, and the credential of {} is something else",
                self.evidence.provenance
            ),
            Cause::CredentialRefused | Cause::HubLoginRejected => {
                format!("{registry} refused {sent} for {image}")
            }
            Cause::Denied => format!("{registry} denied access to {image}; it was asked {sent}"),
            Cause::AccessDeniedOrAbsent => {
                format!(
                    "{image} does not exist at {registry}, or access to it is denied; it was asked {sent}"
                )
            }
            Cause::ScopeMissing => {
                format!("the token of {registry} does not allow to pull {image}; it was asked {sent}")
            }
            Cause::EcrTokenExpired => {
                format!("the Amazon ECR token for {registry} has expired; {image} was asked {sent}")
            }
            Cause::EcrPermission => {
                format!("Amazon ECR does not allow {image} to be pulled; it was asked {sent}")
            }
            Cause::EcrTokenPermission => format!("the role may not get an Amazon ECR token for {image}"),
            Cause::TagMissing => match image.digest() {
                Some(digest) => format!("{registry} has no {digest} in {}", image.repository()),
                None => format!(
                    "{registry} has no tag {:?} in {}",
                    image.tag().unwrap_or("latest"),
                    image.repository()
                ),
            },
            Cause::RepositoryMissing => format!("{registry} has no repository {}", image.repository()),
            Cause::BlobMissing => {
                format!("{registry} has the manifest of {image}, but not everything that it names")
            }
            Cause::PlatformMissing | Cause::WrongOperatingSystem => self.platform_missing(),
            Cause::PullQuota => {
                format!("the pull quota of {registry} is used up for {sent}; {image} was not pulled")
            }
            Cause::AnonymousPullQuota => format!(
                "the quota of {registry} for pulls without a credential is used up; {image} was not pulled{}",
                self.tried()
            ),
            Cause::AbuseLimit | Cause::Throttled => {
                format!("{registry} asks for fewer requests; {image} was asked {sent}")
            }
            Cause::UnknownAuthority => {
                format!(
                    "the engine does not trust the authority that signed the certificate of {registry} ({image})"
                )
            }
            Cause::Certificate => {
                format!("the engine does not accept the certificate of {registry} ({image})")
            }
            Cause::PlainHttp => {
                format!("{registry} speaks plain HTTP and the engine asks it for TLS ({image})")
            }
            Cause::NoSuchHost => format!("the engine cannot resolve the name of {registry} ({image})"),
            Cause::ConnectionRefused => format!("{registry} refuses connections from the engine ({image})"),
            Cause::NetworkTimeout => format!("the engine cannot reach {registry} in time ({image})"),
            Cause::Proxy => format!("the engine's proxy does not connect to {registry} ({image})"),
            Cause::ConnectionLost => {
                format!("the connection between the engine and {registry} broke ({image})")
            }
            Cause::CorruptLayer => format!("what {registry} sent for {image} does not match its digest"),
            Cause::RegistryFailure => format!("{registry} failed to answer for {image}"),
            Cause::DiskFull => format!(
                "the disk of the engine at {} is full; {image} was not pulled",
                self.evidence.place
            ),
            Cause::OldManifest => {
                format!("the manifest of {image} has a format that the engine no longer reads")
            }
            Cause::UnreadableManifest => format!("the answer about {image} cannot be read"),
            Cause::ForeignAnswer => {
                format!("what answers as {registry} does not answer as a registry ({image})")
            }
            Cause::BadReference => format!("the engine does not accept {image} as the name of an image"),
            Cause::EngineTooNew | Cause::EngineTooOld => {
                format!(
                    "the engine at {} does not speak this version of its API",
                    self.evidence.place
                )
            }
            Cause::EngineCannotAsk => format!(
                "the engine at {} cannot ask {registry} about {image} without pulling it",
                self.evidence.place
            ),
            Cause::EngineUnreachable => format!("no connection to the engine at {}", self.evidence.place),
            Cause::EngineInterrupted => format!(
                "the engine at {} broke the connection while {image} was in progress",
                self.evidence.place
            ),
            Cause::Unknown | Cause::UnknownServerError => {
                format!("the engine could not get {image} from {registry}; it was asked {sent}")
            }
        }
    }

    /// The one thing to do next.
    pub(super) fn next_step(&self) -> Option<String> {
        let registry = self.evidence.image.registry();
        Some(match self.cause {
            Cause::NoCredentialSent => self.add_credential(),
            Cause::CredentialUnfit => {
                self.fix_credential("the registry takes neither an identity token nor an empty user name")
            }
            Cause::CredentialRefused => self.fix_credential("rotate or correct it"),
            Cause::HubLoginRejected => self.fix_credential(
                "Docker Hub takes the user name, not the e-mail address, and an access token in place of the password",
            ),
            Cause::Denied | Cause::AccessDeniedOrAbsent => {
                if self.evidence.was_sent() {
                    format!(
                        "check whether the image exists and whether that user may pull {}; registries do not tell the \
                         two apart",
                        self.evidence.image.repository()
                    )
                } else {
                    format!("check whether the image exists; if it is private: {}", self.add_credential())
                }
            }
            Cause::ScopeMissing => format!(
                "give the credential the scope repository:{}:pull",
                self.evidence.image.repository()
            ),
            Cause::EcrTokenExpired => {
                "check the clock of this machine; a token is valid for 12 hours and is fetched afresh".to_owned()
            }
            Cause::EcrPermission => {
                "check that the role has the permissions to pull: allow it ecr:BatchGetImage and \
                 ecr:GetDownloadUrlForLayer on the repository"
                    .to_owned()
            }
            Cause::EcrTokenPermission => "allow the role ecr:GetAuthorizationToken on resource *".to_owned(),
            Cause::TagMissing => "check the tag or digest in the registry and in the task definition".to_owned(),
            Cause::RepositoryMissing => "check the repository's name, or create it and push the image".to_owned(),
            Cause::PlatformMissing | Cause::WrongOperatingSystem => {
                "ask for a platform that exists, or build and push the image for this one".to_owned()
            }
            Cause::BlobMissing => "push the image again, and look at what cleans up the registry's storage".to_owned(),
            Cause::PullQuota => "wait for the quota to be renewed, or pull through a mirror or a pull-through cache".to_owned(),
            Cause::AnonymousPullQuota => self.add_credential(),
            Cause::AbuseLimit => format!("send fewer requests to {registry}: pull less at once"),
            Cause::Throttled => format!("wait, and pull less at once from {registry}"),
            Cause::UnknownAuthority => format!(
                "put the authority's certificate into /etc/docker/certs.d/{}/ca.crt on the engine's machine",
                self.evidence.image.domain()
            ),
            Cause::Certificate => format!("correct the certificate of {registry}, or the clock of the engine's machine"),
            Cause::PlainHttp => format!(
                "give {registry} a certificate, or list it under insecure-registries in the engine's daemon.json"
            ),
            Cause::NoSuchHost | Cause::ConnectionRefused | Cause::NetworkTimeout => format!(
                "check the network configuration of the engine's machine: route, name resolution and port of {registry}, \
                 and the engine's own proxy settings, which are not those of this process"
            ),
            Cause::Proxy => "check HTTP_PROXY and HTTPS_PROXY of the engine, which are not those of this process".to_owned(),
            Cause::ConnectionLost | Cause::CorruptLayer => {
                format!("check {registry} and every proxy between it and the engine")
            }
            Cause::RegistryFailure => format!("look at the state and the log of {registry}"),
            Cause::DiskFull => "free space where the engine stores images (docker system df, docker system prune)".to_owned(),
            Cause::OldManifest => "pull and push the image again with a current tool".to_owned(),
            Cause::BadReference => "correct the image in the task definition".to_owned(),
            Cause::EngineTooNew => "use a newer version of this program".to_owned(),
            Cause::EngineCannotAsk => "pull the image instead of checking it, or use a Docker Engine".to_owned(),
            Cause::EngineTooOld => "use a newer engine".to_owned(),
            Cause::EngineUnreachable | Cause::EngineInterrupted => {
                "check that the engine runs and that this user may use it".to_owned()
            }
            Cause::ForeignAnswer => format!(
                "check the address of {registry}, and whether a proxy or a login page answers the engine in its place"
            ),
            Cause::UnreadableManifest | Cause::Unknown | Cause::UnknownServerError => return None,
        })
    }

    fn platform_missing(&self) -> String {
        let image = self.evidence.image;
        let wanted = match self.evidence.platform {
            Some(platform) => platform.to_string(),
            None => "the engine's platform".to_owned(),
        };
        let exist: Vec<String> = self.evidence.platforms.iter().map(ToString::to_string).collect();
        if exist.is_empty() {
            format!("{image} is not built for {wanted}")
        } else {
            format!("{image} is not built for {wanted}, but for {}", exist.join(", "))
        }
    }

    /// How the registry was asked.
    fn sent(&self) -> String {
        match self.evidence.was_sent() {
            true => match self.cause {
                Cause::CredentialRefused | Cause::HubLoginRejected | Cause::PullQuota => {
                    format!("the credential of {}", self.evidence.provenance)
                }
                _ => format!("with the credential of {}", self.evidence.provenance),
            },
            false => match self.cause {
                Cause::CredentialRefused | Cause::HubLoginRejected | Cause::PullQuota => {
                    "requests without a credential".to_owned()
                }
                _ => format!("without a credential{}", self.tried()),
            },
        }
    }

    /// What was looked at for a credential, when none was found.
    fn tried(&self) -> String {
        const SHOWN: usize = 3;
        let candidates = self.evidence.candidates;
        if candidates.is_empty() {
            return String::new();
        }
        let mut tried: Vec<String> = candidates
            .iter()
            .take(SHOWN)
            .map(|candidate| {
                let key = candidate
                    .key
                    .as_deref()
                    .map(|key| format!(" {key:?}"))
                    .unwrap_or_default();
                format!("{}{key}: {}", candidate.source, candidate.reason)
            })
            .collect();
        if candidates.len() > SHOWN {
            tried.push(format!("and {} more", candidates.len() - SHOWN));
        }
        format!(" (looked at {})", tried.join("; "))
    }

    fn add_credential(&self) -> String {
        let registry = self.evidence.image.registry();
        let key = if registry.is_docker_hub() {
            "https://index.docker.io/v1/"
        } else {
            registry.as_str()
        };
        format!(
            "add a credential under the key {key:?} to ECS_ENGINE_AUTH_DATA, or repositoryCredentials to the container"
        )
    }

    fn fix_credential(&self, how: &str) -> String {
        let provenance = self.evidence.provenance;
        match provenance.source {
            CredentialSource::Anonymous => self.add_credential(),
            CredentialSource::RepositoryCredentials => match &provenance.secret {
                Some(secret) => format!("check user name and password in the secret {secret}: {how}"),
                None => format!("check user name and password in the container's secret: {how}"),
            },
            _ => match &provenance.origin {
                Some(origin) => format!("check user name and password at {origin}: {how}"),
                None => format!("check user name and password of {provenance}: {how}"),
            },
        }
    }
}
