//! The engine that the tests use is the engine that users have.

use anyhow::Result;
use integration::{Access, Engine, Image, Platform, Registry};
use serde_json::json;

#[tokio::test]
async fn pulls_by_host_name_with_a_credential_and_not_without() -> Result<()> {
    let engine = Engine::start(&["registry.example.com"]).await?;
    let registry = Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");

    let refusal = engine
        .pull(&image, None)
        .await?
        .expect_err("a private image came without a credential");
    assert_eq!(
        (
            refusal.status,
            refusal.message.contains("no basic auth credentials")
        ),
        (500, true),
        "{refusal:?}"
    );
    assert!(!engine.has(&image).await?);

    let wrong = json!({"username": "alice", "password": "wrong"});
    let refusal = engine
        .pull(&image, Some(&wrong))
        .await?
        .expect_err("a wrong password was accepted");
    assert!(refusal.message.contains("unauthorized"), "{refusal:?}");

    let right = json!({"username": "alice", "password": "right"});
    assert_eq!(engine.pull(&image, Some(&right)).await?, Ok(()));
    assert!(engine.has(&image).await?);

    engine.remove(&image).await?;
    assert_eq!(engine.images().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn takes_its_own_platform_from_a_list_and_misses_a_foreign_one() -> Result<()> {
    let engine = Engine::start(&["registry.example.com"]).await?;
    let registry = Registry::start("registry.example.com", Access::Open).await?;
    let here = Platform::of_this_machine();
    let elsewhere = Platform {
        os: "linux",
        architecture: "s390x",
    };
    let digest = registry
        .push(&Image::for_platforms("app", &[elsewhere, here])?, "app", "both")
        .await?;
    registry
        .push(&Image::for_platforms("app", &[elsewhere])?, "app", "elsewhere")
        .await?;

    assert_eq!(engine.pull(&registry.image("app", "both"), None).await?, Ok(()));
    assert!(
        engine
            .images()
            .await?
            .contains(&format!("{}/app@{digest}", registry.host()))
    );

    let refusal = engine
        .pull(&registry.image("app", "elsewhere"), None)
        .await?
        .expect_err("pulled a foreign image");
    assert!(
        refusal.message.contains("no matching manifest for linux"),
        "{refusal:?}"
    );
    Ok(())
}
