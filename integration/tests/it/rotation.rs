//! What changes while a process runs: the secret, and the keys of the machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_types::SdkConfig;
use aws_types::sdk_config::TimeSource;
use ecs_pull::config_loader::Config;
use ecs_pull::image_puller::Silent;
use ecs_pull::registry_auth::Origin;
use ecs_pull::secret_resolver::{AwsContext, Ec2Instance, Identity};
use ecs_pull::{Client, Report, Rights, Task};
use integration::{Access, Aws, Engine, Image, Keys, Part, Recorder, Registry, Stage, TaskDefinition};
use serde_json::json;

const READ: &str = "secretsmanager:GetSecretValue";

fn task(definition: &TaskDefinition) -> Result<Task> {
    let origin = Origin::file("task-definition.json");
    Ok(Task::from(ecs_pull::task_images::parse(
        &definition.to_string(),
        &origin,
    )?))
}

/// What came of the only container.
fn only(report: &Report) -> Result<(String, String)> {
    let container = &serde_json::to_value(report)?["containers"][0];
    let status = container["status"].as_str().context("no status")?;
    let error = container["error"].to_string();
    Ok((status.to_owned(), error))
}

#[tokio::test]
async fn a_secret_rotated_between_two_pulls_of_one_process_is_fetched_again() -> Result<()> {
    let mut stage = Stage::start().await?;
    let recorder = Recorder::start(stage.aws.endpoint()).await?;
    let configuration = stage.owner.configuration(Stage::TASK_REGION, &stage.operator);
    let configuration = configuration
        .to_builder()
        .endpoint_url(recorder.endpoint())
        .build();
    let client = Client::builder(Config::default())
        .aws(AwsContext::from_sdk_config(configuration))
        .docker_host(stage.engine.host(), Origin::argument("--docker-host"))
        .build();
    let image = stage.private.image("team/web", "v1");
    let task = task(&TaskDefinition::new(&stage.role).container("web", &image, Some(&stage.secret)))?;
    let pulled = ("pulled".to_owned(), "null".to_owned());
    assert_eq!(only(&client.pull(&task, &Silent).await)?, pulled);

    let new = "an~>?ther-password";
    stage.private.set_password("alice", new)?;
    let login = json!({"username": "alice", "password": new}).to_string();
    stage
        .owner
        .rotate(Stage::SECRET_REGION, &stage.secret, &login)
        .await?;
    stage.engine.remove(&image).await?;
    assert_eq!(only(&client.pull(&task, &Silent).await)?, pulled);
    assert!(stage.engine.has(&image).await?);

    let requests = recorder.take();
    let reads = requests.iter().filter(|request| request.action == READ).count();
    assert_eq!(reads, 2, "once, and once after the refusal: {requests:?}");
    Ok(())
}

/// In which version of the secret the registry's password is.
#[derive(Debug, Clone, Copy)]
enum Rotation {
    /// The registry has the new password already, and the secret is still in its first steps.
    RegistryAhead,
    /// The secret is rotated, and the registry has not heard of it.
    RegistryBehind,
}

