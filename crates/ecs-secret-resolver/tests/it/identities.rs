//! Where keys come from, and what happens when they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use ecs_registry_auth::ErrorClass;
use ecs_secret_resolver::{
    AssumeRole, AwsContext, CredentialsStore, Ec2Instance, ExternalInstance, Identity, ResolverSettings,
    RoleKeys, SecretResolver,
};
use wiremock::Mock;
use wiremock::matchers::body_string_contains;

use crate::support::{
    ARN, Aws, ROLE, assumed, assumed_role, error, keychain, resolve, role_keys, shown, value, xml_error,
};

fn key_of(authorization: &str) -> &str {
    authorization
        .split_once("Credential=")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap()
}

#[tokio::test]
async fn every_kind_of_identity_signs_with_its_own_keys() {
    let store = CredentialsStore::default();
    store.put("id", role_keys());
    let given = Credentials::new("AKIDGIVEN", "given", None, None, "test");
    for (identity, expected) in [
        (Identity::caller(), "AKIDCALLER"),
        (Identity::ready(role_keys()), "AKIDROLE"),
        (Identity::stored(&store, "id"), "AKIDROLE"),
        (assumed(), "AKIDASSUMED"),
        (Identity::provider("embedder", Some(ROLE), given), "AKIDGIVEN"),
    ] {
        let aws = Aws::start().await;
        aws.on_assume_role(assumed_role()).await;
        aws.on_secret(value("alice", "v1")).await;
        resolve(&keychain(&aws.resolver(), ARN, identity)).await.unwrap();
        assert_eq!(key_of(&aws.header_of_last("authorization").await), expected);
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_and_session_by_its_source() {
    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role()).await;
    aws.on_secret(value("alice", "v1")).await;
    let role = AssumeRole::new(ROLE)
        .unwrap()
        .with_external_id("partner-7")
        .unwrap()
        .with_session_name("ci-run")
        .unwrap()
        .with_source(Identity::ready(role_keys()));
    resolve(&keychain(&aws.resolver(), ARN, Identity::assume_role(role)))
        .await
        .unwrap();
    let requests = aws.server.received_requests().await.unwrap();
    let assume = &requests[0];
    assert_eq!(
        key_of(assume.headers["authorization"].to_str().unwrap()),
        "AKIDROLE"
    );
    let body = String::from_utf8(assume.body.clone()).unwrap();
    for part in [
        "RoleSessionName=ci-run",
        "ExternalId=partner-7",
        "role%2Fexecution",
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[tokio::test]
async fn expired_session_keys_are_renewed_once() {
    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role()).await;
    aws.once(
        "secretsmanager.GetSecretValue",
        error(400, "ExpiredTokenException", "expired"),
    )
    .await;
    aws.on_secret(value("alice", "v1")).await;
    resolve(&keychain(&aws.resolver(), ARN, assumed())).await.unwrap();
    assert_eq!(aws.count("AssumeRole").await, 2);
    assert_eq!(aws.count("GetSecretValue").await, 2);
}

#[tokio::test]
async fn stored_keys_that_aws_calls_expired_wait_for_the_next_message() {
    let aws = Aws::start().await;
    aws.once(
        "secretsmanager.GetSecretValue",
        error(400, "ExpiredTokenException", "expired"),
    )
    .await;
    aws.on_secret(value("alice", "v1")).await;
    let store = CredentialsStore::new(Duration::from_secs(5));
    store.put("id", role_keys());
    let keychain = keychain(&aws.resolver(), ARN, Identity::stored(&store, "id"));
    let agent = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        store.put(
            "id",
            RoleKeys::new("AKIDFRESH", "role-secret-key", None, None).with_role_arn(ROLE),
        );
    };
    let (resolved, ()) = tokio::join!(resolve(&keychain), agent);
    assert!(resolved.is_ok(), "{resolved:?}");
    assert_eq!(key_of(&aws.header_of_last("authorization").await), "AKIDFRESH");
}

#[tokio::test]
async fn keys_that_have_ended_are_not_sent() {
    let aws = Aws::start().await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let ended = RoleKeys::new("AKIDROLE", "role-secret-key", None, Some(past)).with_role_arn(ROLE);
    let store = CredentialsStore::new(Duration::from_millis(100));
    store.put("id", ended.clone());
    for identity in [Identity::ready(ended), Identity::stored(&store, "id")] {
        let diagnosis = resolve(&keychain(&aws.resolver(), ARN, identity))
            .await
            .unwrap_err();
        shown(&diagnosis);
        assert!(
            diagnosis.message().contains("the keys have expired"),
            "{diagnosis:?}"
        );
        assert!(
            diagnosis.next_step().unwrap().contains("fresh keys"),
            "{diagnosis:?}"
        );
    }
    assert!(aws.server.received_requests().await.unwrap().is_empty());
}

/// Twice the wait would be the limit of the fetch, which is no matter of the network.
#[tokio::test]
async fn keys_that_have_ended_are_waited_for_once_and_told_as_ended() {
    let aws = Aws::start().await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let store = CredentialsStore::default();
    store.put(
        "id",
        RoleKeys::new("AKIDROLE", "role-secret-key", None, Some(past)).with_role_arn(ROLE),
    );
    let keychain = keychain(&aws.resolver(), ARN, Identity::stored(&store, "id"));
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let diagnosis = resolve(&keychain).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 30, "{diagnosis:?}");
    assert!(
        diagnosis.message().contains("the keys have expired"),
        "{diagnosis:?}"
    );
    assert_eq!(diagnosis.class(), ErrorClass::Credential);
}

