//! An engine, a registry, a fault proxy between the two for every row, and a host that may not get the password.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ecs_image_puller::testing::fault_proxy::{FaultProxy, RecordedRequest, Rule, SecretWatch};
use ecs_image_puller::{
    Behavior, ConnectOptions, DockerEngine, DockerHost, PullRequest, Puller, PullerSettings, RetrySettings,
    Silent,
};
use ecs_registry_auth::{
    CredentialSource, ErrorClass, ErrorName, ImageReference, Provenance, RegistryCredential,
    ResolvedCredential, Stage, StaticKeychain,
};
use integration::{Access, Engine, Image, Platform, Registry};
use serde_json::Value;

const PASSWORD: &str = "s3cret>?~of-alice";
/// Bytes of a layer, which cannot be compressed.
const LAYER: usize = 400_000;

pub(super) const MANIFEST_ATTEMPTS: u32 = 3;
pub(super) const PULL_ATTEMPTS: u32 = 2;

/// How a row ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Well, in so many attempts.
    Pulled(u32),
    /// The same attempts made later may succeed.
    Retriable(ErrorName, ErrorClass, Stage, u32),
    /// Nobody needs to try again.
    Final(ErrorName, ErrorClass, Stage, u32),
}

/// What a row can name in its rule.
pub(super) struct Place<'a> {
    /// Path of the layer.
    pub(super) layer: &'a str,
    /// `http://HOST:PORT` of the host that may not get the password.
    pub(super) elsewhere: &'a str,
}

