//! Containers with the same image share one pull of the engine.

use std::time::SystemTime;

use anyhow::Result;
use integration::{Image, Platform, Site, noise};

#[tokio::test]
async fn twenty_containers_with_one_image_are_one_pull_of_the_engine() -> Result<()> {
    const CONTAINERS: usize = 20;
    let site = Site::start().await?;
    // Long enough on its way for everybody to come in time.
    let layer = noise(9, 30_000_000);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    let digest = site.registry.push(&image, "team/app", "v1").await?;
    let image = site.registry.image("team/app", "v1");

    let before = SystemTime::now();
    let mut arguments = vec!["--output", "json", "--progress", "none", "pull"];
    arguments.extend([image.as_str(); CONTAINERS]);
    let output = site.ecs_pull(&arguments)?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let document = output.json()?;
    let containers = document["containers"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(containers.len(), CONTAINERS);
    for container in containers {
        assert_eq!(container["status"], "pulled", "{container}");
        assert_eq!(container["digest"], digest, "{container}");
    }
    assert_eq!(site.engine.pulls_since(before).await?, 1);
    Ok(())
}