#[tokio::test]
async fn a_rotation_under_way_is_bridged_when_that_was_asked_for() -> Result<()> {
    for (rotation, worked) in [
        (Rotation::RegistryAhead, "AWSPENDING"),
        (Rotation::RegistryBehind, "AWSPREVIOUS"),
    ] {
        let mut stage = Stage::start().await?;
        let new = "an~>?ther-password";
        let login = json!({"username": "alice", "password": new}).to_string();
        match rotation {
            Rotation::RegistryAhead => {
                stage.private.set_password("alice", new)?;
                let owner = stage
                    .owner
                    .configuration(Stage::SECRET_REGION, stage.owner.administrator());
                aws_sdk_secretsmanager::Client::new(&owner)
                    .put_secret_value()
                    .secret_id(&stage.secret)
                    .secret_string(login)
                    .version_stages("AWSPENDING")
                    .send()
                    .await?;
            }
            Rotation::RegistryBehind => {
                stage
                    .owner
                    .rotate(Stage::SECRET_REGION, &stage.secret, &login)
                    .await?;
            }
        }
        let definition = stage.task_definition();
        let refused = stage.pull(&definition, &["--container", "web"])?.run().await?;
        assert_eq!(refused.code, 5, "{rotation:?}: {}", refused.stderr);

        let arguments = ["--container", "web", "--rotation-stages"];
        let pulled = stage.pull(&definition, &arguments)?.run().await?;
        assert_eq!(pulled.code, 0, "{rotation:?}: {}", pulled.stderr);
        let credential = &pulled.container("web")?["credential"];
        assert_eq!(credential["version_stage"], worked);
        assert_eq!(
            credential["notes"],
            json!([format!(
                "the registry refused AWSCURRENT of this secret: this is {worked}"
            )])
        );
        for secret in [new, stage.passwords().0] {
            assert!(!pulled.stdout.contains(secret) && !pulled.stderr.contains(secret));
        }
    }
    Ok(())
}

/// A clock that a test sets forward.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<Mutex<Duration>>);

impl Clock {
    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn credentials_file(keys: &Keys) -> String {
    format!(
        "[site]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key_id, keys.secret_access_key
    )
}

#[tokio::test]
async fn a_rotating_credentials_file_replaced_during_a_long_run_is_used_within_a_minute() -> Result<()> {
    let (engine, registry, aws) = tokio::try_join!(
        Engine::start(&["registry.example.com"]),
        Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])),
        Aws::start(),
    )?;
    let account = aws.account("111111111111").await?;
    let keys = [
        account.user("before", &[READ]).await?,
        account.user("after", &[READ]).await?,
    ];
    let login = json!({"username": "alice", "password": "right"}).to_string();
    let mut tasks = Vec::new();
    // Secrets of their own, so that each pull has to ask AWS.
    for name in ["first", "second", "third"] {
        registry.push(&Image::small(name)?, name, "v1").await?;
        let secret = account.secret("us-east-1", name, &login, None).await?;
        let definition = TaskDefinition::new("").container(name, &registry.image(name, "v1"), Some(&secret));
        tasks.push(task(&definition)?);
    }
    aws.enforce().await?;
    let recorder = Recorder::start(aws.endpoint()).await?;
    let files = Part::new("files")?;
    let path = files.write("credentials", credentials_file(&keys[0]))?;

    let clock = Clock::default();
    let template = account.configuration("us-east-1", &keys[0]);
    let configuration = SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(template.region().cloned())
        .http_client(template.http_client().context("no HTTP client")?)
        .endpoint_url(recorder.endpoint())
        .time_source(clock.clone())
        .build();
    let instance = Identity::ec2_instance(
        Ec2Instance::default()
            .with_rotating_file(&path)
            .with_profile("site"),
    );
    let client = Client::builder(Config::default())
        .aws(AwsContext::from_sdk_config(configuration))
        .rights(Rights::Identity(instance))
        .docker_host(engine.host(), Origin::argument("--docker-host"))
        .build();

    let mut used = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        assert_eq!(
            only(&client.pull(task, &Silent).await)?,
            ("pulled".to_owned(), "null".to_owned())
        );
        let signed_by = recorder.take().into_iter().map(|request| request.access_key_id);
        used.push(signed_by.collect::<Vec<_>>());
        if number == 0 {
            // As the SSM agent does it: a whole new file in the place of the old one.
            let new = files.write("credentials.new", credentials_file(&keys[1]))?;
            std::fs::rename(new, &path)?;
        }
        clock.pass(Duration::from_secs(30));
    }
    let [before, after] = keys.map(|keys| keys.access_key_id);
    assert_eq!(used, [vec![before.clone()], vec![before], vec![after]]);
    Ok(())
}
