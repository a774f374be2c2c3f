//! Why the KMS key of a secret refuses, as far as the caller's own rights can find out.

use aws_sdk_kms::operation::RequestId as _;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DryRunModifierType, KeyManagerType, KeyMetadata, KeyState};
use ecs_registry_auth::Diagnosis;
use serde_json::json;

use crate::aws::failure::{AwsFailure, FailureKind};
use crate::{Arn, AwsContext, Identity, Partition, SecretId};

/// What was found out, in sentences without full stops, and what must change.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    told: Vec<String>,
    next_step: Option<String>,
}

impl Findings {
    /// The diagnosis with what was found out after AWS's own words.
    pub(crate) fn add_to(self, diagnosis: Diagnosis) -> Diagnosis {
        let mut cause: Vec<String> = diagnosis.cause().map(str::to_owned).into_iter().collect();
        cause.extend(self.told);
        let diagnosis = if cause.is_empty() {
            diagnosis
        } else {
            diagnosis.with_cause(cause.join("; "))
        };
        match self.next_step {
            Some(next_step) => diagnosis.with_next_step(next_step),
            None => diagnosis,
        }
    }
}

/// Asks for the secret's key, the key's state and the right to use it. Nothing that fails here is an error: it is a
/// finding.
pub(crate) async fn inspect(
    context: &AwsContext,
    secret: &SecretId,
    identity: &Identity,
    region: &str,
) -> Findings {
    let Ok(config) = context.sdk_config(identity, region).await else {
        return Findings::default();
    };
    let mut findings = Findings::default();
    let asked = Asked {
        secret,
        identity,
        region,
    };
    let described = aws_sdk_secretsmanager::Client::new(&config)
        .describe_secret()
        .secret_id(secret.requested())
        .send()
        .await;
    let key_id = match described {
        Ok(described) => match described.kms_key_id() {
            Some(key_id) => key_id.to_owned(),
            None => {
                asked.managed_key(&mut findings);
                return findings;
            }
        },
        Err(error) => {
            let failure = AwsFailure::from_sdk("secretsmanager:DescribeSecret", &error, context.now());
            findings.told.push(format!(
                "the secret's key is not known, DescribeSecret: {}",
                short(&failure)
            ));
            return findings;
        }
    };
    let client = aws_sdk_kms::Client::new(&config);
    let key_id = asked.whole_arn(&key_id);
    let metadata = match client.describe_key().key_id(&key_id).send().await {
        Ok(described) => described.key_metadata,
        Err(error) => {
            let failure = AwsFailure::from_sdk("kms:DescribeKey", &error, context.now());
            findings
                .told
                .push(format!("key {key_id} cannot be described: {}", short(&failure)));
            None
        }
    };
    if let Some(metadata) = &metadata
        && asked.state(metadata, &mut findings)
    {
        return findings;
    }
    let key = metadata
        .as_ref()
        .and_then(KeyMetadata::arn)
        .unwrap_or(&key_id)
        .to_owned();
    let tried = client
        .decrypt()
        .key_id(&key)
        .ciphertext_blob(Blob::new([0]))
        .dry_run(true)
        .dry_run_modifiers(DryRunModifierType::IgnoreCiphertext)
        .send()
        .await;
    let verdict = match &tried {
        Ok(_) => Verdict::Allowed,
        Err(error) => {
            let failure = AwsFailure::from_sdk("kms:Decrypt", error, context.now());
            tracing::debug!(
                key,
                code = failure.code,
                request_id = error.request_id(),
                "dry run of Decrypt"
            );
            Verdict::of(failure)
        }
    };
    asked.decrypt(&key, verdict, &mut findings);
    findings
}

/// What the dry run says.
enum Verdict {
    Allowed,
    Denied(AwsFailure),
    Unknown(AwsFailure),
}

impl Verdict {
    fn of(failure: AwsFailure) -> Self {
        match (failure.code.as_deref(), &failure.kind) {
            // The answer of a dry run that would have succeeded; and those of older endpoints, which look at the
            // ciphertext only once the caller is authorized.
            (
                Some("DryRunOperationException" | "InvalidCiphertextException" | "IncorrectKeyException"),
                _,
            ) => Self::Allowed,
            (_, FailureKind::Denied | FailureKind::KmsDenied) => Self::Denied(failure),
            _ => Self::Unknown(failure),
        }
    }
}

struct Asked<'a> {
    secret: &'a SecretId,
    identity: &'a Identity,
    region: &'a str,
}

