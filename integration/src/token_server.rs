//! A small authorisation server for registries with token authentication.
//!
//! Both of its flows are those of the distribution project: <https://distribution.github.io/distribution/spec/auth/token/>
//! (GET with HTTP Basic) and <https://distribution.github.io/distribution/spec/auth/oauth/> (POST with a refresh token, which
//! Docker calls an identity token, or with a password).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{CertificateParams, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

const ISSUER: &str = "tokens.example.com";
pub(crate) const SERVICE: &str = "registry.example.com";
const LIFETIME: Duration = Duration::from_secs(300);

/// One request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRequest {
    /// How the client asked: `basic`, `anonymous`, `refresh_token` or `password`.
    pub flow: String,
    /// Whom the server took it for; `None` if it refused.
    pub user: Option<String>,
    /// The scope asked for: `repository:team/app:pull`.
    pub scope: String,
}

/// A token server that knows some users by password and by identity token. Its end is the end of the last clone.
#[derive(Debug, Clone)]
pub struct TokenServer(Arc<Shared>);

struct Shared {
    port: u16,
    users: HashMap<String, String>,
    certificate: String,
    certificate_der: Vec<u8>,
    key: EncodingKey,
    requests: Mutex<Vec<TokenRequest>>,
    task: Mutex<Option<AbortHandle>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenServer")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Ok(mut task) = self.task.lock()
            && let Some(task) = task.take()
        {
            task.abort();
        }
    }
}

impl TokenServer {
    /// Starts a server that gives tokens to `users`, by name and password.
    ///
    /// # Errors
    /// No port or key can be had.
    pub async fn start(users: &[(&str, &str)]) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, ISSUER);
        let certificate = parameters.self_signed(&key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shared = Arc::new(Shared {
            port: listener.local_addr()?.port(),
            users: users
                .iter()
                .map(|(name, password)| ((*name).into(), (*password).into()))
                .collect(),
            certificate: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            key: EncodingKey::from_ec_der(key.serialized_der()),
            requests: Mutex::default(),
            task: Mutex::default(),
        });
        // The task must not keep alive what aborts it.
        let application = Router::new()
            .route("/token", get(by_basic).post(by_form))
            .with_state(Arc::downgrade(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, application).await });
        if let Ok(mut slot) = shared.task.lock() {
            *slot = Some(task.abort_handle());
        }
        Ok(Self(shared))
    }

    /// Where registries send their clients for a token.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.0.port)
    }

    /// The issuer that its tokens name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        ISSUER
    }

    /// The certificate, in PEM, that a registry checks tokens with.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.0.certificate
    }

    /// The identity token (OAuth refresh token) by which the server knows `user`.
    #[must_use]
    pub fn identity_token(&self, user: &str) -> String {
        identity_token(user)
    }

    /// A registry token for `actions` (`pull`, `push`) on `repository`, good for five minutes.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn token(&self, repository: &str, actions: &[&str]) -> Result<String> {
        let scope = format!("repository:{repository}:{}", actions.join(","));
        self.0.sign("", &scope)
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.0
            .requests
            .lock()
            .map(|requests| requests.clone())
            .unwrap_or_default()
    }
}

fn identity_token(user: &str) -> String {
    format!("identity-token-of-{user}")
}

impl Shared {
    fn sign(&self, user: &str, scope: &str) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let access: Vec<Value> = scope.split(' ').filter_map(access_of_scope).collect();
        let claims = json!({
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": user,
            // A minute back: the registry allows for clocks that differ, so does this.
            "nbf": now.saturating_sub(Duration::from_secs(60)).as_secs(),
            "iat": now.as_secs(),
            "exp": (now + LIFETIME).as_secs(),
            "jti": format!("{user}-{}", now.as_nanos()),
            "access": access,
        });
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(vec![BASE64_STANDARD.encode(&self.certificate_der)]);
        jsonwebtoken::encode(&header, &claims, &self.key).context("a token cannot be signed")
    }

    fn answer(&self, flow: &str, user: Option<&str>, fields: &Fields) -> (StatusCode, Json<Value>) {
        let scope = fields.get("scope").map_or("", String::as_str);
        if let Ok(mut requests) = self.requests.lock() {
            let user = user.map(str::to_owned);
            requests.push(TokenRequest {
                flow: flow.to_owned(),
                user,
                scope: scope.to_owned(),
            });
        }
        let Some(user) = user else {
            return (
                StatusCode::UNAUTHORIZED,
                Json(json!({"details": "incorrect username or password"})),
            );
        };
        match self.sign(user, scope) {
            Ok(token) => {
                let mut answer =
                    json!({"token": token, "access_token": token, "expires_in": LIFETIME.as_secs()});
                // `docker login` asks for it and keeps it instead of the password.
                if fields.get("offline_token").is_some_and(|wanted| wanted == "true") {
                    answer["refresh_token"] = identity_token(user).into();
                }
                (StatusCode::OK, Json(answer))
            }
            Err(error) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                Json(json!({"details": error.to_string()})),
            ),
        }
    }

    fn knows(&self, user: &str, password: &str) -> bool {
        self.users.get(user).is_some_and(|expected| expected == password)
    }
}

/// `repository:team/app:pull,push` as a claim. The name may hold colons (a port), the last one ends it.
fn access_of_scope(scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    Some(json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}))
}

type Fields = HashMap<String, String>;
type Server = State<std::sync::Weak<Shared>>;

async fn by_basic(
    State(server): Server,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let Some(server) = server.upgrade() else {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Value::Null));
    };
    let credential = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok());
    match credential
        .as_deref()
        .and_then(|credential| credential.split_once(':'))
    {
        Some((user, password)) => {
            let user = server.knows(user, password).then_some(user);
            server.answer("basic", user, &query)
        }
        None => server.answer("anonymous", None, &query),
    }
}

async fn by_form(State(server): Server, Form(form): Form<Fields>) -> (StatusCode, Json<Value>) {
    let Some(server) = server.upgrade() else {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Value::Null));
    };
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let user = match field("grant_type") {
        "refresh_token" => server
            .users
            .keys()
            .find(|user| identity_token(user) == field("refresh_token"))
            .map(String::as_str),
        "password" => server
            .knows(field("username"), field("password"))
            .then(|| field("username")),
        _ => None,
    };
    server.answer(field("grant_type"), user, &form)
}
