//! Whatever is logged, at whatever level, no secret is in it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecs_secret_resolver::{Identity, ResolverSettings, SecretRequest};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{
    ARN, Aws, PASSWORD, assumed, assumed_role, error, keychain, resolve, role_keys, shown, value,
};

/// Everything that was logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// This crate's own lines; what the AWS SDK writes at `trace` is the SDK's, and an embedder's filter keeps it out.
fn own_lines(log: &Log) -> String {
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    text.lines()
        .filter(|line| line.contains("ecs_secret_resolver"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn a_login_in_place_of_the_secrets_name_is_not_shown() {
    let aws = Aws::start().await;
    let image = crate::support::image();
    for login in [
        format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#),
        format!("alice:{PASSWORD}"),
        format!("alice {PASSWORD}"),
    ] {
        let request = SecretRequest::new(&login).with_identity(Identity::ready(role_keys()));
        let debug = format!("{request:?}");
        let keychain = aws.resolver().keychain(request);
        let candidates = ecs_registry_auth::Keychain::candidates(&keychain, &image);
        assert_eq!(candidates[0].key, None);
        let diagnosis = shown(&resolve(&keychain).await.unwrap_err());
        for text in [debug, format!("{candidates:?} {keychain:?}"), diagnosis] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
    }
    let request = SecretRequest::new("registry").with_region("eu-west-1");
    let candidates = ecs_registry_auth::Keychain::candidates(&aws.resolver().keychain(request), &image);
    assert_eq!(candidates[0].key.as_deref(), Some("registry"), "a name is told");
    assert!(aws.server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // For the whole program: what the other tests log at the same time may hold no secret either.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role()).await;
    aws.once(
        "secretsmanager.GetSecretValue",
        error(400, "ExpiredTokenException", "expired"),
    )
    .await;
    aws.once("secretsmanager.GetSecretValue", value("alice", "v1"))
        .await;
    aws.on_stage("AWSPENDING", value("alice", "v3")).await;
    aws.on_secret(value("alice", "v2")).await;
    let resolver = aws.resolver_with(ResolverSettings::default().with_rotation_stages(true));
    let keychain_of_role = keychain(&resolver, ARN, assumed());
    let first = resolve(&keychain_of_role).await.unwrap();
    let image = crate::support::image();
    let second = ecs_registry_auth::Keychain::resolve_after_refusal(&keychain_of_role, &image, &first)
        .await
        .unwrap()
        .unwrap();
    let third = ecs_registry_auth::Keychain::resolve_after_refusal(&keychain_of_role, &image, &second)
        .await
        .unwrap();
    assert!(third.is_some(), "AWSPENDING");
    resolve(&keychain(&resolver, ARN, Identity::ready(role_keys())))
        .await
        .unwrap();
    // An embedder may log any of these with `?`.
    tracing::info!(target: "ecs_secret_resolver", ?resolver, ?keychain_of_role, ?first, ?second, identity = ?assumed());

    let lines = own_lines(&log);
    for said in ["fetching", "trying again", "rotated", "another stage", "alice"] {
        assert!(lines.contains(said), "the log is on: {lines}");
    }
    for secret in [
        PASSWORD,
        "role-secret-key",
        "role-session-token",
        "caller-key",
        "assumed-secret-key",
        "assumed-session-token",
    ] {
        for form in [secret.to_owned(), STANDARD.encode(secret)] {
            assert!(!lines.contains(&form), "{form} was logged:\n{lines}");
        }
    }
}
