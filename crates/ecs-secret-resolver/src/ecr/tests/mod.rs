//! Tokens against other people's HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_types::sdk_config::TimeSource;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecs_registry_auth::{Diagnosis, ImageReference, Keychain, ResolvedCredential};
use serde_json::{Value, json};
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::{AwsContext, AwsOptions, Identity, RoleKeys};

mod failures;
mod life;
mod place;

const ROLE: &str = "arn:aws:iam::111111111111:role/execution";
const IMAGE: &str = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1";
const PRIVATE_CALL: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const PUBLIC_CALL: &str = "SpencerFrontendService.GetAuthorizationToken";
const LIFE: Duration = Duration::from_secs(12 * 3600);

fn image(name: &str) -> ImageReference {
    name.parse().unwrap()
}

fn keys(access_key_id: &str) -> RoleKeys {
    RoleKeys::new(access_key_id, "hidden-key", None, None).with_role_arn(ROLE)
}

fn identity() -> Identity {
    Identity::ready(keys("AKIDEXAMPLE"))
}

fn request() -> EcrRequest {
    EcrRequest::for_image(&image(IMAGE), identity()).unwrap()
}

fn options(server: &MockServer) -> AwsOptions {
    AwsOptions::default()
        .with_region("eu-west-1")
        .with_endpoint_url(server.uri())
        .with_max_attempts(2)
}

fn tokens(server: &MockServer) -> EcrTokens {
    EcrTokens::new(AwsContext::new(options(server)))
}

/// The answer of Amazon ECR, with a token that holds this text.
fn answer(decoded: &str, expires_at: SystemTime) -> ResponseTemplate {
    let seconds = expires_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    ResponseTemplate::new(200).set_body_json(json!({"authorizationData": [{
        "authorizationToken": STANDARD.encode(decoded),
        "expiresAt": seconds,
        "proxyEndpoint": "https://111111111111.dkr.ecr.eu-west-1.amazonaws.com",
    }]}))
}

/// Answers with the token, up to `times` times.
async fn serve(server: &MockServer, decoded: &str, times: u64) {
    serve_answer(server, answer(decoded, SystemTime::now() + LIFE), times).await;
}

async fn serve_answer(server: &MockServer, answer: ResponseTemplate, times: u64) {
    Mock::given(header("x-amz-target", PRIVATE_CALL))
        .respond_with(answer)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .insert_header("x-amzn-requestid", "11112222-req")
        .set_body_json(json!({"__type": code, "message": message}))
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

async fn resolve(keychain: &EcrKeychain) -> Result<ResolvedCredential, Diagnosis> {
    let resolved = keychain.resolve(&image(IMAGE)).await?;
    Ok(resolved.expect("a token is never absent"))
}

fn password(resolved: &ResolvedCredential) -> &str {
    resolved.credential.password.as_ref().unwrap().expose()
}

fn shown(resolved: &ResolvedCredential) -> Value {
    serde_json::to_value(&*resolved.provenance).unwrap()
}

/// A clock that tests turn.
#[derive(Clone, Debug)]
struct Clock(Arc<Mutex<SystemTime>>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::now())))
    }

    fn turn(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// Tokens that live by this clock.
async fn tokens_by(clock: &Clock, server: &MockServer) -> EcrTokens {
    // One attempt: the SDK tries again when the answers' dates differ from this clock.
    let config = AwsContext::new(options(server).with_max_attempts(1))
        .sdk_config(&identity(), "eu-west-1")
        .await
        .unwrap();
    let config = config.to_builder().time_source(clock.clone()).build();
    EcrTokens::new(AwsContext::from_sdk_config(config))
}
