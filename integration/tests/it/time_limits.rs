//! Each limit of time ends a pull with its own error, which names the phase, the limit and the setting.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
use ecs_image_puller::{
    ConnectOptions, DockerEngine, DockerHost, PullFailure, PullRequest, Puller, PullerSettings,
    RetrySettings, Silent,
};
use ecs_registry_auth::{
    CredentialSource, ErrorClass, ErrorName, ImageReference, Provenance, RegistryCredential,
    ResolvedCredential, Stage, StaticKeychain,
};
use integration::{Image, Platform, Site, noise};

const LAYER: usize = 2_000_000;
const LIMIT: Duration = Duration::from_millis(1500);
const LONG: Duration = Duration::from_secs(60);

const MANIFESTS: &str = "/v2/*/manifests/*";
const BLOBS: &str = "/v2/*/blobs/*";

struct Row {
    name: &'static str,
    fault: Rule,
    /// Without a digest the engine is asked for it first.
    with_digest: bool,
    limit: fn(&mut PullerSettings) -> &mut Duration,
    stage: Stage,
    says: &'static str,
    setting: &'static str,
}

fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "manifest",
            fault: Rule::on(MANIFESTS, Fault::Delay(LONG)),
            with_digest: false,
            limit: |settings| &mut settings.manifest_timeout,
            stage: Stage::Manifest,
            says: "took longer than 1.500s",
            setting: "ECS_MANIFEST_PULL_TIMEOUT",
        },
        Row {
            name: "begin",
            fault: Rule::on(MANIFESTS, Fault::Delay(LONG)),
            with_digest: true,
            limit: |settings| &mut settings.begin_timeout,
            stage: Stage::Pull,
            says: "did not begin to pull",
            setting: "ECS_IMAGE_PULL_BEGIN_TIMEOUT",
        },
        Row {
            name: "inactivity",
            fault: Rule::on(BLOBS, Fault::Stall { after: 100_000 }),
            with_digest: false,
            limit: |settings| &mut settings.inactivity_timeout,
            stage: Stage::Pull,
            says: "no progress for 1.500s in the download, with 1 of its layers missing",
            setting: "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT",
        },
        Row {
            name: "whole",
            fault: Rule::on(BLOBS, Fault::Slow { rate: 100_000 }),
            with_digest: false,
            limit: |settings| &mut settings.pull_timeout,
            stage: Stage::Pull,
            says: "took longer than 1.500s in all and ran out in the stage pull",
            setting: "ECS_IMAGE_PULL_TIMEOUT",
        },
    ]
}

#[tokio::test]
async fn each_limit_has_its_own_error() -> Result<()> {
    let site = Site::start().await?;
    let layer = noise(2, LAYER);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    let digest = site.registry.push(&image, "team/app", "v1").await?;
    for row in rows() {
        let proxy = FaultProxy::start(site.registry_address()?).await?;
        proxy.inject(row.fault);
        let version = if row.with_digest {
            format!("@{digest}")
        } else {
            ":v1".into()
        };
        let image = format!(
            "registry.example.com:{}/team/app{version}",
            proxy.address().port()
        );
        let mut settings = PullerSettings::default();
        *(row.limit)(&mut settings) = LIMIT;
        settings.pull_retry.attempts = 1;
        let failure = pull(&site, &image, settings)
            .await?
            .expect_err("the pull ended well");

        let diagnosis = failure.diagnosis();
        let name = row.name;
        assert_eq!(
            (diagnosis.name(), diagnosis.class(), diagnosis.stage()),
            (ErrorName::DockerTimeout, ErrorClass::TimedOut, row.stage),
            "{name}: {diagnosis}"
        );
        assert!(diagnosis.is_retriable(), "{name}");
        assert!(diagnosis.message().contains(row.says), "{name}: {diagnosis}");
        let next_step = diagnosis.next_step().unwrap_or_default();
        assert!(next_step.contains(row.setting), "{name}: {next_step}");
        assert!(!site.engine.has(&image).await?, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pull_that_timed_out_is_stopped_before_the_next_attempt() -> Result<()> {
    let site = Site::start().await?;
    let layer = noise(3, LAYER);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    site.registry.push(&image, "team/app", "v1").await?;
    let proxy = FaultProxy::start(site.registry_address()?).await?;
    proxy.inject(Rule::on(BLOBS, Fault::Stall { after: 100_000 }).method("GET"));
    let image = format!("registry.example.com:{}/team/app:v1", proxy.address().port());
    let settings = PullerSettings {
        inactivity_timeout: LIMIT,
        pull_retry: RetrySettings {
            attempts: 3,
            // The engine has to see first that nobody waits for its download any more.
            first_delay: Duration::from_secs(1),
            factor: 1.0,
            longest_delay: Duration::from_secs(1),
        },
        ..PullerSettings::default()
    };
    let failure = pull(&site, &image, settings)
        .await?
        .expect_err("the pull ended well");
    let facts = failure.facts();
    assert_eq!((facts.attempts, facts.history.len()), (3, 3));
    for attempt in &facts.history {
        assert_eq!(attempt.name, ErrorName::DockerTimeout, "{attempt:?}");
        assert!(attempt.took >= LIMIT, "{attempt:?}");
    }
    // A request of its own for each attempt: the engine did not join the next one to a pull that still hung.
    let layers = proxy.requests();
    let layers = layers.iter().filter(|request| request.bytes == 100_000);
    assert_eq!(layers.count(), 3);
    Ok(())
}

#[tokio::test]
async fn the_command_ends_with_8() -> Result<()> {
    let site = Site::start().await?;
    let layer = noise(4, LAYER);
    let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
    site.registry.push(&image, "team/app", "v1").await?;
    let proxy = FaultProxy::start(site.registry_address()?).await?;
    proxy.inject(Rule::on(BLOBS, Fault::Slow { rate: 100_000 }));
    let host = format!("registry.example.com:{}", proxy.address().port());
    site.configure(&host, Site::PASSWORD)?;
    let output = site
        .ecs_pull(&["--output", "json", "pull", &format!("{host}/team/app:v1")])?
        .envs([("ECS_IMAGE_PULL_TIMEOUT", "2s")])
        .run()
        .await?;
    assert_eq!(output.code, 8, "{}", output.stderr);
    let error = &output.json()?["containers"][0]["error"];
    assert_eq!(error["name"], "DockerTimeoutError");
    assert!(
        output.stderr.contains("ECS_IMAGE_PULL_TIMEOUT"),
        "{}",
        output.stderr
    );
    Ok(())
}

async fn pull(site: &Site, image: &str, settings: PullerSettings) -> Result<Result<(), PullFailure>> {
    let host = DockerHost::parse(site.engine.host())?;
    let engine = DockerEngine::connect(&host, ConnectOptions::default()).await?;
    let image: ImageReference = image.parse()?;
    let keychain = StaticKeychain::new(ResolvedCredential::new(
        RegistryCredential::basic(Site::USER, Site::PASSWORD),
        Provenance::new(CredentialSource::EngineAuth, image.registry().clone()),
    ));
    let puller = Puller::new(Arc::new(engine), settings);
    let request = PullRequest::new(image, Arc::new(keychain));
    Ok(puller.pull(&request, &Silent).await.map(|_| ()))
}
