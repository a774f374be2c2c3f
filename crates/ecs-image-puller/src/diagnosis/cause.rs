//! Which cause a text names.

use crate::engine::{EngineError, EngineErrorKind};

/// Why it failed, as far as the text and the status tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    NoCredentialSent,
    /// One was sent that is no user name and password, to a registry that takes nothing else.
    CredentialUnfit,
    CredentialRefused,
    HubLoginRejected,
    Denied,
    AccessDeniedOrAbsent,
    ScopeMissing,
    EcrTokenExpired,
    EcrPermission,
    EcrTokenPermission,
    TagMissing,
    RepositoryMissing,
    BlobMissing,
    PlatformMissing,
    WrongOperatingSystem,
    PullQuota,
    AnonymousPullQuota,
    AbuseLimit,
    Throttled,
    UnknownAuthority,
    Certificate,
    PlainHttp,
    NoSuchHost,
    ConnectionRefused,
    NetworkTimeout,
    Proxy,
    ConnectionLost,
    CorruptLayer,
    RegistryFailure,
    DiskFull,
    OldManifest,
    UnreadableManifest,
    ForeignAnswer,
    BadReference,
    EngineTooNew,
    EngineTooOld,
    EngineCannotAsk,
    EngineUnreachable,
    EngineInterrupted,
    Unknown,
    UnknownServerError,
}

/// Texts of engines and registries, in lower case: all of a row's texts must occur, the first row that fits counts.
/// What is more precise therefore stands before what it contains.
const TEXTS: &[(&[&str], Cause)] = &[
    (
        &["not authorized to perform: ecr:getauthorizationtoken"],
        Cause::EcrTokenPermission,
    ),
    (&["not authorized to perform: ecr:"], Cause::EcrPermission),
    (&["not authorized to perform: ecr-public:"], Cause::EcrPermission),
    (&["authorization token has expired"], Cause::EcrTokenExpired),
    (&["no basic auth credentials"], Cause::NoCredentialSent),
    (&["incorrect username or password"], Cause::HubLoginRejected),
    (&["unauthenticated pull rate limit"], Cause::AnonymousPullQuota),
    (&["pull rate limit"], Cause::PullQuota),
    (&["hap429"], Cause::AbuseLimit),
    (&["toomanyrequests"], Cause::Throttled),
    (&["too many requests"], Cause::Throttled),
    (&["rate exceeded"], Cause::Throttled),
    (&["http 429"], Cause::Throttled),
    (&["http status: 429"], Cause::Throttled),
    (&["429 too many"], Cause::Throttled),
    (&["no space left on device"], Cause::DiskFull),
    (&["disk quota exceeded"], Cause::DiskFull),
    (&["no matching manifest for"], Cause::PlatformMissing),
    (&["no match for platform in manifest"], Cause::PlatformMissing),
    (&["does not match the specified platform"], Cause::PlatformMissing),
    (&["no image found in", "for architecture"], Cause::PlatformMissing),
    (
        &["operating system", "cannot be used on this platform"],
        Cause::WrongOperatingSystem,
    ),
    (&["cannot be used on this platform"], Cause::WrongOperatingSystem),
    (&["no longer supported", "manifest"], Cause::OldManifest),
    (&["media type", "no longer supported"], Cause::OldManifest),
    (&["schema1", "support"], Cause::OldManifest),
    (&["schema 1", "support"], Cause::OldManifest),
    (&["client version", "is too old"], Cause::EngineTooNew),
    (&["client version", "is too new"], Cause::EngineTooOld),
    (&["filesystem layer verification failed"], Cause::CorruptLayer),
    (&["unexpected commit digest"], Cause::CorruptLayer),
    (&["failed size validation"], Cause::CorruptLayer),
    (&["did not match expected", "digest"], Cause::CorruptLayer),
    (&["manifest verification failed for digest"], Cause::CorruptLayer),
    (&["config verification failed for digest"], Cause::CorruptLayer),
    (&["signed by unknown authority"], Cause::UnknownAuthority),
    (&["x509:"], Cause::Certificate),
    (&["tls: "], Cause::Certificate),
    (&["server gave http response to https client"], Cause::PlainHttp),
    (&["proxyconnect"], Cause::Proxy),
    (&["no such host"], Cause::NoSuchHost),
    (&["server misbehaving"], Cause::NoSuchHost),
    (&["temporary failure in name resolution"], Cause::NoSuchHost),
    (&["connection refused"], Cause::ConnectionRefused),
    (
        &["request canceled while waiting for connection"],
        Cause::NetworkTimeout,
    ),
    (&["client.timeout"], Cause::NetworkTimeout),
    (&["i/o timeout"], Cause::NetworkTimeout),
    (&["tls handshake timeout"], Cause::NetworkTimeout),
    (&["context deadline exceeded"], Cause::NetworkTimeout),
    (&["timeout awaiting response headers"], Cause::NetworkTimeout),
    (&["connection timed out"], Cause::NetworkTimeout),
    (&["no route to host"], Cause::NetworkTimeout),
    (&["network is unreachable"], Cause::NetworkTimeout),
    (&["connection reset by peer"], Cause::ConnectionLost),
    (&["broken pipe"], Cause::ConnectionLost),
    (&["unexpected eof"], Cause::ConnectionLost),
    (&["server closed idle connection"], Cause::ConnectionLost),
    (&["http2: "], Cause::ConnectionLost),
    (&["name unknown"], Cause::RepositoryMissing),
    (&["name_unknown"], Cause::RepositoryMissing),
    (&["repository name not known"], Cause::RepositoryMissing),
    (
        &["repository with name", "does not exist"],
        Cause::RepositoryMissing,
    ),
    (
        &["api error (404): repository not found"],
        Cause::RepositoryMissing,
    ),
    (&["repository not found"], Cause::RepositoryMissing),
    (&["manifest unknown"], Cause::TagMissing),
    (&["manifest_unknown"], Cause::TagMissing),
    (&["manifest for", "not found"], Cause::TagMissing),
    (&["requested image not found"], Cause::TagMissing),
    (&["insufficient_scope"], Cause::ScopeMissing),
    (&["pull access denied for"], Cause::AccessDeniedOrAbsent),
    (&["authentication required"], Cause::CredentialRefused),
    (&["unauthorized"], Cause::CredentialRefused),
    (&["invalid username/password"], Cause::CredentialRefused),
    (&["requested access to the resource is denied"], Cause::Denied),
    (&["access to the resource is denied"], Cause::Denied),
    (&["access forbidden"], Cause::Denied),
    (&["403 forbidden"], Cause::Denied),
    (&["http 403"], Cause::Denied),
    (&["denied: "], Cause::Denied),
    (&["unknown blob"], Cause::BlobMissing),
    (&["blob unknown to registry"], Cause::BlobMissing),
    // A page for people, where a manifest was asked for.
    (&["error unmarshalling content"], Cause::ForeignAnswer),
    (&["invalid reference format"], Cause::BadReference),
    (&["invalid tag format"], Cause::BadReference),
    (&["invalid repository name"], Cause::BadReference),
    (&["invalid checksum digest"], Cause::BadReference),
    (&["401 unauthorized"], Cause::CredentialRefused),
    (&["received unexpected http status: 5"], Cause::RegistryFailure),
    (&["unexpected status", ": 50"], Cause::RegistryFailure),
    (&["500 internal server error"], Cause::RegistryFailure),
    (&["502 bad gateway"], Cause::RegistryFailure),
    (&["503 service unavailable"], Cause::RegistryFailure),
    (&["504 gateway timeout"], Cause::RegistryFailure),
    (&["http 50"], Cause::RegistryFailure),
    (&["received unexpected http status: 404"], Cause::TagMissing),
    (&["404 not found"], Cause::TagMissing),
    // What the engine makes of an answer that is no registry's: any web server says 404 with a page of its own.
    (&["error parsing http 404"], Cause::TagMissing),
    (&["error parsing http 401"], Cause::CredentialRefused),
    (&["error parsing http 408"], Cause::NetworkTimeout),
    (&["error parsing http 4"], Cause::Unknown),
];

