//! The registry refuses whom it should, and its log tells who asked.

use anyhow::Result;
use integration::{Access, Engine, Image, Login, Registry, RegistryRequest};
use serde_json::json;

#[tokio::test]
async fn a_changed_password_holds_at_once_and_the_log_tells_how_it_went() -> Result<()> {
    let engine = Engine::start(&["registry.example.com"]).await?;
    let mut registry =
        Registry::start("registry.example.com", Access::Passwords(&[("alice", "old")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    let pushed = registry.requests().len();

    let old = json!({"username": "alice", "password": "old"});
    assert_eq!(engine.pull(&image, Some(&old)).await?, Ok(()));
    registry.set_password("alice", "new")?;
    assert!(
        engine.pull(&image, Some(&old)).await?.is_err(),
        "the old password still works"
    );
    let new = json!({"username": "alice", "password": "new"});
    assert_eq!(engine.pull(&image, Some(&new)).await?, Ok(()));
    assert!(engine.pull(&image, None).await?.is_err());

    let requests = registry.requests().split_off(pushed);
    let mut manifest_logins: Vec<_> = requests
        .into_iter()
        .filter(RegistryRequest::is_for_manifest)
        .map(|request| request.login)
        .collect();
    manifest_logins.dedup();
    // Without a credential the engine gives up at the challenge: it never asks for the manifest.
    assert_eq!(
        manifest_logins,
        [Login::Accepted, Login::Refused, Login::Accepted]
    );
    Ok(())
}

#[tokio::test]
async fn nobody_else_has_a_password_to_change() -> Result<()> {
    let mut registry =
        Registry::start("registry.example.com", Access::Passwords(&[("alice", "old")])).await?;
    let error = registry
        .set_password("mallory", "new")
        .expect_err("a user came into being");
    assert!(error.to_string().contains("no user mallory"), "{error}");
    Ok(())
}