#[tokio::test]
async fn whoever_waits_for_keys_stops_nobody_else() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let store = CredentialsStore::new(Duration::from_secs(30));
    store.put(
        "id",
        RoleKeys::new("AKIDROLE", "role-secret-key", None, Some(past)).with_role_arn(ROLE),
    );
    let resolver = aws.resolver_with(ResolverSettings::default().with_concurrency(1));
    let waiting = keychain(&resolver, ARN, Identity::stored(&store, "id"));
    let other = keychain(&resolver, ARN, Identity::ready(role_keys()));
    tokio::select! {
        biased;
        answer = resolve(&waiting) => panic!("{answer:?}"),
        answer = resolve(&other) => assert!(answer.is_ok(), "{answer:?}"),
    }
}

/// Counts what it is asked for.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<AtomicUsize>);

impl ProvideCredentials for Counted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let end = SystemTime::now() + Duration::from_secs(3600);
        let id = format!("AKIDSOURCE{number}");
        future::ProvideCredentials::ready(Ok(Credentials::new(id, "hidden", None, Some(end), "test")))
    }
}

#[tokio::test]
async fn keys_of_a_source_that_sts_calls_expired_are_renewed_once() {
    for (expired_answers, calls, is_ok) in [(0, 1, true), (1, 2, true), (9, 2, false)] {
        let aws = Aws::start().await;
        if expired_answers > 0 {
            Mock::given(body_string_contains("Action=AssumeRole"))
                .respond_with(xml_error(403, "ExpiredToken", "The provided token has expired."))
                .up_to_n_times(expired_answers)
                .mount(&aws.server)
                .await;
        }
        aws.on_assume_role(assumed_role()).await;
        aws.on_secret(value("alice", "v1")).await;
        let counted = Counted::default();
        let source = Identity::provider("source", None, counted.clone());
        let identity = Identity::assume_role(AssumeRole::new(ROLE).unwrap().with_source(source));
        let resolver = aws.resolver();
        let keychains: Vec<_> = (0..5)
            .map(|index| keychain(&resolver, &format!("login{index}"), identity.clone()))
            .collect();
        let answers = resolver.prefetch(&keychains).await;
        assert!(
            answers.iter().all(|answer| answer.is_ok() == is_ok),
            "{answers:?}"
        );
        assert_eq!(aws.count("AssumeRole").await, calls, "{expired_answers}");
        assert_eq!(counted.0.load(Ordering::SeqCst), calls, "{expired_answers}");
        for diagnosis in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(
                diagnosis.message().contains("sts:AssumeRole: ExpiredToken"),
                "{diagnosis:?}"
            );
        }
    }
}