pub(super) type MakeRule = fn(&Place<'_>) -> Rule;
pub(super) type Row = (&'static str, MakeRule, End);

pub(super) struct Scene {
    engine: Engine,
    registry: Registry,
    /// The same images without a password, behind the other host.
    open: Registry,
    pub(super) elsewhere: FaultProxy,
    pub(super) leak: SecretWatch,
    puller: Puller,
}

/// How one row went.
pub(super) struct Went {
    pub(super) end: End,
    proxy: FaultProxy,
    layer: String,
}

impl Scene {
    pub(super) async fn start() -> Result<Self> {
        Self::start_with(settings()).await
    }

    /// For rows that wait between their attempts: a busy machine must not run into the limit of manifests.
    pub(super) async fn start_patient() -> Result<Self> {
        Self::start_with(PullerSettings {
            manifest_timeout: Duration::from_secs(30),
            ..settings()
        })
        .await
    }

    async fn start_with(settings: PullerSettings) -> Result<Self> {
        let users = [("alice", PASSWORD)];
        let (engine, registry, open) = tokio::try_join!(
            Engine::start(&["registry.example.com"]),
            Registry::start("registry.example.com", Access::Passwords(&users)),
            Registry::start("open.example.com", Access::Open),
        )?;
        let docker =
            DockerEngine::connect(&DockerHost::parse(engine.host())?, ConnectOptions::default()).await?;
        let elsewhere = FaultProxy::start_at("127.0.0.2:0".parse()?, address(&open)?).await?;
        let leak = elsewhere.watch(PASSWORD);
        let puller = Puller::new(Arc::new(docker), settings);
        Ok(Self {
            engine,
            registry,
            open,
            elsewhere,
            leak,
            puller,
        })
    }

    /// Pulls an image of the row's own through a proxy with the row's rule, and sees that what it claims is so.
    pub(super) async fn run(&self, name: &str, rule: MakeRule) -> Result<Went> {
        // Not the name alone: a repository called `manifests` would be like both patterns.
        let repository = format!("team/for-{name}");
        let image = Image::with_layers(Platform::of_this_machine(), &[&noise(name)])?;
        self.registry.push(&image, &repository, "v1").await?;
        self.open.push(&image, &repository, "v1").await?;
        let layer = self.layer(&repository).await?;

        let proxy = FaultProxy::start(address(&self.registry)?).await?;
        let elsewhere = format!("http://{}", self.elsewhere.address());
        let injected = proxy.inject(rule(&Place {
            layer: &layer,
            elsewhere: &elsewhere,
        }));
        let sent = proxy.watch(PASSWORD);

        let host = format!("registry.example.com:{}", proxy.address().port());
        let reference: ImageReference = format!("{host}/{repository}:v1").parse()?;
        let keychain = StaticKeychain::new(ResolvedCredential::new(
            RegistryCredential::basic("alice", PASSWORD),
            Provenance::new(CredentialSource::EngineAuth, reference.registry().clone()),
        ));
        let request = PullRequest::new(reference, Arc::new(keychain));
        let outcome = self.puller.pull(&request, &Silent).await;

        assert!(injected.hits() > 0, "{name}: nothing went wrong");
        assert_eq!(
            self.engine.has(request.image().as_str()).await?,
            outcome.is_ok(),
            "{name}"
        );
        let end = match outcome {
            Ok(pulled) => {
                assert!(sent.sightings() > 0, "{name}: pulled without a password");
                End::Pulled(pulled.facts.attempts)
            }
            Err(failure) => {
                assert!(
                    !format!("{failure:?}").contains(PASSWORD),
                    "{name}: the password is in the failure"
                );
                let (diagnosis, facts) = failure.into_parts();
                let end = if diagnosis.is_retriable() {
                    End::Retriable
                } else {
                    End::Final
                };
                end(
                    diagnosis.name(),
                    diagnosis.class(),
                    diagnosis.stage(),
                    facts.attempts,
                )
            }
        };
        Ok(Went { end, proxy, layer })
    }

    /// Runs a table whose rows keep the password from the other host.
    pub(super) async fn run_all(&self, rows: Vec<Row>) -> Result<()> {
        for (name, rule, expected) in rows {
            let went = self.run(name, rule).await.context(name)?;
            assert_eq!(went.end, expected, "{name}");
            assert_eq!(
                self.leak.sightings(),
                0,
                "{name}: the password went to another host"
            );
        }
        Ok(())
    }

    /// The path of the only layer of an image.
    async fn layer(&self, repository: &str) -> Result<String> {
        let url = format!("http://{}/v2/{repository}/manifests/v1", address(&self.open)?);
        let accepted = "application/vnd.docker.distribution.manifest.v2+json";
        let answer = reqwest::Client::new()
            .get(url)
            .header("accept", accepted)
            .send()
            .await?;
        let manifest: Value = answer.error_for_status()?.json().await?;
        let digest = manifest["layers"][0]["digest"].as_str().context("no layer")?;
        Ok(format!("/v2/{repository}/blobs/{digest}"))
    }
}

impl Went {
    /// What was asked for the layer.
    pub(super) fn layer_requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.proxy.requests();
        requests.retain(|request| request.path == self.layer);
        requests
    }
}

/// Short, so that a table ends within seconds.
fn settings() -> PullerSettings {
    let retry = |attempts| RetrySettings {
        attempts,
        first_delay: Duration::from_millis(100),
        factor: 2.0,
        longest_delay: Duration::from_millis(400),
    };
    PullerSettings {
        pull_timeout: Duration::from_secs(40),
        begin_timeout: Duration::from_secs(4),
        inactivity_timeout: Duration::from_millis(2500),
        manifest_timeout: Duration::from_secs(4),
        behavior: Behavior::Always,
        manifest_retry: retry(MANIFEST_ATTEMPTS),
        pull_retry: retry(PULL_ATTEMPTS),
        longest_wait: Duration::from_secs(2),
        ..PullerSettings::default()
    }
}

fn address(registry: &Registry) -> Result<SocketAddr> {
    let host = registry.host();
    let port = host.rsplit(':').next().context("no port")?;
    Ok(format!("127.0.0.1:{port}").parse()?)
}

/// Bytes that differ from seed to seed (xorshift), so that a layer on its way is as long as its content.
fn noise(seed: &str) -> Vec<u8> {
    let start = seed.bytes().fold(1u64, |state, byte| {
        state.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut state = start | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[2]
    })
    .take(LAYER)
    .collect()
}
