//! One call of `GetAuthorizationToken`.

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use aws_types::service_config::ServiceConfigKey;
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, RegistryCredential, Stage};
use zeroize::Zeroizing;

use super::host::EcrRegistry;
use super::request::{EcrRequest, Target};
use super::token::{self, TokenError};
use crate::AwsContext;
use crate::aws::diagnosis::Subject;
use crate::aws::failure::{AwsFailure, FailureKind};
use crate::policy::Statement;

/// Amazon ECR Public answers in this region only.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>.
const PUBLIC_REGION: &str = "us-east-1";

/// What an answer holds. Never the answer itself: its `Debug` shows the token.
pub(super) struct Fetched {
    pub(super) credential: RegistryCredential,
    pub(super) expires_at: Option<SystemTime>,
}

struct Answer {
    data: Option<(Option<Zeroizing<String>>, Option<DateTime>)>,
    request_id: Option<String>,
}

impl Target {
    pub(super) fn region(&self) -> &str {
        match self {
            Self::Private(registry) => &registry.region,
            Self::Public => PUBLIC_REGION,
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Private(_) => "ecr:GetAuthorizationToken",
            Self::Public => "ecr-public:GetAuthorizationToken",
        }
    }

    fn service(&self) -> &'static str {
        match self {
            Self::Private(_) => "ecr",
            Self::Public => "ecr-public",
        }
    }

    /// For a sentence, without its region.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Private(registry) => format!("Amazon ECR registry {}", registry.account),
            Self::Public => "Amazon ECR Public".to_owned(),
        }
    }
}

/// Fetches a token with the request's identity. Keys that AWS calls expired are renewed once.
pub(super) async fn fetch(context: &AwsContext, request: &EcrRequest) -> Result<Fetched, Diagnosis> {
    let region = request.target.region();
    let session = context.session(&request.identity, region).await?;
    let config = context.config_of(&session, region).await?;
    let answer = session.call(|| call(context, &config, request)).await;
    let failed = |failure: AwsFailure| diagnosis(&failure, request);
    let Answer { data, request_id } = answer.map_err(failed)?;
    read(data).map_err(|error| unusable(error, request, request_id))
}

fn read(data: Option<(Option<Zeroizing<String>>, Option<DateTime>)>) -> Result<Fetched, TokenError> {
    let (encoded, expires_at) = data.ok_or(TokenError::NoData)?;
    let encoded = encoded
        .filter(|encoded| !encoded.is_empty())
        .ok_or(TokenError::NoToken)?;
    Ok(Fetched {
        credential: token::decode(&encoded)?,
        expires_at: expires_at.and_then(|time| SystemTime::try_from(time).ok()),
    })
}

async fn call(context: &AwsContext, config: &SdkConfig, request: &EcrRequest) -> Result<Answer, AwsFailure> {
    let now = || context.now();
    match &request.target {
        Target::Private(registry) => private(config, request, registry, now).await,
        Target::Public => public(config, request, now).await,
    }
}

async fn private(
    config: &SdkConfig,
    request: &EcrRequest,
    registry: &EcrRegistry,
    now: impl Fn() -> SystemTime,
) -> Result<Answer, AwsFailure> {
    let mut builder = aws_sdk_ecr::config::Builder::from(config);
    if registry.fips {
        builder = builder.use_fips(true);
    }
    // An override says itself which addresses its host has, and the SDK takes only one of the two.
    if registry.dual_stack && request.endpoint_override.is_none() && !has_endpoint(config, "ECR") {
        builder = builder.use_dual_stack(true);
    }
    if let Some(url) = request.endpoint_override.as_deref() {
        builder = builder.endpoint_url(url);
    }
    // No registry ids: AWS has deprecated them, the token is for whatever the identity may pull.
    let output = aws_sdk_ecr::Client::from_conf(builder.build())
        .get_authorization_token()
        .send()
        .await
        .map_err(|error| failure(request, &error, now()))?;
    Ok(Answer {
        request_id: output.request_id().map(str::to_owned),
        data: output
            .authorization_data
            .and_then(|all| all.into_iter().next())
            .map(|data| (data.authorization_token.map(Zeroizing::new), data.expires_at)),
    })
}

