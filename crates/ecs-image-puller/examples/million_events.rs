//! What a pull of a million messages costs this side: processor time and memory.
//!
//! `cargo run --release --example million_events --features testing`

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ecs_image_puller::testing::{FakeEngine, FakeImage};
use ecs_image_puller::{
    Event, EventKind, EventSink, PullFrame, PullRequest, Puller, PullerSettings, event_queue,
};
use ecs_registry_auth::KeychainChain;

const IMAGE: &str = "registry.example.com/app:v1";
const MESSAGES: u64 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let message = |number: u64| {
        PullFrame::layer(format!("{:012x}", number % 8), "Downloading")
            .with_progress(number / 8, MESSAGES / 8)
    };
    let image = FakeImage::new("sha256:01").with_messages(MESSAGES, message);
    let engine = FakeEngine::new().with_image(IMAGE, image);
    let puller = Puller::new(Arc::new(engine), PullerSettings::default());
    let request = PullRequest::new(IMAGE.parse()?, Arc::new(KeychainChain::default()));

    let told = AtomicU64::new(0);
    let (queue, receiver) = event_queue(256);
    let events = |event: Event| {
        told.fetch_add(
            u64::from(matches!(event.kind, EventKind::Layer(_))),
            Ordering::Relaxed,
        );
        // Nobody takes them: the slowest of consumers.
        queue.emit(event);
    };
    let begun = Instant::now();
    puller.pull(&request, &events).await?;
    let took = begun.elapsed();
    drop(receiver);
    let peak = std::fs::read_to_string("/proc/self/status")?
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:").map(|peak| peak.trim().to_owned()))
        .unwrap_or_default();
    let mut out = std::io::stdout().lock();
    std::io::Write::write_fmt(
        &mut out,
        format_args!(
            "{MESSAGES} messages, {} told, {took:?}, peak memory {peak}\n",
            told.into_inner()
        ),
    )?;
    Ok(ExitCode::SUCCESS)
}
