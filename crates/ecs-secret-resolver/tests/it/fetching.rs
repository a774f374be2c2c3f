//! Which request is made, how often, and what is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use ecs_registry_auth::{CredentialSource, Keychain, Origin};
use ecs_secret_resolver::{CredentialsStore, Identity, ResolverSettings, RoleKeys, SecretRequest};
use serde_json::json;

use crate::support::{
    ARN, Aws, PASSWORD, ROLE, assumed, assumed_role, error, image, keychain, ok, password, resolve,
    role_keys, signature_parts, value,
};

#[tokio::test]
async fn the_request_is_signed_for_the_arns_region_with_the_roles_keys_and_carries_the_whole_arn() {
    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role()).await;
    aws.on_secret(value("alice", "v1")).await;
    let resolver = aws.resolver();
    let request = SecretRequest::new(ARN)
        .with_identity(assumed())
        .with_region("us-west-2")
        .with_origin(Origin::file_line("/tmp/task.json", 7));
    let resolved = resolve(&resolver.keychain(request)).await.unwrap();
    assert_eq!(password(&resolved), PASSWORD);

    let authorization = aws.header_of_last("authorization").await;
    let credential = signature_parts(&authorization)["Credential"].to_owned();
    assert!(credential.starts_with("AKIDASSUMED/"), "{credential}");
    assert!(
        credential.ends_with("/eu-west-1/secretsmanager/aws4_request"),
        "{credential}"
    );
    assert_eq!(aws.body_of_last().await, json!({"SecretId": ARN}));

    let provenance = &resolved.provenance;
    assert_eq!(provenance.source, CredentialSource::RepositoryCredentials);
    assert_eq!(provenance.registry.as_str(), "registry.example.com");
    assert_eq!(provenance.secret.as_deref(), Some(ARN));
    assert_eq!(provenance.region.as_deref(), Some("eu-west-1"));
    assert_eq!(provenance.role.as_deref(), Some(ROLE));
    assert_eq!(provenance.version.as_deref(), Some("v1"));
    assert_eq!(provenance.username.as_deref(), Some("alice"));
    assert_eq!(provenance.origin, Some(Origin::file_line("/tmp/task.json", 7)));
}

#[tokio::test]
async fn version_and_key_of_the_suffix_are_asked_for() {
    let aws = Aws::start().await;
    let inner = json!({"login": {"username": "alice", "password": PASSWORD}}).to_string();
    aws.on_secret(ok(json!({"ARN": ARN, "VersionId": "v1", "SecretString": inner})))
        .await;
    let secret = format!("{ARN}:login:AWSPREVIOUS:");
    let resolved = resolve(&keychain(&aws.resolver(), &secret, Identity::caller()))
        .await
        .unwrap();
    assert_eq!(
        aws.body_of_last().await,
        json!({"SecretId": ARN, "VersionStage": "AWSPREVIOUS"})
    );
    assert_eq!(resolved.provenance.version_stage.as_deref(), Some("AWSPREVIOUS"));
    assert_eq!(resolved.provenance.role, None);
}

#[tokio::test]
async fn a_binary_secret_that_holds_the_json_is_read() {
    let aws = Aws::start().await;
    let json = json!({"username": "alice", "password": PASSWORD}).to_string();
    let binary = base64::engine::general_purpose::STANDARD.encode(json);
    aws.on_secret(ok(json!({"ARN": ARN, "VersionId": "v1", "SecretBinary": binary})))
        .await;
    let resolved = resolve(&keychain(&aws.resolver(), ARN, Identity::ready(role_keys())))
        .await
        .unwrap();
    assert_eq!(password(&resolved), PASSWORD);
}

#[tokio::test]
async fn two_hundred_at_once_make_one_call_and_assume_the_role_once() {
    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role().set_delay(Duration::from_millis(50)))
        .await;
    aws.on_secret(value("alice", "v1").set_delay(Duration::from_millis(50)))
        .await;
    let resolver = aws.resolver();
    let keychains: Vec<_> = (0..200).map(|_| keychain(&resolver, ARN, assumed())).collect();
    assert!(resolver.prefetch(&keychains).await.iter().all(Result::is_ok));
    assert_eq!(aws.count("GetSecretValue").await, 1);
    assert_eq!(aws.count("AssumeRole").await, 1);
}

#[tokio::test]
async fn ten_secrets_in_three_regions_take_hardly_longer_than_one_and_all_failures_are_told() {
    let aws = Aws::start().await;
    let delay = Duration::from_millis(200);
    aws.on_secret(value("alice", "v1").set_delay(delay)).await;
    aws.on_assume_role(assumed_role()).await;
    let resolver = aws.resolver();
    let mut keychains: Vec<_> = (0..10)
        .map(|index| {
            let region = ["eu-west-1", "us-east-1", "ap-south-1"][index % 3];
            let arn = format!("arn:aws:secretsmanager:{region}:222222222222:secret:login{index}-AbCdEf");
            keychain(&resolver, &arn, assumed())
        })
        .collect();
    keychains.push(keychain(&resolver, "first:x", assumed()));
    keychains.push(keychain(&resolver, "second:x", assumed()));
    let started = Instant::now();
    let answers = resolver.prefetch(&keychains).await;
    assert!(started.elapsed() < delay * 4, "{:?}", started.elapsed());
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    assert!(answers[10].as_ref().unwrap_err().message().contains("\"first\""));
    assert!(answers[11].as_ref().unwrap_err().message().contains("\"second\""));
    assert_eq!(aws.count("GetSecretValue").await, 10);
    assert_eq!(aws.count("AssumeRole").await, 1);
}

