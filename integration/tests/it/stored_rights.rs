//! An agent that is sent the keys of execution roles: one client and one store for all of its tasks.

use anyhow::{Context, Result};
use ecs_pull::config_loader::Config;
use ecs_pull::image_puller::Silent;
use ecs_pull::registry_auth::Origin;
use ecs_pull::secret_resolver::{AwsContext, CredentialsStore, RoleKeys};
use ecs_pull::{Client, ExitCode, Rights, Task};
use integration::{Access, Aws, Engine, Image, Keys, Recorder, Registry};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
const ROLE: &str = "arn:aws:iam::222222222222:role/execution";

/// A registry whose login is in a secret, and the keys of two tasks that may each read it.
struct Scene {
    engine: Engine,
    registry: Registry,
    recorder: Recorder,
    secret: String,
    keys: [Keys; 2],
    client: Client,
    store: CredentialsStore,
    _aws: Aws,
}

impl Scene {
    async fn start() -> Result<Self> {
        let (engine, registry, aws) = tokio::try_join!(
            Engine::start(&["registry.example.com"]),
            Registry::start("registry.example.com", Access::Passwords(&[("alice", "right")])),
            Aws::start(),
        )?;
        registry.push(&Image::small("web")?, "web", "v1").await?;
        let account = aws.account("222222222222").await?;
        let read = ["secretsmanager:GetSecretValue"];
        let keys = [
            account.user("first", &read).await?,
            account.user("second", &read).await?,
        ];
        // The instance may do nothing, as on a host where only the tasks' roles may read secrets.
        let instance = account.user("instance", &["s3:GetObject"]).await?;
        let login = json!({"username": "alice", "password": "right"}).to_string();
        let secret = account.secret(REGION, "registry", &login, None).await?;
        aws.enforce().await?;
        let recorder = Recorder::start(aws.endpoint()).await?;
        let configuration = account
            .configuration(REGION, &instance)
            .to_builder()
            .endpoint_url(recorder.endpoint())
            .build();
        let store = CredentialsStore::default();
        let client = Client::builder(Config::default())
            .aws(AwsContext::from_sdk_config(configuration))
            .rights(Rights::Stored(store.clone()))
            .docker_host(engine.host(), Origin::argument("--docker-host"))
            .build();
        Ok(Self {
            engine,
            registry,
            recorder,
            secret,
            keys,
            client,
            store,
            _aws: aws,
        })
    }

    fn put(&self, id: &str, keys: &Keys) {
        let secret_access_key = keys.secret_access_key.clone();
        let keys = RoleKeys::new(keys.access_key_id.as_str(), secret_access_key, None, None);
        self.store.put(id, keys.with_role_arn(ROLE));
    }

    /// A task as the control plane sends it.
    fn task(&self, credentials: &Value) -> Result<Task> {
        let payload = json!({
            "executionRoleCredentials": credentials,
            "containers": [{
                "name": "web",
                "image": self.registry.image("web", "v1"),
                "registryAuthentication": {
                    "type": "asm",
                    "asmAuthData": {"credentialsParameter": self.secret, "region": REGION},
                },
            }],
        });
        let origin = Origin::file("payload.json");
        Ok(Task::from(ecs_pull::task_images::parse(
            &payload.to_string(),
            &origin,
        )?))
    }

    /// Who signed what was asked of AWS since the last look.
    fn signers(&self) -> Vec<String> {
        let requests = self.recorder.take();
        requests
            .into_iter()
            .map(|request| request.access_key_id)
            .collect()
    }
}

#[tokio::test]
async fn one_client_reads_the_secrets_of_every_task_with_the_keys_of_that_task() -> Result<()> {
    let scene = Scene::start().await?;
    let tasks = [
        scene.task(&json!({"credentialsId": "task-1", "roleArn": ROLE}))?,
        scene.task(&json!({"credentialsId": "task-2", "roleArn": ROLE}))?,
    ];
    scene.put("task-1", &scene.keys[0]);
    scene.put("task-2", &scene.keys[1]);
    for (task, keys) in tasks.iter().zip(&scene.keys) {
        for expected in [vec![keys.access_key_id.clone()], vec![]] {
            let report = scene.client.pull(task, &Silent).await;
            assert!(report.ok, "{report:?}");
            let report = serde_json::to_value(&report)?;
            assert_eq!(report["containers"][0]["credential"]["role"], ROLE);
            assert_eq!(
                scene.signers(),
                expected,
                "the secret is asked for once by each task"
            );
        }
    }

    // The control plane refreshes the keys of one task: the other's secret stays where it is.
    scene.put("task-1", &scene.keys[1]);
    assert!(scene.client.pull(&tasks[0], &Silent).await.ok);
    assert!(scene.client.pull(&tasks[1], &Silent).await.ok);
    assert_eq!(scene.signers(), [scene.keys[1].access_key_id.clone()]);
    Ok(())
}

#[tokio::test]
async fn a_task_whose_keys_nobody_sent_fails_and_is_never_pulled_with_other_rights() -> Result<()> {
    let scene = Scene::start().await?;
    scene.put("ended", &scene.keys[0]);
    assert!(scene.store.remove("ended"));
    for (credentials, message) in [
        (
            json!({"credentialsId": "never-sent"}),
            "credentials id never-sent",
        ),
        (json!({"credentialsId": "ended"}), "credentials id ended"),
        (json!({"roleArn": ROLE}), "but no credentials id"),
        (json!({}), "needs an execution role and there is none"),
    ] {
        let task = scene.task(&credentials)?;
        let report = scene.client.pull(&task, &Silent).await;
        assert_eq!(
            report.exit_code(),
            ExitCode::Credential,
            "{credentials}: {report:?}"
        );
        let error = report.containers[0].error.as_ref().context("no error")?;
        assert_eq!(
            error.name().to_string(),
            "CannotPullContainerAuthError",
            "{error}"
        );
        assert!(error.message().contains(message), "{error}");
        assert!(error.next_step().is_some(), "{error}");
        assert_eq!(scene.signers(), [""; 0], "{credentials}");
        assert!(!scene.engine.has(&scene.registry.image("web", "v1")).await?);
    }
    Ok(())
}
