//! What happens after a registry has refused a credential.

use ecs_registry_auth::{Keychain, ResolvedCredential};
use ecs_secret_resolver::{Identity, ResolverSettings, SecretKeychain};

use crate::support::{ARN, Aws, error, image, keychain, resolve, role_keys, value};

async fn refused(keychain: &SecretKeychain, refused: &ResolvedCredential) -> Option<ResolvedCredential> {
    keychain.resolve_after_refusal(&image(), refused).await.unwrap()
}

fn version(resolved: &ResolvedCredential) -> (&str, &str) {
    let provenance = &resolved.provenance;
    (
        provenance.version.as_deref().unwrap(),
        provenance.version_stage.as_deref().unwrap(),
    )
}

#[tokio::test]
async fn a_rotated_secret_gives_its_new_version_to_all_with_one_call() {
    let aws = Aws::start().await;
    aws.once("secretsmanager.GetSecretValue", value("alice", "v1"))
        .await;
    aws.on_secret(value("alice", "v2")).await;
    let resolver = aws.resolver();
    let first = keychain(&resolver, ARN, Identity::ready(role_keys()));
    let second = keychain(&resolver, ARN, Identity::ready(role_keys()));
    let old = resolve(&first).await.unwrap();
    assert_eq!(
        version(&refused(&first, &old).await.unwrap()),
        ("v2", "AWSCURRENT")
    );
    assert_eq!(
        version(&refused(&second, &old).await.unwrap()),
        ("v2", "AWSCURRENT")
    );
    assert_eq!(version(&resolve(&second).await.unwrap()), ("v2", "AWSCURRENT"));
    assert_eq!(aws.count("GetSecretValue").await, 2);
}

#[tokio::test]
async fn an_unchanged_secret_is_final_unless_the_rotation_stages_are_allowed() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v1")).await;
    aws.on_stage("AWSPENDING", value("alice", "v2")).await;
    let keychain = keychain(&aws.resolver(), ARN, Identity::ready(role_keys()));
    let old = resolve(&keychain).await.unwrap();
    assert!(refused(&keychain, &old).await.is_none());
    assert_eq!(aws.count("GetSecretValue").await, 2);
}

#[tokio::test]
async fn pending_and_then_previous_are_tried_and_told() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v2")).await;
    aws.on_stage("AWSPENDING", value("alice", "v3")).await;
    aws.on_stage("AWSPREVIOUS", value("alice", "v1")).await;
    let resolver = aws.resolver_with(ResolverSettings::default().with_rotation_stages(true));
    let keychain = keychain(&resolver, ARN, Identity::ready(role_keys()));
    let current = resolve(&keychain).await.unwrap();
    let pending = refused(&keychain, &current).await.unwrap();
    assert_eq!(version(&pending), ("v3", "AWSPENDING"));
    assert!(pending.provenance.notes[0].contains("this is AWSPENDING"));
    let previous = refused(&keychain, &pending).await.unwrap();
    assert_eq!(version(&previous), ("v1", "AWSPREVIOUS"));
    assert!(refused(&keychain, &previous).await.is_none());
}

#[tokio::test]
async fn a_stage_that_does_not_exist_or_is_the_same_version_is_passed_over() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v2")).await;
    aws.on_stage("AWSPENDING", value("alice", "v2")).await;
    aws.on_stage(
        "AWSPREVIOUS",
        error(400, "ResourceNotFoundException", "staging label: AWSPREVIOUS"),
    )
    .await;
    let resolver = aws.resolver_with(ResolverSettings::default().with_rotation_stages(true));
    let keychain = keychain(&resolver, ARN, Identity::ready(role_keys()));
    let current = resolve(&keychain).await.unwrap();
    assert!(refused(&keychain, &current).await.is_none());
}

#[tokio::test]
async fn a_version_that_the_task_chose_is_not_replaced() {
    let aws = Aws::start().await;
    aws.on_secret(value("alice", "v2")).await;
    let resolver = aws.resolver_with(ResolverSettings::default().with_rotation_stages(true));
    let keychain = keychain(
        &resolver,
        &format!("{ARN}::AWSPENDING:"),
        Identity::ready(role_keys()),
    );
    let chosen = resolve(&keychain).await.unwrap();
    assert!(refused(&keychain, &chosen).await.is_none());
    assert_eq!(aws.count("AWSPREVIOUS").await, 0);
}
