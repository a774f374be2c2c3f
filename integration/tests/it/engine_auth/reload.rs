//! A process that goes on while its configuration changes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ecs_pull::config_loader::{ConfigWatch, Environment, Loader};
use ecs_pull::image_puller::Silent;
use ecs_pull::{Client, Report, Task};
use integration::{Access, Image, Registry};
use serde_json::{Value, json};

use super::{Machine, docker, lines};

const LIMIT: Duration = Duration::from_secs(20);

async fn news(watch: &mut ConfigWatch) -> Result<()> {
    tokio::time::timeout(LIMIT, watch.changed())
        .await
        .context("the change was not seen")
}

fn told(report: &Report) -> Result<Value> {
    Ok(serde_json::to_value(report)?["containers"][0].clone())
}

#[tokio::test]
async fn the_next_pull_uses_a_rotated_key_and_a_broken_file_keeps_the_old_one() -> Result<()> {
    let mut registry =
        Registry::start("registry.example.com", Access::Passwords(&[("alice", "first")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start("registry.example.com").await?;
    let image = registry.image("team/app", "v1");
    let host = registry.host();
    let file = machine.configure("docker", &json!({ host.as_str(): docker("alice", "first") }))?;

    let environment = Environment::from_iter([("DOCKER_HOST", machine.engine.host())]);
    let loader = Loader::new(environment).without_default_files().env_file(&file);
    let mut watch = ConfigWatch::start(loader, Duration::from_millis(50)).await?;
    let config = Arc::unwrap_or_clone(watch.current());
    let client = Client::builder(config)
        .watched_engine_auth(watch.keychain())
        .build();
    let task = Task::images([image.as_str()], None);

    let report = client.pull(&task, &Silent).await;
    assert!(report.ok, "{}", told(&report)?);
    machine.engine.remove(&image).await?;

    registry.set_password("alice", "second")?;
    let report = client.pull(&task, &Silent).await;
    assert!(!report.ok, "the old password still works");

    machine.configure("docker", &json!({ host.as_str(): docker("alice", "second") }))?;
    news(&mut watch).await?;
    assert_eq!(watch.problem(), None);
    let report = client.pull(&task, &Silent).await;
    assert!(report.ok, "{}", told(&report)?);
    machine.engine.remove(&image).await?;

    // Half of a file, as an editor without a temporary file leaves it for a moment, or for ever.
    let whole = lines("docker", &json!({ host.as_str(): docker("alice", "third") }));
    machine.files.write("ecs.config", &whole[..whole.len() - 4])?;
    news(&mut watch).await?;
    let problem = watch.problem().context("a broken file was taken")?.to_string();
    assert!(
        problem.contains(&format!("{}:2", file.display())) && !problem.contains("third"),
        "{problem}"
    );
    let report = client.pull(&task, &Silent).await;
    assert!(
        report.ok,
        "the old configuration stays in use: {}",
        told(&report)?
    );
    machine.engine.remove(&image).await?;

    machine.configure(
        "docker",
        &json!({ format!("{host}/team"): docker("alice", "second") }),
    )?;
    news(&mut watch).await?;
    assert_eq!(watch.problem(), None);
    let report = client.pull(&task, &Silent).await;
    assert_eq!(told(&report)?["credential"]["key"], format!("{host}/team"));
    Ok(())
}
