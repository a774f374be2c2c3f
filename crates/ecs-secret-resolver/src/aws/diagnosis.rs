//! From a failed call to what its reader has to do.

use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};

use super::failure::{AwsFailure, FailureKind};
use super::statement;
use crate::identity::Kind;
use crate::{Arn, Identity, Partition};

/// What a call was for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The name that ECS users know for this failure.
    pub(crate) name: ErrorName,
    /// What could not be done, without a full stop: `secret arn:… cannot be read`.
    pub(crate) what: &'a str,
    /// The region that was asked.
    pub(crate) region: &'a str,
    /// Whose permissions were used.
    pub(crate) identity: &'a Identity,
    /// The ARN that a policy statement has to name; `*` for actions without resources.
    pub(crate) resource: &'a str,
    /// The service's name in host names: `secretsmanager`.
    pub(crate) endpoint: &'a str,
}

/// Input that is wrong before any call.
pub(crate) fn configuration_error(message: impl Into<String>) -> Diagnosis {
    Diagnosis::new(
        ErrorName::ResourceInitialization,
        ErrorClass::Configuration,
        Stage::Credential,
        message,
    )
}

impl AwsFailure {
    /// The diagnosis of this failure: message with place, region, role, AWS code and request id; cause in AWS's
    /// words; one next step.
    pub(crate) fn diagnosis(&self, subject: Subject<'_>) -> Diagnosis {
        let mut message = format!("{} in {} with {}", subject.what, subject.region, subject.identity);
        let is_nested = !self.action.starts_with(&format!("{}:", subject.endpoint));
        message.push_str(": ");
        if is_nested && self.action != "credentials" {
            message.push_str(&format!("{}: ", self.action));
        }
        message.push_str(&self.summary());
        let place: Vec<String> = [
            self.status
                .filter(|_| self.code.is_none())
                .map(|status| format!("HTTP status {status}")),
            self.request_id.as_ref().map(|id| format!("request id {id}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !place.is_empty() {
            message.push_str(&format!(" ({})", place.join(", ")));
        }
        let class = match self.kind {
            FailureKind::TimedOut => ErrorClass::TimedOut,
            _ => ErrorClass::Credential,
        };
        let name = match (&self.kind, subject.identity.kind()) {
            // The agent's name for an execution role whose keys it was not sent.
            (FailureKind::NoCredentials, Kind::Stored { .. }) => ErrorName::CannotPullContainerAuth,
            _ => subject.name,
        };
        let mut diagnosis =
            Diagnosis::new(name, class, Stage::Credential, message).with_retriable(self.is_transient());
        if let Some(cause) = &self.message {
            diagnosis = diagnosis.with_cause(cause);
        }
        match self.next_step(subject) {
            Some(next_step) => diagnosis.with_next_step(next_step),
            None => diagnosis,
        }
    }

    /// The code that AWS sent, or what happened in its place.
    fn summary(&self) -> String {
        if let Some(code) = &self.code {
            return code.clone();
        }
        match &self.kind {
            FailureKind::Denied => "access denied".to_owned(),
            FailureKind::TimedOut => "no answer in time".to_owned(),
            FailureKind::Unreachable { host: Some(host) } => format!("{host} cannot be reached"),
            FailureKind::Unreachable { host: None } => "the endpoint cannot be reached".to_owned(),
            FailureKind::Tls { host: Some(host), .. } => format!("TLS with {host} failed"),
            FailureKind::Tls { host: None, .. } => "TLS with the endpoint failed".to_owned(),
            FailureKind::WebPage => "a web page came back instead of an answer of AWS".to_owned(),
            FailureKind::BrokenAnswer => "the answer is cut off or not in AWS's form".to_owned(),
            FailureKind::NoCredentials => "there are no AWS credentials".to_owned(),
            FailureKind::ExpiredKeys => "the keys have expired".to_owned(),
            FailureKind::BadCredentialsSource => "the AWS credentials cannot be loaded".to_owned(),
            FailureKind::Endpoint => "no endpoint can be chosen".to_owned(),
            _ => "the call failed".to_owned(),
        }
    }

    fn next_step(&self, subject: Subject<'_>) -> Option<String> {
        let text = match &self.kind {
            FailureKind::Denied => return Some(self.statement_to_add(subject)),
            // A key that this program uses itself, and no service in its name.
            FailureKind::KmsDenied if self.action.starts_with("kms:") => self.statement_to_add(subject),
            FailureKind::KmsDenied => statement::kms(subject.identity, subject.region, subject.resource),
            FailureKind::Decryption => {
                let owner = if self.action.starts_with("kms:") { "" } else { " of the secret" };
                format!(
                    "look at the KMS key{owner}: it must be enabled, not pending deletion, and its key policy must allow \
                     the role"
                )
            }
            FailureKind::UnknownKeys => self.partitions(subject),
            FailureKind::ExpiredKeys => match subject.identity.is_refreshed_from_outside() {
                true => "hand in fresh keys: the control plane that sent these has to send others".to_owned(),
                false => "renew the session that these keys come from (log in again, or run the command that wrote \
                          them)"
                    .to_owned(),
            },
            FailureKind::Signature => match self.skew {
                Some((ahead, by)) => format!(
                    "set this machine's clock: it is {} s {} AWS's",
                    by.as_secs(),
                    if ahead { "ahead of" } else { "behind" }
                ),
                None => "check the secret access key: this machine's clock agrees with AWS's".to_owned(),
            },
            FailureKind::NotFound => return None,
            FailureKind::NoValue => {
                "put a value into the secret (aws secretsmanager put-secret-value), or ask for a version that exists"
                    .to_owned()
            }
            FailureKind::MarkedForDeletion => "restore the secret (aws secretsmanager restore-secret), or name another".to_owned(),
            FailureKind::InvalidRequest if self.action.starts_with("secretsmanager:") => {
                "check how the secret is named".to_owned()
            }
            FailureKind::InvalidRequest => "correct what the cause names".to_owned(),
            FailureKind::Throttled => "try again; fewer calls at once, or a longer cache lifetime, avoid it".to_owned(),
            FailureKind::ServerError | FailureKind::BrokenAnswer => "try again; if it stays, look at the service's health".to_owned(),
            FailureKind::TimedOut | FailureKind::Unreachable { .. } => self.route(subject),
            FailureKind::Tls {
                no_authorities: true, ..
            } => "install the system's certificate authorities (package ca-certificates), or name a PEM file in \
                  AWS_CA_BUNDLE: this machine has none"
                .to_owned(),
            FailureKind::Tls { .. } => {
                "name the certificate authority of your proxy or endpoint in AWS_CA_BUNDLE".to_owned()
            }
            FailureKind::WebPage => {
                "log in to the network's portal, or exempt AWS's endpoints from the proxy that answered".to_owned()
            }
            FailureKind::NoCredentials => match subject.identity.is_refreshed_from_outside() {
                true => "hand in the keys of the task's execution role".to_owned(),
                false => "give this process AWS credentials: an instance profile, AWS_PROFILE, or AWS_ACCESS_KEY_ID \
                          and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            },
            FailureKind::BadCredentialsSource => "correct the source of credentials that the cause names".to_owned(),
            FailureKind::Endpoint => self.endpoint(),
            FailureKind::Other => return None,
        };
        Some(text)
    }

    /// What a policy has to say, and which one.
    fn statement_to_add(&self, subject: Subject<'_>) -> String {
        let said = self.message.as_deref().unwrap_or_default();
        let action = statement::word_after(said, "not authorized to perform: ").unwrap_or(self.action);
        if said.contains("explicit deny") {
            return format!("remove the statement that denies {action} from the policy that the cause names");
        }
        if action == "sts:AssumeRole" {
            return statement::assume_role(subject.identity, said);
        }
        let resource = statement::word_after(said, "on resource: ")
            .filter(|resource| Arn::parse(resource).is_ok())
            .filter(|_| subject.resource != "*")
            .unwrap_or(subject.resource);
        if said.contains("no resource-based policy allows") {
            return statement::resource_policy(subject.identity, action, resource);
        }
        statement::identity_policy(subject.identity, action, resource)
    }

    fn partitions(&self, subject: Subject<'_>) -> String {
        let of = |partition: Option<Partition>| partition.map_or("unknown", Partition::id);
        let resource = Arn::parse(subject.resource).ok().map(|arn| arn.partition());
        format!(
            "use keys of the same partition that exist: role {}, region {}, resource {}",
            of(subject.identity.partition()),
            Partition::of_region(subject.region),
            of(resource),
        )
    }

    fn route(&self, subject: Subject<'_>) -> String {
        let service = match self.action.split_once(':') {
            Some((service, _)) => service,
            None => subject.endpoint,
        };
        format!(
            "give this machine a route to the endpoint: a NAT gateway, a proxy in HTTPS_PROXY, or the interface \
             endpoint com.amazonaws.{}.{service}",
            subject.region
        )
    }

    fn endpoint(&self) -> String {
        let said = self.message.as_deref().unwrap_or_default();
        if said.contains("FIPS") {
            "drop either the FIPS setting or the endpoint override".to_owned()
        } else {
            "set the region (AWS_REGION) and check AWS_ENDPOINT_URL".to_owned()
        }
    }
}
