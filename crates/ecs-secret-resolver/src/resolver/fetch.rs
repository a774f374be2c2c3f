//! One call of `GetSecretValue`.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Stage};
use zeroize::Zeroizing;

use super::cache::{CacheKey, Fetched};
use super::{Plan, SecretResolver};
use crate::aws::diagnosis::Subject;
use crate::aws::failure::{AwsFailure, FailureKind};
use crate::{kms, secret};

const ACTION: &str = "secretsmanager:GetSecretValue";

/// A fetch that failed.
pub(super) struct Failed {
    pub(super) diagnosis: Diagnosis,
    /// Whether what the identity fetched of this secret before must not be used any more.
    pub(super) revokes: bool,
}

impl From<Diagnosis> for Failed {
    fn from(diagnosis: Diagnosis) -> Self {
        Self {
            diagnosis,
            revokes: false,
        }
    }
}

impl SecretResolver {
    pub(super) async fn fetch_within_limit(&self, plan: &Plan, key: &CacheKey) -> Result<Fetched, Failed> {
        let limit = self.0.settings.time_limit;
        tokio::time::timeout(limit, Box::pin(self.fetch(plan, key)))
            .await
            .unwrap_or_else(|_| {
                let failure = AwsFailure::new(ACTION, FailureKind::TimedOut)
                    .with_message(&format!("nothing came within {} s", limit.as_secs()));
                Err(self.diagnose(plan, key, &failure).into())
            })
    }

    async fn fetch(&self, plan: &Plan, key: &CacheKey) -> Result<Fetched, Failed> {
        let session = self.0.context.session(&plan.identity, &key.region).await?;
        let config = self.0.context.config_of(&session, &key.region).await?;
        // Made anew for every fetch: a client of a session that is gone would keep its keys and renew them in vain.
        let client = Client::new(&config);
        match session.call(|| self.send(plan, key, &client)).await {
            Ok(output) => read(plan, key, output).map_err(Failed::from),
            Err(failure) => Err(self.failed(plan, key, &failure).await),
        }
    }

    async fn send(
        &self,
        plan: &Plan,
        key: &CacheKey,
        client: &Client,
    ) -> Result<GetSecretValueOutput, AwsFailure> {
        // Never closed. Held by what is under way only, and not by those who wait for their keys.
        let _permit = self.0.permits.acquire().await.ok();
        tracing::debug!(secret = %plan.id, region = %key.region, identity = %plan.identity, "fetching");
        client
            .get_secret_value()
            .secret_id(plan.id.requested())
            .set_version_stage(key.stage.or(plan.id.version_stage()).map(str::to_owned))
            .set_version_id(plan.id.version_id().map(str::to_owned))
            .send()
            .await
            .map_err(|error| AwsFailure::from_sdk(ACTION, &error, self.0.context.now()))
    }

    async fn failed(&self, plan: &Plan, key: &CacheKey, failure: &AwsFailure) -> Failed {
        let mut diagnosis = self.diagnose(plan, key, failure);
        let is_about_key = matches!(failure.kind, FailureKind::KmsDenied | FailureKind::Decryption);
        if is_about_key && self.0.settings.inspect_keys {
            let findings = kms::inspect(&self.0.context, &plan.id, &plan.identity, &key.region).await;
            diagnosis = findings.add_to(diagnosis);
        }
        Failed {
            diagnosis,
            revokes: matches!(
                failure.kind,
                FailureKind::Denied
                    | FailureKind::KmsDenied
                    | FailureKind::NotFound
                    | FailureKind::MarkedForDeletion
                    | FailureKind::UnknownKeys
            ),
        }
    }

    fn diagnose(&self, plan: &Plan, key: &CacheKey, failure: &AwsFailure) -> Diagnosis {
        let what = match key.stage {
            Some(stage) => format!("secret {} ({stage}) cannot be read", plan.id),
            None => format!("secret {} cannot be read", plan.id),
        };
        let diagnosis = failure.diagnosis(Subject {
            name: ErrorName::ResourceInitialization,
            what: &what,
            region: &key.region,
            identity: &plan.identity,
            resource: &resource(plan, &key.region),
            endpoint: "secretsmanager",
        });
        if failure.kind == FailureKind::NotFound {
            return diagnosis.with_next_step(where_it_may_be(plan, &key.region));
        }
        if failure.kind == FailureKind::Denied
            && failure.action == ACTION
            && let Some(word) = plan.id.doubtful_suffix()
        {
            let step = diagnosis
                .next_step()
                .map(|step| format!("{step}; "))
                .unwrap_or_default();
            return diagnosis.with_next_step(format!(
                "{step}if the secret's name itself ends in {word:?}, its ARN lacks the six random characters after it: \
                 name the secret by its whole ARN"
            ));
        }
        diagnosis
    }
}

/// What a statement has to name: the ARN, with a pattern where its random suffix is not known.
fn resource(plan: &Plan, region: &str) -> String {
    let id = &plan.id;
    match id.arn() {
        Some(arn) if id.has_random_suffix() => arn.to_string(),
        Some(arn) => format!("{arn}-??????"),
        None => format!(
            "arn:{}:secretsmanager:{region}:{}:secret:{}-??????",
            crate::Partition::of_region(region),
            plan.identity.account().as_deref().unwrap_or("*"),
            id.name()
        ),
    }
}

/// "Can't find the specified secret" has three usual causes; which of them can be told from how it was named.
fn where_it_may_be(plan: &Plan, region: &str) -> String {
    let account = plan.identity.account();
    match plan.id.arn() {
        None => format!(
            "create secret {} in {region}{}, or name a secret of another account or region by its full ARN",
            plan.id.name(),
            account.map_or_else(String::new, |account| format!(" in account {account}")),
        ),
        Some(arn) if !plan.id.has_random_suffix() => format!(
            "name the secret by its full ARN, with the random suffix ({}-XXXXXX): {region} of account {} was asked, and \
             across accounts a partial ARN is never found",
            arn,
            arn.account()
        ),
        Some(arn) => format!(
            "check the ARN: {region} of account {} was asked (aws secretsmanager list-secrets --region {region}); an ARN \
             without the random suffix whose name ends in a hyphen and six characters is taken for a whole one",
            arn.account()
        ),
    }
}

fn read(plan: &Plan, key: &CacheKey, mut output: GetSecretValueOutput) -> Result<Fetched, Diagnosis> {
    let value = match (output.secret_string.take(), output.secret_binary.take()) {
        (Some(text), _) => Zeroizing::new(text.into_bytes()),
        (None, Some(binary)) => Zeroizing::new(binary.into_inner()),
        (None, None) => Zeroizing::default(),
    };
    let version = output.version_id.take().map(Arc::from);
    let credential = secret::parse(&value, plan.id.json_key()).map_err(|error| {
        let of_version = version
            .as_ref()
            .map(|version: &Arc<str>| format!(" (version {version})"))
            .unwrap_or_default();
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Credential,
            Stage::Credential,
            format!(
                "secret {}{of_version}, read in {} with {}, holds no registry credential: {error}",
                plan.id, key.region, plan.identity
            ),
        )
        .with_next_step(error.next_step())
    })?;
    Ok(Fetched {
        credential,
        arn: output.arn.take().map(Arc::from),
        version,
        role: plan.identity.current_role(),
    })
}
