//! An engine that is restarted is waited for, and takes the pull up again.

use anyhow::Result;
use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
use integration::{Engine, Image, Platform, Site, noise, until};

#[tokio::test]
async fn a_pull_survives_the_restart_of_the_engine() -> Result<()> {
    let engine = Engine::start_as_service(&["registry.example.com"]).await?;
    let site = Site::with_engine(engine).await?;
    let layer = noise(7, 4_000_000);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    site.registry.push(&image, "team/app", "v1").await?;
    let proxy = FaultProxy::start(site.registry_address()?).await?;
    proxy.inject(Rule::on("/v2/*/blobs/*", Fault::Slow { rate: 100_000 }));
    let host = format!("registry.example.com:{}", proxy.address().port());
    site.configure(&host, Site::PASSWORD)?;
    let name = format!("{host}/team/app:v1");

    let running = site
        .ecs_pull(&["--output", "json", "pull", &name])?
        .start()
        .await?;
    until("the layer is on its way", async || {
        proxy.requests().iter().any(|request| request.bytes > 50_000)
    })
    .await?;
    proxy.clear();
    site.engine.restart().await?;
    let output = running.end().await?;

    assert_eq!(output.code, 0, "{}", output.stderr);
    let entry = &output.json()?["containers"][0];
    assert_eq!(entry["status"], "pulled");
    let history = entry["history"].as_array().map(Vec::len);
    assert_eq!(
        entry["attempts"].as_u64(),
        history.map(|failed| failed as u64 + 1)
    );
    assert!(history > Some(0), "nothing went wrong: {entry}");
    assert!(output.stderr.contains("attempt 1 failed"), "{}", output.stderr);
    assert!(site.engine.has(&name).await?);
    Ok(())
}