impl Cause {
    /// The cause that an engine's failure names. `credential_sent` tells a refused credential from a missing one.
    pub(crate) fn of(error: &EngineError, credential_sent: bool) -> Self {
        match error.kind() {
            EngineErrorKind::Unreachable => return Self::EngineUnreachable,
            EngineErrorKind::Interrupted => return Self::EngineInterrupted,
            EngineErrorKind::Malformed => return Self::UnreadableManifest,
            EngineErrorKind::Unsupported => return Self::EngineCannotAsk,
            EngineErrorKind::Answer(_) | EngineErrorKind::Stream => {}
        }
        let cause = Self::of_text(error.message()).unwrap_or_else(|| match error.status() {
            Some(401) => Self::CredentialRefused,
            Some(403) => Self::Denied,
            Some(404) => Self::TagMissing,
            Some(429) => Self::Throttled,
            Some(400) => Self::BadReference,
            // In the middle of a stream there is no status; what the registry refuses shows before.
            Some(500..) | None => Self::UnknownServerError,
            Some(_) => Self::Unknown,
        });
        match cause {
            Self::CredentialRefused if !credential_sent => Self::NoCredentialSent,
            Self::NoCredentialSent if credential_sent => Self::CredentialUnfit,
            other => other,
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        TEXTS
            .iter()
            .find(|(parts, _)| parts.iter().all(|part| text.contains(part)))
            .map(|(_, cause)| *cause)
            // Words that are too short to be looked for anywhere else: Go's bare end of file, and the code of a refusal
            // whose usual message the engine leaves out.
            .or_else(|| {
                [("eof", Self::ConnectionLost), ("denied", Self::Denied)]
                    .into_iter()
                    .find(|(word, _)| text == *word || text.ends_with(&format!(": {word}")))
                    .map(|(_, cause)| cause)
            })
    }

    /// Whether the engine's answer may hide a more precise one of the registry.
    pub(crate) fn is_vague(self) -> bool {
        matches!(
            self,
            Self::Unknown | Self::UnknownServerError | Self::AccessDeniedOrAbsent
        )
    }
}
