//! What is asked of AWS, read on the wire.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// More than any request of these services has.
const LARGEST_BODY: usize = 1 << 20;

/// One request to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AwsRequest {
    /// By whose keys it is signed.
    pub access_key_id: String,
    /// The region that it is signed for.
    pub region: String,
    /// The service that it is signed for: `secretsmanager`.
    pub service: String,
    /// As policies name it: `secretsmanager:GetSecretValue`.
    pub action: String,
    body: Bytes,
}

impl AwsRequest {
    /// A parameter of the request, if it is there and a text.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(json) => json[name].as_str().map(str::to_owned),
            Err(_) => form_field(&self.body, name),
        }
    }

    fn read(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let text = |name| headers.get(name)?.to_str().ok();
        let scope = text(header::AUTHORIZATION.as_str())?.split_once("Credential=")?.1;
        let mut scope = scope.split(',').next()?.split('/');
        let (access_key_id, _date) = (scope.next()?, scope.next()?);
        let (region, service) = (scope.next()?, scope.next()?);
        let operation = match text("x-amz-target") {
            Some(target) => target.rsplit_once('.')?.1.to_owned(),
            None => form_field(body, "Action")?,
        };
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            action: format!("{service}:{operation}"),
            body: body.clone(),
        })
    }
}

fn form_field(body: &[u8], name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).ok()?)).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// A proxy before AWS that writes down what passes and changes nothing, so that signatures hold. Its end is the end of
/// the last clone.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Running>);

#[derive(Debug)]
struct Running {
    endpoint: String,
    passed: Arc<Passed>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Passed {
    upstream: Upstream,
    requests: Mutex<Vec<AwsRequest>>,
}

enum Upstream {
    Endpoint { url: String, client: reqwest::Client },
    Answers { delay: Duration, answer: Box<Answers> },
}

type Answers = dyn Fn(&AwsRequest) -> AwsAnswer + Send + Sync;

impl std::fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Endpoint { url, .. } => formatter.write_str(url),
            Self::Answers { delay, .. } => write!(formatter, "answers after {delay:?}"),
        }
    }
}

/// What AWS would answer.
#[derive(Debug, Clone)]
pub struct AwsAnswer {
    status: StatusCode,
    body: String,
}

impl AwsAnswer {
    /// Success, with the fields of a JSON service.
    #[must_use]
    pub fn ok(body: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: body.to_string(),
        }
    }

    /// A failure of a JSON service, with its code and its words.
    #[must_use]
    pub fn error(code: &str, message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            body: json!({"__type": code, "message": message}).to_string(),
        }
    }

    /// Of STS, for a role that may be assumed: keys with this access key id.
    #[must_use]
    pub fn assumed_role(access_key_id: &str) -> Self {
        Self {
            status: StatusCode::OK,
            body: format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                 <AccessKeyId>{access_key_id}</AccessKeyId><SecretAccessKey>key-of-the-role</SecretAccessKey>\
                 <SessionToken>token-of-the-role</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
                 </Credentials></AssumeRoleResult></AssumeRoleResponse>"
            ),
        }
    }

    /// Of Secrets Manager, for a secret with the login of a registry.
    #[must_use]
    pub fn login(arn: &str, username: &str, password: &str) -> Self {
        let login = json!({"username": username, "password": password}).to_string();
        Self::ok(&json!({"ARN": arn, "Name": "login", "VersionId": "v1", "SecretString": login}))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    /// Starts before the endpoint `upstream`, an `http` URL.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(upstream: &str) -> Result<Self> {
        Self::of(Upstream::Endpoint {
            url: upstream.trim_end_matches('/').to_owned(),
            client: reqwest::Client::builder().no_proxy().build()?,
        })
        .await
    }

    /// Starts in the place of AWS, where a test needs what moto cannot do: resource policies, keys that refuse, a
    /// known time to answer in.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn instead_of_aws(
        delay: Duration,
        answer: impl Fn(&AwsRequest) -> AwsAnswer + Send + Sync + 'static,
    ) -> Result<Self> {
        let answer = Box::new(answer);
        Self::of(Upstream::Answers { delay, answer }).await
    }

    async fn of(upstream: Upstream) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let passed = Arc::new(Passed {
            upstream,
            requests: Mutex::default(),
        });
        let application = Router::new().fallback(pass).with_state(passed.clone());
        let task = tokio::spawn(async move { axum::serve(listener, application).await }).abort_handle();
        Ok(Self(Arc::new(Running {
            endpoint,
            passed,
            task,
        })))
    }

    /// The value of `AWS_ENDPOINT_URL` that leads here.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// The requests since the last time, in order.
    #[must_use]
    pub fn take(&self) -> Vec<AwsRequest> {
        std::mem::take(
            &mut self
                .0
                .passed
                .requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

async fn pass(State(passed): State<Arc<Passed>>, request: Request) -> Response {
    match passed.pass(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("the recorder: {error:#}")).into_response(),
    }
}

impl Passed {
    async fn pass(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, LARGEST_BODY).await?;
        let recorded = AwsRequest::read(&parts.headers, &body).context("not a signed request of AWS")?;
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(recorded.clone());
        let (url, client) = match &self.upstream {
            Upstream::Endpoint { url, client } => (format!("{url}{}", parts.uri), client),
            Upstream::Answers { delay, answer } => {
                tokio::time::sleep(*delay).await;
                let AwsAnswer { status, body } = answer(&recorded);
                let request_id = [("x-amzn-requestid", "11112222-request")];
                return Ok((status, request_id, body).into_response());
            }
        };
        // With its own Host header, because that is part of what is signed.
        let answer = client
            .request(parts.method, url)
            .headers(parts.headers)
            .body(body)
            .send()
            .await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        // The body is handed on in one piece.
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONNECTION);
        Ok((status, headers, answer.bytes().await?).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_for(service: &str) -> HeaderMap {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        HeaderMap::from_iter([(header::AUTHORIZATION, scope.parse().expect("a header"))])
    }

    #[test]
    fn requests_of_both_protocols_are_read() {
        let form = Bytes::from_static(b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam");
        let request = AwsRequest::read(&signed_for("sts"), &form).expect("a request");
        assert_eq!(
            (&*request.access_key_id, &*request.region, &*request.action),
            ("AKID", "eu-west-1", "sts:AssumeRole")
        );
        assert_eq!(request.parameter("RoleArn").as_deref(), Some("arn:aws:iam"));

        let mut headers = signed_for("secretsmanager");
        headers.insert(
            "x-amz-target",
            "secretsmanager.GetSecretValue".parse().expect("a header"),
        );
        let json = Bytes::from_static(br#"{"SecretId": "name"}"#);
        let request = AwsRequest::read(&headers, &json).expect("a request");
        assert_eq!(request.action, "secretsmanager:GetSecretValue");
        assert_eq!(request.parameter("SecretId").as_deref(), Some("name"));
        assert_eq!(request.parameter("Other"), None);
        assert_eq!(AwsRequest::read(&HeaderMap::new(), &json), None);
    }
}
