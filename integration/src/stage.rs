//! The main scenario: a task in one account and region whose credential lies in another.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::aws::{Account, Aws, Keys};
use crate::command::EcsPull;
use crate::engine::Engine;
use crate::image::Image;
use crate::part::Part;
use crate::registry::{Access, Registry};

/// Every part of the scenario, seeded.
///
/// - The task runs in account 111111111111 in `us-east-1`, as its user `operator`.
/// - The private registry's credential is a secret in `eu-west-1` of account 222222222222, under a key that this account
///   manages itself (the AWS-managed key cannot be used from elsewhere).
/// - The execution role belongs to 222222222222 too and is assumed across the accounts. On AWS it could as well belong to
///   111111111111, with a resource policy at the secret that lets it in; moto evaluates no resource policies, and
///   looks for a secret only in the account of whoever asks.
/// - `web` names the secret, `worker` is matched by the engine auth in `ecs.config`, `sidecar` is public.
#[derive(Debug)]
pub struct Stage {
    /// The engine, for which both registries' names are this machine.
    pub engine: Engine,
    /// `registry.example.com`, with passwords.
    pub private: Registry,
    /// `public.example.com`, open to everyone.
    pub public: Registry,
    /// AWS with its checks on.
    pub aws: Aws,
    /// Account 222222222222.
    pub owner: Account,
    /// The keys of `operator` in account 111111111111.
    pub operator: Keys,
    /// The ARN of the execution role.
    pub role: String,
    /// The ARN of the KMS key.
    pub key: String,
    /// The ARN of the secret.
    pub secret: String,
    files: Part,
    passwords: (String, String),
}

/// The user in the secret, and their password. It holds what tells a standard base64 from a URL-safe one.
pub(crate) const SECRET_USER: (&str, &str) = ("alice", "s3cret>?~for-alice");
/// The user in `ecs.config`, and their password.
pub(crate) const ENGINE_AUTH_USER: (&str, &str) = ("bob", "~?>engine-auth-of-bob");

/// A task definition in the making, as `aws ecs register-task-definition --cli-input-json` takes it.
#[derive(Debug, Clone)]
pub struct TaskDefinition(Value);

impl Stage {
    /// The region of the task.
    pub const TASK_REGION: &str = "us-east-1";
    /// The region of the secret.
    pub const SECRET_REGION: &str = "eu-west-1";

