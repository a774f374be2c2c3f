//! The second engine, through its Docker-compatible API.

use anyhow::Result;
use integration::{Access, Image, Podman, Registry};
use serde_json::json;

#[tokio::test]
async fn pulls_by_host_name_with_a_credential_and_not_without() -> Result<()> {
    let registry = Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])).await?;
    registry.push(&Image::small("app")?, "team/app", "v1").await?;
    let podman = Podman::start(&["registry.example.com"], &[&registry.host()]).await?;
    let image = registry.image("team/app", "v1");

    assert!(podman.pull(&image, None).await?.is_err());
    let right = json!({"username": "alice", "password": "right"});
    assert_eq!(podman.pull(&image, Some(&right)).await?, Ok(()));
    assert!(podman.has(&image).await?);
    Ok(())
}
