//! Whoever stops the command stops the engine's pull.

use std::fs::OpenOptions;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
use integration::{EcsPull, Image, Part, Platform, Site, noise, until};

/// Longer on its way than any test waits.
const LAYER: usize = 8_000_000;
const RATE: u64 = 200_000;

/// Bytes of layers that have left the proxy.
fn sent(proxy: &FaultProxy) -> u64 {
    let requests = proxy.requests();
    requests
        .iter()
        .filter(|request| request.path.contains("/blobs/"))
        .map(|request| request.bytes)
        .sum()
}

#[tokio::test]
async fn a_signal_stops_the_engine_in_the_middle_of_a_layer() -> Result<()> {
    let site = Site::start().await?;
    let layer = noise(1, LAYER);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    site.registry.push(&image, "team/app", "v1").await?;
    for signal in ["INT", "TERM"] {
        let proxy = FaultProxy::start(site.registry_address()?).await?;
        proxy.inject(Rule::on("/v2/*/blobs/*", Fault::Slow { rate: RATE }));
        let host = format!("registry.example.com:{}", proxy.address().port());
        site.configure(&host, Site::PASSWORD)?;
        let name = format!("{host}/team/app:v1");

        let running = site
            .ecs_pull(&["--output", "json", "pull", &name])?
            .start()
            .await?;
        // More than what is not the layer: it is on its way.
        until("the layer is on its way", async || sent(&proxy) > 50_000).await?;
        running.signal(signal)?;
        let output = running.end().await?;
        assert_eq!(output.code, 130, "SIG{signal}: {}", output.stderr);
        assert!(output.stderr.contains("interrupted"), "{}", output.stderr);
        assert_eq!(output.json()?["ok"], false);

        // An engine that went on would be sent more; what was on its way may still arrive.
        let mut before = sent(&proxy);
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = sent(&proxy);
            if now == before {
                break;
            }
            before = now;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(sent(&proxy), before, "SIG{signal}: the engine goes on");
        assert!(before < LAYER as u64, "the layer came whole");
        assert_eq!(site.engine.images().await?, Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn a_signal_is_noticed_while_a_document_is_waited_for() -> Result<()> {
    let part = Part::new("silent-writer")?;
    let silent = part.directory().join("task.json");
    assert!(Command::new("mkfifo").arg(&silent).status()?.success());
    // Open for both, so that whoever opens it to read goes on to wait for what is never written.
    let _writer = OpenOptions::new().read(true).write(true).open(&silent)?;
    for signal in ["INT", "TERM", "HUP"] {
        let running = EcsPull::new(["--output", "json", "pull", "--file"])?
            .args([&silent])
            .start()
            .await?;
        until("the document is waited for", async || running.has_open(&silent)).await?;
        running.signal(signal)?;
        let output = running.end().await?;
        assert_eq!(output.code, 130, "SIG{signal}: {}", output.stderr);
        assert_eq!(output.json()?["ok"], false);
    }
    Ok(())
}
