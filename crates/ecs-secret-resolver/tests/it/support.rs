//! An AWS endpoint that gives prepared answers and remembers what it was asked.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use ecs_registry_auth::{Diagnosis, ImageReference, Keychain, ResolvedCredential};
use ecs_secret_resolver::{
    AssumeRole, AwsContext, Identity, ResolverSettings, RoleKeys, SecretKeychain, SecretRequest,
    SecretResolver,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, body_string_contains, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const ARN: &str = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf";
pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/execution";
/// Whatever is shown must not hold it.
pub(crate) const PASSWORD: &str = "hunter2-never-shown";

/// An endpoint of all services on plain HTTP.
pub(crate) struct Aws {
    pub(crate) server: MockServer,
    config: SdkConfig,
}

impl Aws {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let config = config_for(&server.uri()).await;
        Self { server, config }
    }

    pub(crate) fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    pub(crate) fn resolver(&self) -> SecretResolver {
        self.resolver_with(ResolverSettings::default())
    }

    pub(crate) fn resolver_with(&self, settings: ResolverSettings) -> SecretResolver {
        SecretResolver::new(AwsContext::from_sdk_config(self.config()), settings)
    }

    pub(crate) async fn on(&self, target: &str, answer: ResponseTemplate) {
        Mock::given(header("x-amz-target", target))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    pub(crate) async fn once(&self, target: &str, answer: ResponseTemplate) {
        Mock::given(header("x-amz-target", target))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&self.server)
            .await;
    }

    pub(crate) async fn on_secret(&self, answer: ResponseTemplate) {
        self.on("secretsmanager.GetSecretValue", answer).await;
    }

    pub(crate) async fn on_stage(&self, stage: &str, answer: ResponseTemplate) {
        Mock::given(header("x-amz-target", "secretsmanager.GetSecretValue"))
            .and(body_partial_json(json!({"VersionStage": stage})))
            .respond_with(answer)
            .with_priority(1)
            .mount(&self.server)
            .await;
    }

    pub(crate) async fn on_assume_role(&self, answer: ResponseTemplate) {
        Mock::given(body_string_contains("Action=AssumeRole"))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    /// How many requests there were whose target or body holds a text.
    pub(crate) async fn count(&self, part: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| {
                let target = request.headers.get("x-amz-target");
                target.is_some_and(|target| target.to_str().unwrap().contains(part))
                    || String::from_utf8_lossy(&request.body).contains(part)
            })
            .count()
    }

    pub(crate) async fn header_of_last(&self, name: &str) -> String {
        let requests = self.server.received_requests().await.unwrap();
        requests.last().unwrap().headers[name]
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn body_of_last(&self) -> Value {
        let requests = self.server.received_requests().await.unwrap();
        serde_json::from_slice(&requests.last().unwrap().body).unwrap()
    }
}

/// A configuration for an endpoint, with keys of its own and no pauses worth waiting for.
pub(crate) async fn config_for(endpoint: &str) -> SdkConfig {
    let tls = TlsContext::builder()
        .with_trust_store(TrustStore::empty())
        .build()
        .unwrap();
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .http_client(client)
        .credentials_provider(Credentials::new("AKIDCALLER", "caller-key", None, None, "test"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_millis(500))
                .operation_attempt_timeout(Duration::from_millis(500))
                .operation_timeout(Duration::from_secs(3))
                .build(),
        )
        .load()
        .await
}

pub(crate) fn role_keys() -> RoleKeys {
    RoleKeys::new(
        "AKIDROLE",
        "role-secret-key",
        Some("role-session-token".into()),
        None,
    )
    .with_role_arn(ROLE)
}

pub(crate) fn assumed() -> Identity {
    Identity::assume_role(AssumeRole::new(ROLE).unwrap())
}

pub(crate) fn keychain(resolver: &SecretResolver, secret: &str, identity: Identity) -> SecretKeychain {
    resolver.keychain(
        SecretRequest::new(secret)
            .with_identity(identity)
            .with_region("eu-west-1"),
    )
}

pub(crate) fn image() -> ImageReference {
    "registry.example.com/team/app:v1".parse().unwrap()
}

pub(crate) async fn resolve(keychain: &impl Keychain) -> Result<ResolvedCredential, Diagnosis> {
    keychain
        .resolve(&image())
        .await
        .map(|resolved| resolved.expect("a secret is never absent"))
}

pub(crate) fn password(resolved: &ResolvedCredential) -> &str {
    resolved.credential.password.as_ref().unwrap().expose()
}

/// What `GetSecretValue` answers.
pub(crate) fn value(username: &str, version: &str) -> ResponseTemplate {
    ok(json!({
        "ARN": ARN,
        "Name": "registry",
        "VersionId": version,
        "SecretString": json!({"username": username, "password": PASSWORD}).to_string(),
        "VersionStages": ["AWSCURRENT"],
    }))
}

pub(crate) fn ok(body: impl std::fmt::Display) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("x-amzn-requestid", "11112222-request")
        .set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

/// An error of a JSON service.
pub(crate) fn error(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .insert_header("x-amzn-requestid", "11112222-request")
        .set_body_raw(
            json!({"__type": code, "message": message}).to_string(),
            "application/x-amz-json-1.1",
        )
}

/// An error of STS, and of test servers for every service.
pub(crate) fn xml_error(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .insert_header("x-amzn-requestid", "11112222-request")
        .set_body_raw(
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>11112222-request</RequestId></ErrorResponse>"
            ),
            "text/xml",
        )
}

pub(crate) fn assumed_role() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>AKIDASSUMED</AccessKeyId><SecretAccessKey>assumed-secret-key</SecretAccessKey>\
         <SessionToken>assumed-session-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><Arn>arn:aws:sts::111111111111:assumed-role/execution/ecs-pull</Arn>\
         <AssumedRoleId>AROA:ecs-pull</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>",
        "text/xml",
    )
}

/// Everything a diagnosis shows, checked to hold no secret.
pub(crate) fn shown(diagnosis: &Diagnosis) -> String {
    let shown = format!(
        "{diagnosis} {diagnosis:?} {}",
        serde_json::to_string(diagnosis).unwrap()
    );
    for secret in [
        PASSWORD,
        "role-secret-key",
        "role-session-token",
        "caller-key",
        "assumed-secret-key",
        "assumed-session-token",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    shown
}

/// A map of header values for signatures: `Credential=`, `SignedHeaders=`, `Signature=`.
pub(crate) fn signature_parts(authorization: &str) -> HashMap<&str, &str> {
    authorization
        .trim_start_matches("AWS4-HMAC-SHA256 ")
        .split(", ")
        .filter_map(|part| part.split_once('='))
        .collect()
}