/// The SDK tries twice; ten secrets that did so one after the other would take ten times as long.
#[tokio::test]
async fn a_passing_failure_of_sts_is_shared_by_all_who_waited_and_by_nobody_after() {
    let aws = Aws::start().await;
    Mock::given(body_string_contains("Action=AssumeRole"))
        .respond_with(xml_error(503, "ServiceUnavailable", "later").set_delay(Duration::from_millis(50)))
        .up_to_n_times(2)
        .mount(&aws.server)
        .await;
    aws.on_assume_role(assumed_role()).await;
    aws.on_secret(value("alice", "v1")).await;
    let resolver = aws.resolver();
    let keychains: Vec<_> = (0..10)
        .map(|index| keychain(&resolver, &format!("login{index}"), assumed()))
        .collect();
    let answers = resolver.prefetch(&keychains).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert_eq!(aws.count("AssumeRole").await, 2);
    let answers = resolver.prefetch(&keychains).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(aws.count("AssumeRole").await, 3);
}

#[tokio::test]
async fn a_denied_role_is_asked_for_once_by_all_secrets_of_a_task() {
    let aws = Aws::start().await;
    aws.on_assume_role(xml_error(403, "AccessDenied", "no")).await;
    let resolver = aws.resolver();
    let keychains: Vec<_> = (0..10)
        .map(|index| keychain(&resolver, &format!("login{index}"), assumed()))
        .collect();
    let answers = resolver.prefetch(&keychains).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(aws.count("AssumeRole").await, 1);
}

#[tokio::test]
async fn an_instance_uses_its_rotating_file_before_anything_else_but_the_environment() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    std::fs::write(
        &path,
        "[site]\naws_access_key_id = AKIDFILE\naws_secret_access_key = hidden\n",
    )
    .unwrap();
    let instance = ExternalInstance::default()
        .with_rotating_file(&path)
        .with_profile("site");
    resolve(&keychain(
        &aws.resolver(),
        ARN,
        Identity::external_instance(instance),
    ))
    .await
    .unwrap();
    assert_eq!(key_of(&aws.header_of_last("authorization").await), "AKIDFILE");
}

/// A default chain with this answer.
#[derive(Debug)]
struct DefaultChain(fn() -> provider::Result);

impl ProvideCredentials for DefaultChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready((self.0)())
    }
}

/// Its name, what the default chain answers, and whose key signs or what is said.
type Row<'a> = (&'a str, fn() -> provider::Result, Result<&'a str, &'a str>);

#[tokio::test]
async fn an_ec2_instance_uses_its_rotating_file_only_where_the_default_chain_has_no_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    std::fs::write(
        &path,
        "[site]\naws_access_key_id = AKIDFILE\naws_secret_access_key = hidden\n",
    )
    .unwrap();
    let rows: [Row<'_>; 3] = [
        (
            "keys",
            || Ok(Credentials::new("AKIDCHAIN", "hidden", None, None, "test")),
            Ok("AKIDCHAIN"),
        ),
        (
            "none",
            || Err(CredentialsError::not_loaded("no source has any")),
            Ok("AKIDFILE"),
        ),
        (
            "broken",
            || Err(CredentialsError::invalid_configuration("line 3 is cut off")),
            Err("line 3 is cut off"),
        ),
    ];
    for (name, default, expected) in rows {
        let aws = Aws::start().await;
        aws.on_secret(value("alice", "v1")).await;
        let config = aws
            .config()
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(DefaultChain(default)))
            .build();
        let resolver = SecretResolver::new(AwsContext::from_sdk_config(config), ResolverSettings::default());
        let instance = Ec2Instance::default()
            .with_rotating_file(&path)
            .with_profile("site");
        let answer = resolve(&keychain(&resolver, ARN, Identity::ec2_instance(instance))).await;
        match (answer, expected) {
            (Ok(_), Ok(key)) => assert_eq!(key_of(&aws.header_of_last("authorization").await), key, "{name}"),
            (Err(diagnosis), Err(cause)) => {
                assert!(
                    diagnosis.cause().unwrap().contains(cause),
                    "{name}: {diagnosis:?}"
                );
            }
            (answer, _) => panic!("{name}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_configuration_that_was_put_together_by_hand_needs_no_clock() {
    let aws = Aws::start().await;
    aws.on_assume_role(assumed_role()).await;
    aws.on_secret(value("alice", "v1")).await;
    let mut config = aws.config().to_builder();
    config.set_time_source(None);
    let resolver = SecretResolver::new(
        AwsContext::from_sdk_config(config.build()),
        ResolverSettings::default(),
    );
    resolve(&keychain(&resolver, ARN, assumed())).await.unwrap();
}