impl Asked<'_> {
    /// The account of the secret, where another one's identity asks.
    fn other_account(&self) -> Option<&str> {
        let own = self.identity.account()?;
        self.secret.account().filter(|account| *account != own)
    }

    /// A key that is given by its bare id is one of the secret's account; seen from another account it needs its ARN.
    fn whole_arn(&self, key_id: &str) -> String {
        match (self.secret.account(), key_id.contains(':')) {
            (Some(account), false) => {
                let kind = if key_id.starts_with("alias/") { "" } else { "key/" };
                let partition = Partition::of_region(self.region);
                format!("arn:{partition}:kms:{}:{account}:{kind}{key_id}", self.region)
            }
            _ => key_id.to_owned(),
        }
    }

    fn managed_key(&self, findings: &mut Findings) {
        findings
            .told
            .push("the secret is encrypted with the AWS-managed key aws/secretsmanager".to_owned());
        if let Some(account) = self.other_account() {
            findings
                .told
                .push(format!("that key cannot be used from outside account {account}"));
        }
        findings.next_step = Some(match self.other_account() {
            Some(account) => format!(
                "let the owner (account {account}) encrypt the secret with a customer-managed key whose key policy has: {}",
                self.key_statement()
            ),
            None => format!(
                "look for a deny of kms:Decrypt in the policies of {} (service control policies too): aws/secretsmanager \
                 allows its own account",
                self.identity
            ),
        });
    }

    /// Tells about the key; whether its state explains everything.
    fn state(&self, metadata: &KeyMetadata, findings: &mut Findings) -> bool {
        let key = metadata.arn().unwrap_or(metadata.key_id()).to_owned();
        let is_managed = metadata.key_manager() == Some(&KeyManagerType::Aws);
        let state = metadata
            .key_state()
            .map_or("unknown", KeyState::as_str)
            .to_owned();
        let account = metadata.aws_account_id().unwrap_or("unknown").to_owned();
        findings.told.push(format!(
            "key {key} is {}-managed, in account {account}, in state {state}",
            if is_managed { "AWS" } else { "customer" }
        ));
        if is_managed {
            self.managed_key(findings);
            return true;
        }
        findings.next_step = match metadata.key_state() {
            Some(KeyState::Disabled) => Some(format!(
                "enable the key in account {account}: aws kms enable-key --region {} --key-id {key}",
                self.region
            )),
            Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => Some(format!(
                "cancel the deletion of the key in account {account} (aws kms cancel-key-deletion --region {} --key-id \
                 {key}), then enable it",
                self.region
            )),
            Some(KeyState::PendingImport | KeyState::Unavailable) => Some(format!(
                "make the key material of {key} available again in account {account}"
            )),
            _ => None,
        };
        findings.next_step.is_some()
    }

    fn decrypt(&self, key: &str, verdict: Verdict, findings: &mut Findings) {
        match verdict {
            Verdict::Allowed => {
                findings
                    .told
                    .push(format!("a dry run of kms:Decrypt with {key} is allowed"));
                findings.next_step = Some(format!(
                    "look for conditions on kms:Decrypt in the key policy of {key} (kms:ViaService, \
                     kms:EncryptionContext:SecretARN) that this secret does not meet"
                ));
            }
            Verdict::Denied(failure) => {
                findings.told.push(format!(
                    "a dry run of kms:Decrypt with {key} is denied: {}",
                    short(&failure)
                ));
                findings.next_step = Some(self.statements(key));
            }
            Verdict::Unknown(failure) => {
                findings.told.push(format!(
                    "a dry run of kms:Decrypt with {key}: {}",
                    short(&failure)
                ));
                findings.next_step = Some(self.statements(key));
            }
        }
    }

    /// What the identity's policy, and across accounts the key's policy too, must say.
    fn statements(&self, key: &str) -> String {
        let suffix = Partition::of_region(self.region).dns_suffix();
        let own = json!({
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key,
            "Condition": {"StringEquals": {"kms:ViaService": format!("secretsmanager.{}.{suffix}", self.region)}},
        });
        let key_account = Arn::parse(key).ok().map(|arn| arn.account().to_owned());
        let across = match (key_account, self.identity.account()) {
            (Some(account), Some(own)) if account != own => Some(account),
            _ => None,
        };
        let first = format!("add to a policy of {}: {own}", self.identity);
        match across {
            Some(account) => format!(
                "{first}; and let the owner of the key (account {account}) add to its key policy: {}",
                self.key_statement()
            ),
            None => first,
        }
    }

    /// For a key policy, whose `*` is the key itself.
    fn key_statement(&self) -> String {
        let role = self
            .identity
            .current_role()
            .map_or_else(|| "ARN of the caller".to_owned(), |role| role.to_string());
        json!({
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": ["kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
        })
        .to_string()
    }
}

/// Code, words and request id in one line.
fn short(failure: &AwsFailure) -> String {
    let code = failure
        .code
        .clone()
        .or_else(|| failure.status.map(|status| format!("HTTP status {status}")));
    let mut text = code.unwrap_or_else(|| "no answer".to_owned());
    if let Some(message) = &failure.message {
        text.push_str(&format!(" ({message})"));
    }
    text
}
