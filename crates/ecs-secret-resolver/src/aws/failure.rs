//! What a failed call to AWS means, whatever shape the SDK gives it.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::body::{self, Body};
use super::http::Unreachable;
use super::statement;
use super::trust::TrustSource;
use crate::identity::session::SessionFailure;

/// A failed call: enough for a diagnosis, without the answer's body and without a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsFailure {
    /// What was called, as IAM names it: `secretsmanager:GetSecretValue`.
    pub(crate) action: &'static str,
    pub(crate) kind: FailureKind,
    /// The error code that AWS sent.
    pub(crate) code: Option<String>,
    /// The first line of what AWS said.
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    /// The HTTP status, when there was an answer.
    pub(crate) status: Option<u16>,
    /// How far this machine's clock is ahead of (true) or behind the answer's `Date`.
    pub(crate) skew: Option<(bool, Duration)>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// A policy does not allow the call.
    Denied,
    /// A policy does not allow the use of the KMS key.
    KmsDenied,
    /// KMS could not decrypt: the key is disabled, pending deletion, or not there.
    Decryption,
    /// AWS does not know the keys.
    UnknownKeys,
    /// The keys have ended.
    ExpiredKeys,
    /// The signature is wrong: clock or secret key.
    Signature,
    NotFound,
    /// The secret has no value under that label or id.
    NoValue,
    MarkedForDeletion,
    /// AWS refuses the request as malformed.
    InvalidRequest,
    Throttled,
    ServerError,
    /// No answer within a limit.
    TimedOut,
    /// No connection to this host and port.
    Unreachable {
        host: Option<String>,
    },
    /// The certificate of this host and port is not accepted.
    Tls {
        host: Option<String>,
        no_authorities: bool,
    },
    /// The answer is a web page: something between this machine and AWS has answered.
    WebPage,
    /// The answer is cut off or not what AWS sends.
    BrokenAnswer,
    /// No source has any keys.
    NoCredentials,
    /// A source of keys is configured in a way that cannot work.
    BadCredentialsSource,
    /// Region, endpoint or FIPS settings that do not fit together.
    Endpoint,
    Other,
}

impl AwsFailure {
    pub(crate) fn new(action: &'static str, kind: FailureKind) -> Self {
        Self {
            action,
            kind,
            code: None,
            message: None,
            request_id: None,
            status: None,
            skew: None,
        }
    }

    pub(crate) fn with_message(mut self, message: &str) -> Self {
        self.message = body::first_line(message);
        self
    }