async fn public(
    config: &SdkConfig,
    request: &EcrRequest,
    now: impl Fn() -> SystemTime,
) -> Result<Answer, AwsFailure> {
    let mut builder = aws_sdk_ecrpublic::config::Builder::from(config);
    if let Some(url) = request.endpoint_override.as_deref() {
        builder = builder.endpoint_url(url);
    }
    let output = aws_sdk_ecrpublic::Client::from_conf(builder.build())
        .get_authorization_token()
        .send()
        .await
        .map_err(|error| failure(request, &error, now()))?;
    Ok(Answer {
        request_id: output.request_id().map(str::to_owned),
        data: output
            .authorization_data
            .map(|data| (data.authorization_token.map(Zeroizing::new), data.expires_at)),
    })
}

fn has_endpoint(config: &SdkConfig, service: &'static str) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    config.endpoint_url().is_some()
        || key
            .ok()
            .zip(config.service_config())
            .is_some_and(|(key, source)| source.load_config(key).is_some())
}

fn failure<E>(request: &EcrRequest, error: &SdkError<E, HttpResponse>, now: SystemTime) -> AwsFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    AwsFailure::from_sdk(request.target.action(), error, now)
}

fn diagnosis(failure: &AwsFailure, request: &EcrRequest) -> Diagnosis {
    let target = &request.target;
    let what = format!("a token of {} cannot be obtained", target.name());
    let diagnosis = failure.diagnosis(Subject {
        name: ErrorName::CannotPullEcrContainer,
        what: &what,
        region: target.region(),
        identity: &request.identity,
        resource: "*",
        endpoint: target.service(),
    });
    match next_step(failure, request) {
        Some(next_step) => diagnosis.with_next_step(next_step),
        None => diagnosis,
    }
}

/// Where Amazon ECR has more to say than other services.
fn next_step(failure: &AwsFailure, request: &EcrRequest) -> Option<String> {
    let is_ours = failure.action == request.target.action();
    let said = failure.message.as_deref().unwrap_or_default();
    match (&failure.kind, &request.target) {
        (FailureKind::Denied, Target::Public) if is_ours && !said.contains("explicit deny") => {
            // Both are needed, and AWS names one after the other.
            let statement = Statement::allow(
                "EcrPublicLogin",
                ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"],
            )
            .on(["*"]);
            Some(format!("add to a policy of {}: {statement}", request.identity))
        }
        (FailureKind::Unreachable { .. } | FailureKind::TimedOut, Target::Private(registry)) if is_ours => {
            Some(format!(
                "give this machine a route to the endpoint: a NAT gateway, a proxy in HTTPS_PROXY, or the interface \
                 endpoints com.amazonaws.{region}.ecr.api and com.amazonaws.{region}.ecr.dkr with a gateway endpoint \
                 for Amazon S3",
                region = registry.region
            ))
        }
        (FailureKind::Endpoint, Target::Private(registry)) if said.contains("FIPS") => {
            let drop = match (&request.endpoint_override, &request.origin) {
                (Some(url), Some(origin)) => format!("drop the endpoint override {url} ({origin})"),
                (Some(url), None) => format!("drop the endpoint override {url}"),
                (None, _) => {
                    "drop the endpoint override (AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_ECR)".to_owned()
                }
            };
            let other = if registry.fips {
                "name the image by the registry's host without \"-fips\""
            } else {
                "the FIPS setting (AWS_USE_FIPS_ENDPOINT)"
            };
            Some(format!(
                "{drop}, or {other}: a FIPS endpoint cannot be overridden"
            ))
        }
        _ => None,
    }
}

fn unusable(error: TokenError, request: &EcrRequest, request_id: Option<String>) -> Diagnosis {
    let target = &request.target;
    let id = request_id.map_or_else(String::new, |id| format!(" (request id {id})"));
    Diagnosis::new(
        ErrorName::CannotPullEcrContainer,
        ErrorClass::Credential,
        Stage::Credential,
        format!(
            "a token of {} in {}, fetched with {}, cannot be used: {error}{id}",
            target.name(),
            target.region(),
            request.identity
        ),
    )
    .with_next_step("check which endpoint answers: that is not what Amazon ECR sends")
}
