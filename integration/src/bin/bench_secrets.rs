//! How quickly secrets are there, with an AWS that answers after 50 ms: `integration/bench` runs it, built for release.
//!
//! Ends with 1 if anything is over its limit.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ecs_pull::config_loader::Config;
use ecs_pull::registry_auth::{ImageReference, Keychain, Origin};
use ecs_pull::secret_resolver::{
    AssumeRole, AwsContext, Identity, ResolverSettings, SecretKeychain, SecretRequest, SecretResolver,
};
use ecs_pull::{Client, Task};
use integration::{AwsAnswer, AwsRequest, Figure, Recorder, TaskDefinition};

const DELAY: Duration = Duration::from_millis(50);
const ROLE: &str = "arn:aws:iam::111111111111:role/task-execution";
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-south-1"];
const WARM: u32 = 100_000;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let aws = Recorder::instead_of_aws(DELAY, answer).await?;
    let one = median(&aws, 1).await?;
    let ten = median(&aws, 10).await?;
    let figures = [
        Figure::new(
            "one secret, its role assumed first",
            milliseconds(one),
            150.0,
            "ms",
        ),
        Figure::new(
            "10 containers, 10 secrets, 3 regions",
            milliseconds(ten),
            milliseconds(one) * 1.5,
            "ms",
        ),
        Figure::new(
            "calls of 10 containers with one secret",
            calls(&aws, 10).await?,
            1.0,
            "",
        ),
        Figure::new(
            "calls of 200 tasks at once with one secret",
            calls(&aws, 200).await?,
            1.0,
            "",
        ),
        Figure::new(
            "a secret that is there, from the resolver",
            warm_resolver(&aws).await?,
            5.0,
            "µs",
        ),
        Figure::new(
            "the same, as a client's keychain",
            warm_client(&aws).await?,
            5.0,
            "µs",
        ),
    ];
    Ok(Figure::print(&figures))
}

fn answer(request: &AwsRequest) -> AwsAnswer {
    match request.parameter("SecretId") {
        Some(arn) => AwsAnswer::login(&arn, "alice", "s3cret>?~for-alice"),
        None => AwsAnswer::assumed_role("AKIDOFTHEROLE"),
    }
}

fn configuration(aws: &Recorder) -> SdkConfig {
    let caller = Credentials::from_keys("AKIDOFTHECALLER", "key-of-the-caller", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(aws.endpoint())
        .credentials_provider(SharedCredentialsProvider::new(caller))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

fn resolver(aws: &Recorder) -> SecretResolver {
    SecretResolver::new(
        AwsContext::from_sdk_config(configuration(aws)),
        ResolverSettings::default(),
    )
}

fn arn(number: usize) -> String {
    let region = REGIONS[number % REGIONS.len()];
    format!("arn:aws:secretsmanager:{region}:222222222222:secret:login-{number}-AbCdEf")
}

fn keychain(resolver: &SecretResolver, number: usize) -> Result<SecretKeychain> {
    let role = Identity::assume_role(AssumeRole::new(ROLE)?);
    Ok(resolver.keychain(SecretRequest::new(arn(number)).with_identity(role)))
}

/// The time until a task with this many secrets is ready to pull, everything cold. The median of several, as a single run also
/// measures what else the machine is doing.
async fn median(aws: &Recorder, secrets: usize) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..7 {
        let resolver = resolver(aws);
        let keychains: Vec<_> = (0..secrets)
            .map(|number| keychain(&resolver, number))
            .collect::<Result<_>>()?;
        let started = Instant::now();
        let answers = resolver.prefetch(&keychains).await;
        times.push(started.elapsed());
        ensure!(answers.iter().all(Result::is_ok), "{answers:?}");
        let asked = fetches(aws);
        ensure!(asked == secrets, "{asked} calls for {secrets} secrets");
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// How many calls are made for this many containers or tasks that want the same secret at once.
#[expect(clippy::cast_precision_loss, reason = "a handful")]
async fn calls(aws: &Recorder, askers: usize) -> Result<f64> {
    let resolver = resolver(aws);
    let keychains: Vec<_> = (0..askers)
        .map(|_| keychain(&resolver, 0))
        .collect::<Result<_>>()?;
    let answers = resolver.prefetch(&keychains).await;
    ensure!(answers.iter().all(Result::is_ok), "{answers:?}");
    Ok(fetches(aws) as f64)
}

fn fetches(aws: &Recorder) -> usize {
    let requests = aws.take();
    requests
        .iter()
        .filter(|request| request.action == "secretsmanager:GetSecretValue")
        .count()
}

async fn warm_resolver(aws: &Recorder) -> Result<f64> {
    let keychain = keychain(&resolver(aws), 0)?;
    warm(&keychain, &"registry.example.com/team/app:v1".parse()?).await
}

async fn warm_client(aws: &Recorder) -> Result<f64> {
    let client = Client::builder(Config::default())
        .aws(AwsContext::from_sdk_config(configuration(aws)))
        .build();
    let image = "registry.example.com/team/app:v1";
    let definition = TaskDefinition::new(ROLE)
        .container("web", image, Some(&arn(0)))
        .to_string();
    let task = Task::from(ecs_pull::task_images::parse(
        &definition,
        &Origin::file("task-definition.json"),
    )?);
    let container = task.containers.first().context("no container")?;
    let keychain = client.keychain(&task, container)?;
    warm(&*keychain, &image.parse()?).await
}

/// Microseconds for one answer from the cache.
async fn warm(keychain: &dyn Keychain, image: &ImageReference) -> Result<f64> {
    keychain.resolve(image).await?;
    let started = Instant::now();
    for _ in 0..WARM {
        ensure!(
            keychain.resolve(image).await?.is_some(),
            "a secret is never absent"
        );
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(WARM))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
