//! A registry on the port that nobody writes: `host` and `host:443` are one registry.

use anyhow::Result;
use integration::{Access, Engine, Image, Registry};
use serde_json::json;

use super::{Machine, docker, users_of};

#[tokio::test]
async fn a_key_with_the_port_serves_images_without_and_the_other_way_round() -> Result<()> {
    let users = [("alice", "right")];
    let plain = Registry::start("registry.example.com", Access::Passwords(&users)).await?;
    plain.push(&Image::small("app")?, "team/app", "v1").await?;
    let registry = plain.on_port_443().await?;
    let machine = Machine::with(Engine::start_trusting(&[&registry]).await?)?;
    let pairs = [
        ("registry.example.com:443", "registry.example.com/team/app:v1"),
        ("registry.example.com", "registry.example.com:443/team/app:v1"),
        (
            "https://registry.example.com:443/team",
            "registry.example.com/team/app:v1",
        ),
    ];
    for (key, image) in pairs {
        let data = json!({ key: docker("alice", "right") });
        machine.configure("docker", &data)?;
        let before = registry.requests().len();
        let pulled = machine.pull(&[image.to_owned()]).await?;
        assert_eq!(pulled[0]["status"], "pulled", "{image}");
        assert_eq!(pulled[0]["credential"]["key"], key);
        assert_eq!(pulled[0]["credential"]["username"], "alice");
        let requests = registry.requests().split_off(before);
        assert_eq!(users_of(&requests, "team/app"), ["alice"], "{image}");
        machine.engine.remove(image).await?;
    }
    Ok(())
}
