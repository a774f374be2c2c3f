//! Engine auth that lies on the machine as KMS ciphertext.

use std::fs;

use anyhow::{Context, Result};
use aws_sdk_kms::primitives::Blob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use integration::{Access, Account, Aws, Deed, EcsPull, Image, Keys, Output, Policy, Registry};
use serde_json::{Value, json};

use super::{Machine, docker};
use crate::rights::statement_in;

const REGION: &str = "eu-west-1";
const PASSWORD: &str = "s3cret:>?~\"ß";

/// An instance with an engine and a registry, and KMS with its checks on.
struct Instance {
    machine: Machine,
    registry: Registry,
    image: String,
    aws: Aws,
    account: Account,
    key: String,
    /// May encrypt and decrypt.
    owner: Keys,
    /// May do neither.
    stranger: Keys,
}

impl Instance {
    async fn start() -> Result<Self> {
        let (machine, registry, aws) = tokio::try_join!(
            Machine::start("registry.example.com"),
            Registry::start("registry.example.com", Access::Passwords(&[("alice", PASSWORD)])),
            Aws::start(),
        )?;
        registry.push(&Image::small("app")?, "team/app", "v1").await?;
        let account = aws.account("111111111111").await?;
        let owner = account.user("owner", &["kms:Encrypt", "kms:Decrypt"]).await?;
        let stranger = account.user("stranger", &["s3:GetObject"]).await?;
        let key = account.key(REGION).await?;
        aws.enforce().await?;
        let image = registry.image("team/app", "v1");
        Ok(Self {
            machine,
            registry,
            image,
            aws,
            account,
            key,
            owner,
            stranger,
        })
    }

    /// `ecs-pull` with these keys, in another region than the key's.
    async fn run(&self, keys: &Keys, arguments: &[&str]) -> Result<Output> {
        self.command(keys, arguments)?.run().await
    }

    fn command(&self, keys: &Keys, arguments: &[&str]) -> Result<EcsPull> {
        Ok(self.machine.ecs_pull(arguments)?.envs([
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]))
    }

    /// What the owner of the ciphertext is told to allow: this action with the key, for calls that no service makes.
    fn assert_names_the_statement(&self, output: &Output, action: &str) -> Result<()> {
        let (_, next_step) = output.stderr.split_once("  next:  ").context("no next step")?;
        let statement = statement_in(next_step)?;
        assert_eq!(statement["Action"], action, "{next_step}");
        assert_eq!(statement["Resource"], self.key, "{next_step}");
        assert_eq!(statement["Condition"], Value::Null, "{next_step}");
        let policy = Policy::of_statement(&statement)?;
        assert!(policy.allows(&Deed::new(action, &self.key)), "{next_step}");
        Ok(())
    }

    /// An `ecs.config` made by `config import --kms-key`.
    async fn import(&self) -> Result<String> {
        let auth = BASE64_STANDARD.encode(format!("alice:{PASSWORD}"));
        let config = json!({"auths": {self.registry.host(): {"auth": auth}}}).to_string();
        let config = self.machine.files.write("config.json", config)?;
        let config = config.display().to_string();
        self.machine.files.write("ecs.config", "ECS_CLUSTER=example\n")?;
        // By its id alone: the file has to say more, for machines in other regions.
        let id = self.key.rsplit('/').next().unwrap_or_default();
        let arguments = [
            "--region",
            REGION,
            "config",
            "import",
            &config,
            "--write",
            "--kms-key",
            id,
        ];
        let output = self.run(&self.owner, &arguments).await?;
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
        Ok(fs::read_to_string(self.machine.path("ecs.config"))?)
    }

    fn assert_fails(&self, output: &Output, code: i32, names: &[&str]) {
        let printed = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, code, "{printed}");
        for name in names {
            assert!(
                output.stderr.contains(name),
                "{name:?} was to be named: {printed}"
            );
        }
        assert!(output.stderr.contains("  next:  "), "{printed}");
        assert!(!printed.contains(PASSWORD), "{printed}");
    }
}

