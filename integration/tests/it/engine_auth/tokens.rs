//! Identity tokens and registry tokens, at a registry with a token server.

use anyhow::Result;
use integration::{Access, Image, Registry, TokenRequest, TokenServer};
use serde_json::json;

use super::{Machine, docker};

#[tokio::test]
async fn a_password_an_identity_token_and_a_registry_token_each_open_their_namespace() -> Result<()> {
    let tokens = TokenServer::start(&[("alice", "right"), ("bob", "not:used")]).await?;
    let registry = Registry::start("registry.example.com", Access::Tokens(&tokens)).await?;
    let repositories = ["password/app", "identity/app", "username/app", "registry/app"];
    for repository in repositories {
        registry
            .push(&Image::small(repository)?, repository, "v1")
            .await?;
    }
    let machine = Machine::start("registry.example.com").await?;
    let host = registry.host();
    machine.configure(
        "docker",
        &json!({
            format!("{host}/password"): docker("alice", "right"),
            format!("{host}/identity"): {"identitytoken": tokens.identity_token("bob")},
            // As credential helpers write it.
            format!("{host}/username"): docker("<token>", &tokens.identity_token("alice")),
            format!("{host}/registry"): {"registrytoken": tokens.token("registry/app", &["pull"])?},
        }),
    )?;
    let before = tokens.requests().len();
    machine
        .pull(&repositories.map(|repository| registry.image(repository, "v1")))
        .await?;

    let requests = tokens.requests().split_off(before);
    let asked = |repository: &str| {
        let scope = format!("repository:{repository}:pull");
        let mut asked: Vec<_> = requests
            .iter()
            .filter(|request| request.scope == scope)
            .map(|TokenRequest { flow, user, .. }| (flow.clone(), user.clone()))
            .collect();
        asked.dedup();
        asked
    };
    let by = |flow: &str, user: &str| vec![(flow.to_owned(), Some(user.to_owned()))];
    assert_eq!(asked("password/app"), by("basic", "alice"));
    assert_eq!(asked("identity/app"), by("refresh_token", "bob"));
    assert_eq!(asked("username/app"), by("refresh_token", "alice"));
    assert_eq!(
        asked("registry/app"),
        [],
        "a registry token goes to the registry as it is"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_and_no_other_is_tried() -> Result<()> {
    let tokens = TokenServer::start(&[("alice", "right")]).await?;
    let registry = Registry::start("registry.example.com", Access::Tokens(&tokens)).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start("registry.example.com").await?;
    let host = registry.host();
    let wrong = [
        json!({"identitytoken": tokens.identity_token("mallory")}),
        json!({"registrytoken": tokens.token("another/app", &["pull"])?}),
    ];
    for credential in wrong {
        let data = json!({ format!("{host}/team"): credential, host.as_str(): docker("alice", "right") });
        machine.configure("docker", &data)?;
        let image = registry.image("team/app", "v1");
        let before = tokens.requests().len();
        let output = machine.ecs_pull(&["pull", &image])?.run().await?;
        assert_eq!(output.code, 5, "{}", output.stderr);
        assert!(!machine.engine.has(&image).await?);
        let requests = tokens.requests().split_off(before);
        assert!(
            requests.iter().all(|request| request.user.is_none()),
            "{requests:?}"
        );
    }
    Ok(())
}
