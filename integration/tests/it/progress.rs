//! What is shown while a pull runs: to people on a terminal and elsewhere, to programs, and to whoever embeds the library.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
use ecs_image_puller::{
    ConnectOptions, DockerEngine, DockerHost, Event, PullRequest, Puller, PullerSettings,
};
use ecs_registry_auth::{
    CredentialSource, ImageReference, Provenance, RegistryCredential, ResolvedCredential, StaticKeychain,
};
use integration::{EcsPull, Image, Platform, Site, noise, program};
use serde_json::Value;

/// Two layers that take two seconds: enough for a terminal to be drawn more than once.
struct Scene {
    site: Site,
    proxy: FaultProxy,
    digest: String,
}

impl Scene {
    async fn start() -> Result<Self> {
        let site = Site::start().await?;
        let layers = [noise(5, 600_000), noise(6, 600_000)];
        let image = Image::with_layers(Platform::of_this_machine(), &[&layers[0], &layers[1]])?;
        let digest = site.registry.push(&image, "team/app", "v1").await?;
        let proxy = FaultProxy::start(site.registry_address()?).await?;
        proxy.inject(Rule::on("/v2/*/blobs/*", Fault::Slow { rate: 300_000 }));
        let host = format!("registry.example.com:{}", proxy.address().port());
        site.configure(&host, Site::PASSWORD)?;
        Ok(Self { site, proxy, digest })
    }

    fn image(&self) -> String {
        let port = self.proxy.address().port();
        format!("registry.example.com:{port}/team/app:v1")
    }
}

#[tokio::test]
async fn without_a_terminal_there_is_one_line_a_phase() -> Result<()> {
    let scene = Scene::start().await?;
    let image = scene.image();
    let output = scene.site.ecs_pull(&["pull", &image])?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let expected = [
        "credential: engine-auth".to_owned(),
        format!("digest: {}", scene.digest),
        "downloading layers".to_owned(),
        "extracting layers".to_owned(),
        "pulled in ".to_owned(),
    ];
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        let start = format!("{image}: {expected}");
        assert!(line.starts_with(&start), "{line}: not {start}");
    }
    assert!(!output.stderr.contains('\x1b'), "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn on_a_terminal_there_is_a_bar_for_each_layer_and_the_result_remains() -> Result<()> {
    let scene = Scene::start().await?;
    let config = scene.site.path("ecs.config");
    let command = format!(
        "stty rows 40 columns 140; exec {} --config-file {} pull {}",
        program()?.display(),
        config.display(),
        scene.image()
    );
    let output = EcsPull::of_program(Path::new("script"), ["-qec", &command, "/dev/null"])
        .envs(scene.site.environment())
        .envs([
            ("TERM", "xterm"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("SHELL", "/bin/sh"),
        ])
        .run()
        .await?;
    assert_eq!(output.code, 0, "{}", output.stdout);
    // Both streams of the command are the terminal, which `script` passes on.
    let screen = &output.stdout;
    assert!(screen.contains("\x1b["), "nothing was drawn: {screen}");
    let words: Vec<&str> = screen.split_whitespace().collect();
    let bars: HashSet<&str> = words
        .windows(3)
        .filter(|words| words[1] == "downloading" && words[2].starts_with('['))
        .map(|words| words[0])
        .collect();
    assert_eq!(bars.len(), 2, "not a bar for each layer: {screen}");
    let last = screen.rsplit('\x1b').next().unwrap_or_default();
    assert!(
        last.contains(&format!("pulled {}", scene.image())) && last.contains(&scene.digest),
        "{screen}"
    );
    Ok(())
}

#[tokio::test]
async fn json_output_is_one_document_whatever_progress_is_shown() -> Result<()> {
    let scene = Scene::start().await?;
    let image = scene.image();
    for style in ["auto", "bar", "plain", "none"] {
        let arguments = ["--output", "json", "--progress", style, "pull", &image];
        let output = scene.site.ecs_pull(&arguments)?.run().await?;
        assert_eq!(output.code, 0, "{style}: {}", output.stderr);
        let document = output.json()?;
        assert_eq!(document["ok"], true, "{style}: {document}");
        let timings = &document["containers"][0]["timings_ms"];
        for phase in ["credential", "manifest", "download", "extract", "total"] {
            assert!(timings[phase].is_u64(), "{style}: {phase}: {document}");
        }
        if style == "none" {
            assert_eq!(output.stderr, "");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_library_tells_every_step_of_every_layer_as_json() -> Result<()> {
    let scene = Scene::start().await?;
    let host = DockerHost::parse(scene.site.engine.host())?;
    let engine = DockerEngine::connect(&host, ConnectOptions::default()).await?;
    let image: ImageReference = scene.image().parse()?;
    let keychain = StaticKeychain::new(ResolvedCredential::new(
        RegistryCredential::basic(Site::USER, Site::PASSWORD),
        Provenance::new(CredentialSource::EngineAuth, image.registry().clone()),
    ));
    let events: Mutex<Vec<Value>> = Mutex::default();
    let sink = |event: Event| {
        let event = serde_json::to_value(&event).expect("an event is not JSON");
        events.lock().expect("a test panicked").push(event);
    };
    let request = PullRequest::new(image, Arc::new(keychain)).with_container("web");
    let puller = Puller::new(Arc::new(engine), PullerSettings::default());
    puller.pull(&request, &sink).await?;
    drop(puller);

    let events = events.into_inner()?;
    assert!(
        events
            .iter()
            .all(|event| event["image"] == scene.image() && event["container"] == "web"),
        "{events:#?}"
    );
    let mut kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        ["queued", "credential", "manifest", "layer", "done"],
        "{events:#?}"
    );

    let layers: Vec<&Value> = events.iter().filter(|event| event["event"] == "layer").collect();
    let ids: HashSet<&str> = layers.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{layers:#?}");
    for id in ids {
        let steps: Vec<&&Value> = layers.iter().filter(|event| event["id"] == id).collect();
        let mut states: Vec<&str> = steps.iter().filter_map(|step| step["state"].as_str()).collect();
        states.dedup();
        assert_eq!(states.first(), Some(&"waiting"), "{states:?}");
        assert_eq!(states.last(), Some(&"done"), "{states:?}");
        for state in ["downloading", "extracting"] {
            let last = steps.iter().rfind(|step| step["state"] == state);
            let last = last.with_context(|| format!("{id} was never {state}: {steps:#?}"))?;
            assert!(last["total"].as_u64() >= Some(600_000), "{last}");
        }
    }
    let done = events.last().context("no events")?;
    assert_eq!(done["digest"], scene.digest);
    assert!(done["bytes"].as_u64() >= Some(1_200_000), "{done}");
    assert!(done["timings_ms"]["download"].as_u64() >= Some(1), "{done}");
    Ok(())
}
