//! Which key answers for which image, as the registry sees it.

use anyhow::Result;
use integration::{Access, Image, Login, Registry};
use serde_json::json;

use super::{Machine, docker, dockercfg, users_of};

#[tokio::test]
async fn two_accounts_on_one_registry_pull_each_from_its_own_namespace() -> Result<()> {
    let users = [
        ("alice", "of-team-a"),
        ("bob", "of-team-b"),
        ("carol", "of-the-rest"),
    ];
    let mut registry = Registry::start("registry.example.com", Access::Passwords(&users)).await?;
    let repositories = ["team-a/app", "team-b/app", "team-b/deep/app", "team-alpha/app"];
    for repository in repositories {
        registry
            .push(&Image::small(repository)?, repository, "v1")
            .await?;
    }
    let pushed = registry.requests().len();
    let machine = Machine::start("registry.example.com").await?;
    let host = registry.host();
    let configuration = machine.configure(
        "docker",
        &json!({
            format!("{host}/team-a"): docker("alice", "of-team-a"),
            format!("https://{host}/team-b/"): docker("bob", "of-team-b"),
            host.as_str(): docker("carol", "of-the-rest"),
        }),
    )?;
    let images = repositories.map(|repository| registry.image(repository, "v1"));
    let pulled = machine.pull(&images).await?;

    let keys = [
        format!("{host}/team-a"),
        format!("https://{host}/team-b/"),
        format!("https://{host}/team-b/"),
        // A whole segment, not the letters that two names begin with.
        host.clone(),
    ];
    let expected = ["alice", "bob", "bob", "carol"];
    let requests = registry.requests().split_off(pushed);
    for index in 0..repositories.len() {
        let credential = &pulled[index]["credential"];
        assert_eq!(pulled[index]["image"], images[index]);
        assert_eq!(credential["source"], "engine-auth");
        assert_eq!(credential["username"], expected[index]);
        assert_eq!(credential["key"], keys[index]);
        assert_eq!(credential["origin"], format!("{}:2", configuration.display()));
        assert_eq!(
            users_of(&requests, repositories[index]),
            [expected[index]],
            "{}",
            repositories[index]
        );
    }
    assert!(
        requests
            .iter()
            .filter(|request| request.is_for_manifest())
            .all(|request| request.login == Login::Accepted),
        "no credential was tried where it does not belong: {requests:?}"
    );

    // Of two accounts one loses its password: the other goes on, and nobody else's is tried in its place.
    registry.set_password("bob", "changed")?;
    let before = registry.requests().len();
    for image in &images[..2] {
        machine.engine.remove(image).await?;
    }
    let output = machine.ecs_pull(&["pull", &images[0], &images[1]])?.run().await?;
    assert_eq!(output.code, 5, "{}", output.stderr);
    let entries = super::entries(&output)?;
    assert_eq!(entries[0]["status"], "pulled");
    assert_eq!(entries[1]["status"], "failed");
    assert!(
        output.stderr.contains("bob") && output.stderr.contains(&keys[1]),
        "{}",
        output.stderr
    );
    let requests = registry.requests().split_off(before);
    assert_eq!(users_of(&requests, "team-b/app"), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_key_written_as_docker_hub_writes_its_own_serves_a_private_registry() -> Result<()> {
    let registry = Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let machine = Machine::start("registry.example.com").await?;
    let image = registry.image("team/app", "v1");
    let host = registry.host();
    for key in [
        format!("https://{host}/v1/"),
        format!("http://{host}/v2/"),
        format!("https://{}/", host.to_uppercase()),
    ] {
        let data = json!({ key.as_str(): dockercfg("alice", "right") });
        machine.configure("dockercfg", &data)?;
        let pulled = machine.pull(std::slice::from_ref(&image)).await?;
        assert_eq!(pulled[0]["status"], "pulled", "{key}");
        assert_eq!(pulled[0]["credential"]["key"], key);
        machine.engine.remove(&image).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_a_key_for_the_registry_nothing_is_sent_and_every_key_is_explained() -> Result<()> {
    let registry = Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let pushed = registry.requests().len();
    let machine = Machine::start("registry.example.com").await?;
    // The port is missing: https://registry.example.com is another registry.
    let data = json!({ "https://registry.example.com": docker("alice", "right") });
    machine.configure("docker", &data)?;
    let image = registry.image("team/app", "v1");
    let output = machine.ecs_pull(&["pull", &image])?.run().await?;
    assert_eq!(output.code, 5, "{}", output.stderr);
    let entry = &super::entries(&output)?[0];
    assert_eq!(entry["credential"]["source"], "anonymous");
    assert!(
        output.stderr.contains("https://registry.example.com"),
        "the key that was passed over is named: {}",
        output.stderr
    );
    let requests = registry.requests().split_off(pushed);
    assert!(
        requests.iter().all(|request| request.login == Login::Anonymous),
        "{requests:?}"
    );
    Ok(())
}