#[tokio::test]
async fn fetches_at_once_are_bounded() {
    let aws = Aws::start().await;
    let delay = Duration::from_millis(100);
    aws.on_secret(value("alice", "v1").set_delay(delay)).await;
    let resolver = aws.resolver_with(ResolverSettings::default().with_concurrency(2));
    let keychains: Vec<_> = (0..6)
        .map(|index| keychain(&resolver, &format!("login{index}"), Identity::ready(role_keys())))
        .collect();
    let started = Instant::now();
    assert!(resolver.prefetch(&keychains).await.iter().all(Result::is_ok));
    assert!(started.elapsed() >= delay * 3, "{:?}", started.elapsed());
}

#[tokio::test]
async fn values_are_kept_for_their_lifetime_and_final_failures_for_theirs() {
    let aws = Aws::start().await;
    aws.once(
        "secretsmanager.GetSecretValue",
        error(400, "AccessDeniedException", "no"),
    )
    .await;
    aws.on_secret(value("alice", "v1")).await;
    let lifetime = Duration::from_millis(300);
    let resolver = aws.resolver_with(
        ResolverSettings::default()
            .with_lifetime(lifetime)
            .with_failure_lifetime(lifetime),
    );
    let keychain = keychain(&resolver, ARN, Identity::ready(role_keys()));
    assert!(resolve(&keychain).await.is_err());
    assert!(resolve(&keychain).await.is_err());
    assert_eq!(aws.count("GetSecretValue").await, 1);
    tokio::time::sleep(lifetime).await;
    assert!(resolve(&keychain).await.is_ok());
    assert!(resolve(&keychain).await.is_ok());
    assert_eq!(aws.count("GetSecretValue").await, 2);
    tokio::time::sleep(lifetime).await;
    assert!(resolve(&keychain).await.is_ok());
    assert_eq!(aws.count("GetSecretValue").await, 3);
}

#[tokio::test]
async fn what_may_pass_is_not_kept() {
    let aws = Aws::start().await;
    for _ in 0..2 {
        aws.once(
            "secretsmanager.GetSecretValue",
            error(500, "InternalServiceError", "no"),
        )
        .await;
    }
    aws.on_secret(value("alice", "v1")).await;
    let keychain = keychain(&aws.resolver(), ARN, Identity::ready(role_keys()));
    assert!(resolve(&keychain).await.unwrap_err().is_retriable());
    assert!(resolve(&keychain).await.is_ok());
}

#[tokio::test]
async fn regions_and_identities_do_not_share_answers() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    let resolver = aws.resolver();
    let other = RoleKeys::new("AKIDOTHER", "role-secret-key", None, None).with_role_arn(ROLE);
    for (region, identity) in [
        ("eu-west-1", Identity::ready(role_keys())),
        ("us-east-1", Identity::ready(role_keys())),
        ("eu-west-1", Identity::ready(other)),
        ("eu-west-1", Identity::ready(role_keys())),
    ] {
        let request = SecretRequest::new("login")
            .with_identity(identity)
            .with_region(region);
        resolve(&resolver.keychain(request)).await.unwrap();
    }
    assert_eq!(aws.count("GetSecretValue").await, 3);
}

#[tokio::test]
async fn new_keys_of_a_task_fetch_anew() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    let store = CredentialsStore::default();
    store.put("id", role_keys());
    let keychain = keychain(&aws.resolver(), ARN, Identity::stored(&store, "id"));
    let resolved = resolve(&keychain).await.unwrap();
    assert_eq!(resolved.provenance.role.as_deref(), Some(ROLE));
    resolve(&keychain).await.unwrap();
    assert_eq!(aws.count("GetSecretValue").await, 1);
    store.put("id", role_keys());
    resolve(&keychain).await.unwrap();
    assert_eq!(aws.count("GetSecretValue").await, 2);
    store.remove("id");
    let gone = resolve(&keychain).await.unwrap_err();
    assert!(gone.cause().unwrap().contains("credentials id id"), "{gone:?}");
}

#[tokio::test]
async fn a_name_without_a_region_takes_the_contexts() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    let request = SecretRequest::new("login").with_identity(Identity::ready(role_keys()));
    let resolved = resolve(&aws.resolver().keychain(request)).await.unwrap();
    assert_eq!(resolved.provenance.region.as_deref(), Some("us-east-1"));
    let authorization = aws.header_of_last("authorization").await;
    assert!(
        authorization.contains("/us-east-1/secretsmanager/"),
        "{authorization}"
    );
}

#[tokio::test]
async fn candidates_ask_nobody_and_a_dropped_fetch_leaves_the_others_alone() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1").set_delay(Duration::from_millis(100)))
        .await;
    let keychain = Arc::new(keychain(&aws.resolver(), ARN, Identity::ready(role_keys())));
    let candidates = keychain.candidates(&image());
    assert_eq!(candidates[0].key.as_deref(), Some(ARN));
    assert_eq!(aws.count("GetSecretValue").await, 0);

    let dropped = tokio::spawn({
        let keychain = keychain.clone();
        async move { resolve(&keychain).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    let follower = tokio::spawn({
        let keychain = keychain.clone();
        async move { resolve(&keychain).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    dropped.abort();
    assert!(follower.await.unwrap().is_ok());
}