    /// Starts and seeds every part.
    ///
    /// # Errors
    /// A tool is missing or a part does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with_passwords(SECRET_USER.1, ENGINE_AUTH_USER.1).await
    }

    /// The same with other passwords: of `alice`, whose credential is the secret, and of `bob`, whose is the engine's.
    ///
    /// # Errors
    /// A tool is missing or a part does not start.
    pub async fn start_with_passwords(alice: &str, bob: &str) -> Result<Self> {
        let users = [(SECRET_USER.0, alice), (ENGINE_AUTH_USER.0, bob)];
        let (engine, private, public, aws) = tokio::try_join!(
            Engine::start(&["registry.example.com", "public.example.com"]),
            Registry::start("registry.example.com", Access::Passwords(&users)),
            Registry::start("public.example.com", Access::Open),
            Aws::start(),
        )?;
        private.push(&Image::small("web")?, "team/web", "v1").await?;
        private
            .push(&Image::small("worker")?, "team/worker", "v1")
            .await?;
        public
            .push(&Image::small("sidecar")?, "tools/sidecar", "v1")
            .await?;

        let owner = aws.account("222222222222").await?;
        let task_account = aws.account("111111111111").await?;
        let operator = task_account.user("operator", &["sts:AssumeRole"]).await?;
        let trusted = json!({"AWS": "arn:aws:iam::111111111111:root"});
        let actions = ["secretsmanager:GetSecretValue", "kms:Decrypt"];
        let role = owner.role("task-execution", &trusted, &actions).await?;
        let key = owner.key(Self::SECRET_REGION).await?;
        let text = json!({"username": SECRET_USER.0, "password": alice}).to_string();
        let secret = owner
            .secret(Self::SECRET_REGION, "registry/alice", &text, Some(&key))
            .await?;
        aws.enforce().await?;

        let files = Part::new("files")?;
        let stage = Self {
            engine,
            private,
            public,
            aws,
            owner,
            operator,
            role,
            key,
            secret,
            files,
            passwords: (alice.into(), bob.into()),
        };
        stage.write("ecs.config", &stage.ecs_config(bob))?;
        stage.write("task-definition.json", &stage.task_definition().to_string())?;
        Ok(stage)
    }

    /// The text of an `ecs.config` that gives `bob` this password.
    #[must_use]
    pub fn ecs_config(&self, password: &str) -> String {
        let auth = json!({self.private.host(): {"username": ENGINE_AUTH_USER.0, "password": password}});
        format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={auth}\n")
    }

    /// The passwords that `alice` and `bob` had at the start.
    #[must_use]
    pub fn passwords(&self) -> (&str, &str) {
        (&self.passwords.0, &self.passwords.1)
    }

    /// The task with its three containers.
    #[must_use]
    pub fn task_definition(&self) -> TaskDefinition {
        TaskDefinition::new(&self.role)
            .container("web", &self.private.image("team/web", "v1"), Some(&self.secret))
            .container("worker", &self.private.image("team/worker", "v1"), None)
            .container("sidecar", &self.public.image("tools/sidecar", "v1"), None)
    }

    /// Writes a file beside the others of the stage and returns its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.files.write(name, text)
    }

    /// Where a file of the stage lies: `ecs.config` and `task-definition.json` are there from the start.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.directory().join(name)
    }

    /// The environment by which `ecs-pull` finds the parts and acts as `operator`.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DOCKER_HOST", self.engine.host().to_owned()),
            ("AWS_ENDPOINT_URL", self.aws.endpoint().to_owned()),
            ("AWS_REGION", Self::TASK_REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.operator.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.operator.secret_access_key.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // A directory without a Docker configuration and without AWS profiles.
            ("HOME", self.files.directory().display().to_string()),
        ]
    }

    /// A run of `ecs-pull --config-file ecs.config` with these further arguments, in [`environment`](Self::environment).
    ///
    /// # Errors
    /// `ecs-pull` has not been built.
    pub fn ecs_pull(&self, arguments: &[&str]) -> Result<EcsPull> {
        self.ecs_pull_with("ecs.config", arguments)
    }

    /// The same with another file of the stage as the configuration.
    ///
    /// # Errors
    /// `ecs-pull` has not been built.
    pub fn ecs_pull_with(&self, config_file: &str, arguments: &[&str]) -> Result<EcsPull> {
        let configuration = self.path(config_file).display().to_string();
        let run = EcsPull::new(["--config-file", &configuration])?.args(arguments);
        Ok(run.envs(self.environment()))
    }

    /// `ecs-pull --output json pull --file FILE`, with these further arguments.
    ///
    /// # Errors
    /// `ecs-pull` has not been built, or the file cannot be written.
    pub fn pull(&self, task_definition: &TaskDefinition, arguments: &[&str]) -> Result<EcsPull> {
        let file = self
            .write("pulled.json", &task_definition.to_string())?
            .display()
            .to_string();
        Ok(self
            .ecs_pull(&["--output", "json", "pull", "--file", &file])?
            .args(arguments))
    }
}

impl TaskDefinition {
    /// A task without containers. An empty `role` leaves the execution role out.
    #[must_use]
    pub fn new(role: &str) -> Self {
        let mut task = json!({"family": "shop", "containerDefinitions": []});
        if !role.is_empty() {
            task["executionRoleArn"] = role.into();
        }
        Self(task)
    }

    /// Adds a container, with the secret of its `repositoryCredentials` if it has any.
    #[must_use]
    pub fn container(mut self, name: &str, image: &str, secret: Option<&str>) -> Self {
        let mut container = json!({"name": name, "image": image, "memory": 64, "essential": true});
        if let Some(secret) = secret {
            container["repositoryCredentials"] = json!({"credentialsParameter": secret});
        }
        if let Some(containers) = self.0["containerDefinitions"].as_array_mut() {
            containers.push(container);
        }
        self
    }
}

impl std::fmt::Display for TaskDefinition {
    /// The document, indented.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}