#[tokio::test]
async fn imported_logins_are_ciphertext_on_disk_and_pull() -> Result<()> {
    let instance = Instance::start().await?;
    let written = instance.import().await?;
    assert!(
        written.contains("\nECS_ENGINE_AUTH_DATA_KMS=") && !written.contains("\nECS_ENGINE_AUTH_DATA="),
        "{written}"
    );
    assert!(
        written.contains(&format!("\nECS_ENGINE_AUTH_KMS_KEY={}\n", instance.key)),
        "{written}"
    );
    assert!(!written.contains(&BASE64_STANDARD.encode(format!("alice:{PASSWORD}"))));
    fs::remove_file(instance.machine.path("config.json"))?;

    let output = instance.run(&instance.owner, &["pull", &instance.image]).await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let entry = &super::entries(&output)?[0];
    assert_eq!(entry["credential"]["username"], "alice");
    assert_eq!(entry["credential"]["source"], "engine-auth");
    assert!(instance.machine.engine.has(&instance.image).await?);

    // Both at once: nobody can tell which is meant.
    let data = json!({ instance.registry.host(): docker("alice", PASSWORD) });
    let both = format!("{written}ECS_ENGINE_AUTH_DATA={data}\n");
    instance.machine.files.write("ecs.config", both)?;
    let output = instance.run(&instance.owner, &["pull", &instance.image]).await?;
    let config = instance.machine.path("ecs.config").display().to_string();
    let places = [format!("{config}:3"), format!("{config}:5")];
    let names = ["ECS_ENGINE_AUTH_DATA_KMS", &places[0], &places[1]];
    instance.assert_fails(&output, 3, &names);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_a_credential_that_cannot_be_had_and_never_an_anonymous_pull()
-> Result<()> {
    let instance = Instance::start().await?;
    let written = instance.import().await?;
    let pushed = instance.registry.requests().len();
    let place = format!("{}:3", instance.machine.path("ecs.config").display());

    let output = instance
        .run(&instance.stranger, &["pull", &instance.image])
        .await?;
    let names = [&place, "kms:Decrypt", &instance.key, REGION];
    instance.assert_fails(&output, 4, &names);
    instance.assert_names_the_statement(&output, "kms:Decrypt")?;
    let config = instance.machine.path("config.json").display().to_string();
    let import = ["config", "import", &config, "--kms-key", &instance.key];
    let output = instance.run(&instance.stranger, &import).await?;
    instance.assert_fails(&output, 4, &["kms:Encrypt"]);
    instance.assert_names_the_statement(&output, "kms:Encrypt")?;
    let output = instance.run(&instance.stranger, &["config", "check"]).await?;
    assert_eq!(output.code, 4, "{}", output.stdout);

    let output = instance
        .command(&instance.owner, &["pull", &instance.image])?
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY")
        .run()
        .await?;
    instance.assert_fails(&output, 4, &[&place]);

    // Encrypted for something else: KMS holds a ciphertext to the context that it was made with.
    let kms = aws_sdk_kms::Client::new(&instance.account.configuration(REGION, &instance.owner));
    let data = json!({ instance.registry.host(): docker("alice", PASSWORD) }).to_string();
    let encrypted = kms
        .encrypt()
        .key_id(&instance.key)
        .plaintext(Blob::new(data))
        .encryption_context("purpose", "another")
        .send()
        .await?;
    let ciphertext =
        BASE64_STANDARD.encode(encrypted.ciphertext_blob().map(Blob::as_ref).unwrap_or_default());
    let lines: Vec<String> = written
        .lines()
        .map(|line| match line.split_once('=') {
            Some(("ECS_ENGINE_AUTH_DATA_KMS", _)) => format!("ECS_ENGINE_AUTH_DATA_KMS={ciphertext}"),
            _ => line.to_owned(),
        })
        .collect();
    instance.machine.files.write("ecs.config", lines.join("\n"))?;
    let output = instance.run(&instance.owner, &["pull", &instance.image]).await?;
    instance.assert_fails(&output, 4, &[&place, "encryption context", &instance.key]);

    // What is not even a ciphertext is a mistake in the file.
    instance.machine.files.write(
        "ecs.config",
        "ECS_CLUSTER=example\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA_KMS=!\n",
    )?;
    let output = instance.run(&instance.owner, &["pull", &instance.image]).await?;
    instance.assert_fails(&output, 3, &[&place, "base64"]);

    assert_eq!(
        instance.registry.requests().split_off(pushed),
        [],
        "nobody asked the registry for anything"
    );
    Ok(())
}