    /// Whether the same call may succeed in a moment without anybody changing anything.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Throttled
                | FailureKind::ServerError
                | FailureKind::TimedOut
                | FailureKind::Unreachable { .. }
                | FailureKind::BrokenAnswer
        )
    }

    /// Whether AWS has looked at the keys and calls them expired. Keys that are known to have ended are not sent.
    pub(crate) fn are_keys_refused(&self) -> bool {
        self.kind == FailureKind::ExpiredKeys && self.status.is_some()
    }

    /// From a call of any AWS client. `now` is this machine's time.
    pub(crate) fn from_sdk<E>(
        action: &'static str,
        error: &SdkError<E, HttpResponse>,
        now: SystemTime,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let answer = Answer::read(context.raw(), context.err().code(), context.err().message());
                Self::from_answer(action, answer, now)
            }
            SdkError::ResponseError(context) => {
                let answer = Answer::read(context.raw(), None, None);
                let mut failure = Self::from_answer(action, answer, now);
                if has_timed_out(error) {
                    failure.kind = FailureKind::TimedOut;
                }
                failure
            }
            SdkError::TimeoutError(_) => Self::new(action, FailureKind::TimedOut),
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
                Self::from_sources(action, error, now)
            }
            _ => Self::new(action, FailureKind::Other),
        }
    }

    /// From whatever a source of keys says.
    pub(crate) fn from_credentials(error: &CredentialsError, now: SystemTime) -> Self {
        let action = "credentials";
        let nested = sources(error).find_map(|source| Self::recognise(source, now));
        nested.unwrap_or_else(|| match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::new(action, FailureKind::NoCredentials),
            CredentialsError::ProviderTimedOut(_) => Self::new(action, FailureKind::TimedOut),
            CredentialsError::InvalidConfiguration(_) => {
                Self::from_text(action, FailureKind::BadCredentialsSource, error)
            }
            _ if has_timed_out(error) => Self::new(action, FailureKind::TimedOut),
            _ => Self::from_text(action, FailureKind::BadCredentialsSource, error),
        })
    }

    /// The innermost text that is free of answers' bodies: the sources of keys describe files and profiles in it.
    fn from_text(action: &'static str, kind: FailureKind, error: &(dyn Error + 'static)) -> Self {
        let texts: Vec<String> = sources(error).map(ToString::to_string).collect();
        let innermost = texts.last().map_or_else(String::new, Clone::clone);
        Self::new(action, kind).with_message(&innermost)
    }

    fn from_sources(action: &'static str, error: &(dyn Error + 'static), now: SystemTime) -> Self {
        // The first is the error itself, which would be read again without end.
        if let Some(nested) = sources(error)
            .skip(1)
            .find_map(|source| Self::recognise(source, now))
        {
            return nested;
        }
        if let Some(unreachable) = sources(error).find_map(|source| source.downcast_ref::<Unreachable>()) {
            return Self::from_connection(action, error, Some(unreachable));
        }
        let text = sources(error)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ");
        let about_endpoint = ["endpoint", "FIPS", "region", "Region", "URI", "scheme"]
            .iter()
            .any(|word| text.contains(word));
        // What its endpoint rules refuse is one of the SDK's dispatch failures as well.
        let is_refused = text.contains("Invalid Configuration");
        if is_refused || (about_endpoint && !text.contains("dispatch failure")) {
            return Self::from_text(action, FailureKind::Endpoint, error);
        }
        Self::from_connection(action, error, None)
    }

    /// Errors of other calls that a failing source of keys carries inside.
    fn recognise(source: &(dyn Error + 'static), now: SystemTime) -> Option<Self> {
        if let Some(session) = source.downcast_ref::<SessionFailure>() {
            return Some(session.0.clone());
        }
        if let Some(assume_role) = source.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return Some(Self::from_sdk("sts:AssumeRole", assume_role, now));
        }
        match source.downcast_ref::<CredentialsError>()? {
            CredentialsError::CredentialsNotLoaded(_) => {
                Some(Self::new("credentials", FailureKind::NoCredentials))
            }
            _ => None,
        }
    }

    fn from_connection(
        action: &'static str,
        error: &(dyn Error + 'static),
        unreachable: Option<&Unreachable>,
    ) -> Self {
        let host = unreachable.map(|unreachable| unreachable.host.clone());
        let texts: Vec<String> = sources(error).map(ToString::to_string).collect();
        let innermost = texts.last().map_or("", String::as_str);
        let is_tls = texts
            .iter()
            .any(|text| text.contains("certificate") || text.contains("TLS") || text.contains("tls"))
            || texts
                .iter()
                .any(|text| text.contains("InvalidContentType") || text.contains("corrupt message"));
        let kind = if is_tls {
            let no_authorities =
                unreachable.is_some_and(|unreachable| unreachable.trust == TrustSource::System(0));
            FailureKind::Tls { host, no_authorities }
        } else {
            FailureKind::Unreachable { host }
        };
        Self::new(action, kind).with_message(innermost)
    }

    fn from_answer(action: &'static str, answer: Answer, now: SystemTime) -> Self {
        let kind = answer.kind();
        Self {
            action,
            kind,
            skew: answer.skew(now),
            code: answer.code,
            message: answer.message,
            request_id: answer.request_id,
            status: Some(answer.status),
        }
    }
}

