//! Token authentication: passwords, identity tokens and registry tokens, as the engine uses them.

use anyhow::Result;
use integration::{Access, Engine, Image, Registry, TokenServer};
use serde_json::json;

#[tokio::test]
async fn the_engine_pulls_with_a_password_an_identity_token_and_a_registry_token() -> Result<()> {
    let tokens = TokenServer::start(&[("alice", "right")]).await?;
    let engine = Engine::start(&["registry.example.com"]).await?;
    let registry = Registry::start("registry.example.com", Access::Tokens(&tokens)).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");

    let accepted = [
        ("basic", json!({"username": "alice", "password": "right"})),
        (
            "refresh_token",
            json!({"identitytoken": tokens.identity_token("alice")}),
        ),
        ("", json!({"registrytoken": tokens.token("team/app", &["pull"])?})),
    ];
    for (flow, auth) in accepted {
        let before = tokens.requests().len();
        assert_eq!(engine.pull(&image, Some(&auth)).await?, Ok(()), "{flow}");
        assert!(engine.has(&image).await?);
        engine.remove(&image).await?;
        let flows: Vec<_> = tokens
            .requests()
            .split_off(before)
            .into_iter()
            .map(|request| request.flow)
            .collect();
        assert!(flows.iter().all(|seen| seen == flow), "{flows:?}");
        assert_eq!(
            flows.is_empty(),
            flow.is_empty(),
            "a registry token goes to the registry as it is"
        );
    }
    Ok(())
}

#[tokio::test]
async fn nothing_else_opens_the_registry() -> Result<()> {
    let tokens = TokenServer::start(&[("alice", "right")]).await?;
    let engine = Engine::start(&["registry.example.com"]).await?;
    let registry = Registry::start("registry.example.com", Access::Tokens(&tokens)).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");

    let refused = [
        None,
        Some(json!({"username": "alice", "password": "wrong"})),
        Some(json!({"identitytoken": tokens.identity_token("mallory")})),
        Some(json!({"registrytoken": tokens.token("another/app", &["pull"])?})),
        Some(json!({"registrytoken": tokens.token("team/app", &["push"])?})),
        Some(json!({"registrytoken": TokenServer::start(&[]).await?.token("team/app", &["pull"])?})),
    ];
    for auth in &refused {
        assert!(engine.pull(&image, auth.as_ref()).await?.is_err(), "{auth:?}");
    }
    assert_eq!(engine.images().await?, Vec::<String>::new());
    Ok(())
}
