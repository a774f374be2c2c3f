//! What a real `docker login` leaves behind becomes an `ecs.config` that pulls.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use integration::{Access, EcsPull, Image, Registry, TokenServer, credential_helpers};
use serde_json::Value;

use super::Machine;

const HOST_NAME: &str = "registry.example.com";

/// `docker login`, with this as the `config.json` that Docker finds.
async fn log_in(
    machine: &Machine,
    registry: &Registry,
    user: &str,
    password: &str,
    config: &str,
) -> Result<String> {
    fs::create_dir_all(machine.path("docker"))?;
    machine.files.write("docker/config.json", config)?;
    let directory = machine.path("docker").display().to_string();
    let output = EcsPull::docker([
        "--config",
        &directory,
        "login",
        "--username",
        user,
        "--password-stdin",
    ])?
    .args([registry.host()])
    .envs(environment(machine))
    .input(password)
    .run()
    .await?;
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    Ok(fs::read_to_string(machine.path("docker/config.json"))?)
}

fn environment(machine: &Machine) -> Vec<(&'static str, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    vec![
        ("DOCKER_HOST", machine.engine.host().to_owned()),
        ("HOME", machine.files.directory().display().to_string()),
        ("PATH", format!("{}:{path}", credential_helpers().display())),
    ]
}

/// `ecs-pull config import --write` of that login, then a pull with nothing but the file that it wrote.
async fn import_and_pull(machine: &Machine, image: &str, arguments: &[&str]) -> Result<Value> {
    machine.files.write("ecs.config", "ECS_CLUSTER=example\n")?;
    let docker_config = machine.path("docker/config.json").display().to_string();
    let output = machine
        .ecs_pull(&["config", "import", &docker_config, "--write"])?
        .args(arguments)
        .envs(environment(machine))
        .run()
        .await?;
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    let written = machine.path("ecs.config");
    assert_eq!(fs::metadata(&written)?.permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&written)?.starts_with("ECS_CLUSTER=example\n"));

    fs::remove_dir_all(machine.path("docker"))?;
    let pulled = machine.pull(&[image.to_owned()]).await?.remove(0);
    machine.engine.remove(image).await?;
    assert_eq!(pulled["credential"]["source"], "engine-auth");
    let origin = format!("{}:3", written.display());
    assert_eq!(pulled["credential"]["origin"], origin);
    Ok(pulled)
}

#[tokio::test]
async fn a_password_from_the_file_or_from_a_helper_pulls_in_either_type() -> Result<()> {
    let password = "s3cret:>?~\"ß";
    let registry = Registry::start(HOST_NAME, Access::Passwords(&[("alice", password)])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start(HOST_NAME).await?;
    let image = registry.image("team/app", "v1");
    let of_one_registry = format!("{{\"credHelpers\": {{\"{}\": \"file\"}}}}", registry.host());
    for (config, is_in_file) in [
        ("{}", true),
        (r#"{"credsStore": "file"}"#, false),
        (of_one_registry.as_str(), false),
    ] {
        for auth_type in ["docker", "dockercfg"] {
            let written = log_in(&machine, &registry, "alice", password, config).await?;
            let document: Value = serde_json::from_str(&written)?;
            let entry = &document["auths"][registry.host()];
            assert_eq!(entry["auth"].is_string(), is_in_file, "{config}");
            let pulled = import_and_pull(&machine, &image, &["--type", auth_type]).await?;
            assert_eq!(pulled["credential"]["username"], "alice");
            assert_eq!(pulled["credential"]["key"], registry.host());
            if machine.path("credentials.json").exists() {
                fs::remove_file(machine.path("credentials.json"))?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_identity_token_from_the_file_or_from_a_helper_pulls() -> Result<()> {
    let tokens = TokenServer::start(&[("alice", "right")]).await?;
    let registry = Registry::start(HOST_NAME, Access::Tokens(&tokens)).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start(HOST_NAME).await?;
    let image = registry.image("team/app", "v1");
    for config in ["{}", r#"{"credsStore": "file"}"#] {
        let written = log_in(&machine, &registry, "alice", "right", config).await?;
        let kept = match config {
            "{}" => written,
            _ => fs::read_to_string(machine.path("credentials.json"))?,
        };
        assert!(
            kept.contains(&tokens.identity_token("alice")) && !kept.contains("right"),
            "docker keeps the token in the password's place: {kept}"
        );
        let before = tokens.requests().len();
        import_and_pull(&machine, &image, &[]).await?;
        let requests = tokens.requests().split_off(before);
        let last = requests.last().context("nobody asked for a token")?;
        assert_eq!(
            (last.flow.as_str(), last.user.as_deref()),
            ("refresh_token", Some("alice"))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_login_is_used_where_it_lies_when_asked_for() -> Result<()> {
    let registry = Registry::start(HOST_NAME, Access::Passwords(&[("alice", "right")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start(HOST_NAME).await?;
    let image = registry.image("team/app", "v1");
    machine.files.write("ecs.config", "")?;
    log_in(&machine, &registry, "alice", "right", r#"{"credsStore": "file"}"#).await?;
    let output = machine
        .ecs_pull(&["pull", &image])?
        .envs(environment(&machine))
        .run()
        .await?;
    assert_eq!(output.code, 5, "it is off unless asked for: {}", output.stderr);
    let option = format!("--docker-config={}", machine.path("docker").display());
    let output = machine
        .ecs_pull(&[&option, "pull", &image])?
        .envs(environment(&machine))
        .run()
        .await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(
        super::entries(&output)?[0]["credential"]["source"],
        "docker-config"
    );
    assert!(machine.engine.has(&image).await?);
    Ok(())
}