/// What is known of an HTTP answer.
struct Answer {
    status: u16,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    date: Option<SystemTime>,
    body: Body,
}

impl Answer {
    fn read(raw: &HttpResponse, code: Option<&str>, message: Option<&str>) -> Self {
        let header = |name: &str| raw.headers().get(name).map(str::to_owned);
        let body = Body::classify(raw.body().bytes().unwrap_or_default());
        // Answers in XML where JSON is expected leave the SDK without code and message.
        let (xml_code, xml_message) = match &body {
            Body::Xml { code, message } => (code.clone(), message.clone()),
            _ => (None, None),
        };
        Self {
            status: raw.status().as_u16(),
            code: code.map(str::to_owned).or(xml_code),
            message: message.and_then(body::first_line).or(xml_message),
            request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
            date: header("date")
                .and_then(|date| DateTime::from_str(&date, Format::HttpDate).ok())
                .and_then(|date| SystemTime::try_from(date).ok()),
            body,
        }
    }

    /// Only a difference that AWS itself would mind (it allows 5 minutes) is worth telling; below a minute it is
    /// noise.
    fn skew(&self, now: SystemTime) -> Option<(bool, Duration)> {
        let date = self.date?;
        let (ahead, difference) = match now.duration_since(date) {
            Ok(difference) => (true, difference),
            Err(error) => (false, error.duration()),
        };
        (difference >= Duration::from_secs(60)).then_some((ahead, difference))
    }

    fn kind(&self) -> FailureKind {
        // A load balancer's page for a server that is down is no portal's; 511 is for portals (RFC 6585).
        if self.body == Body::WebPage && (self.status < 500 || self.status == 511) {
            return FailureKind::WebPage;
        }
        let message = self.message.as_deref().unwrap_or_default();
        match self.code.as_deref().unwrap_or_default() {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "UnauthorizedAccess" => {
                // The action alone decides where AWS names one: roles and secrets may have "KMS" in their names. Secrets
                // Manager names none.
                let is_kms = match statement::word_after(message, "not authorized to perform: ") {
                    Some(action) => action.starts_with("kms:"),
                    None => message.contains("Access to KMS") || message.contains("customer master key"),
                };
                if is_kms {
                    FailureKind::KmsDenied
                } else {
                    FailureKind::Denied
                }
            }
            "KMSAccessDeniedException" => FailureKind::KmsDenied,
            "DecryptionFailure"
            | "DecryptionFailureException"
            | "DisabledException"
            | "KMSInvalidStateException"
            | "KeyUnavailableException" => FailureKind::Decryption,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidToken" => FailureKind::UnknownKeys,
            "ExpiredToken" | "ExpiredTokenException" => FailureKind::ExpiredKeys,
            "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "AuthFailure" => FailureKind::Signature,
            "ResourceNotFoundException"
                if message.contains("staging label") || message.contains("version") =>
            {
                FailureKind::NoValue
            }
            "ResourceNotFoundException" | "NotFoundException" => FailureKind::NotFound,
            "InvalidRequestException" if message.contains("deletion") => FailureKind::MarkedForDeletion,
            "InvalidRequestException"
            | "InvalidParameterException"
            | "ValidationException"
            | "ValidationError"
            | "InvalidParameterValue"
            | "SerializationException" => FailureKind::InvalidRequest,
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown" => FailureKind::Throttled,
            "RegionDisabledException" => FailureKind::Endpoint,
            _ => match self.status {
                401 | 403 => FailureKind::Denied,
                429 => FailureKind::Throttled,
                500.. => FailureKind::ServerError,
                _ if self.code.is_none() => FailureKind::BrokenAnswer,
                _ => FailureKind::Other,
            },
        }
    }
}

fn has_timed_out(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|source| {
        source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
            || source.to_string().contains("timed out")
            || source.to_string().contains("throughput")
    })
}

/// The error and everything below it.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
