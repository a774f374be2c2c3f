//! The execution role has just the rights that it needs: what `ecs-pull policy` prints is what a pull asks for, read on
//! the wire, and whatever is missing is named as the statement to add.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Access, Aws, AwsAnswer, AwsRequest, Deed, EcsPull, Engine, Image, Keys, Output, Part, Policy, Recorder,
    Registry, RegistryRequest, SecureRegistry, TaskDefinition, parliament,
};
use serde_json::{Value, json};

const SECRET_REGION: &str = "eu-west-1";
const TASK_REGION: &str = "us-east-1";
const PASSWORD: &str = "s3cret>?~for-alice";
/// Amazon ECR of the role's account, in the task's region.
const ECR: &str = "222222222222.dkr.ecr.us-east-1.amazonaws.com";
/// What moto gives out as a token for it.
const ECR_LOGIN: (&str, &str) = ("AWS", "222222222222-auth-token");

const READ: &str = "secretsmanager:GetSecretValue";
const DECRYPT: &str = "kms:Decrypt";
const TOKEN: &str = "ecr:GetAuthorizationToken";
/// All that the role's own requests need; the engine's at ECR are checked by ECR.
const ACTIONS: [&str; 3] = [READ, DECRYPT, TOKEN];

/// A task of account 111111111111 with two containers: one whose secret is in another region and account, under a
/// customer-managed key, and one whose image is at Amazon ECR.
struct Scene {
    engine: Engine,
    registry: Registry,
    ecr: SecureRegistry,
    /// Whose files it serves.
    _at_ecr: Registry,
    recorder: Recorder,
    operator: Keys,
    bystander: Keys,
    /// With all of the actions.
    role: String,
    /// One for each action that moto asks for, with all of the others.
    lesser_roles: Vec<(&'static str, String)>,
    secret: String,
    key: String,
    files: Part,
    _aws: Aws,
}

impl Scene {
    async fn start() -> Result<Self> {
        let (registry, at_ecr, aws) = tokio::try_join!(
            Registry::start("localhost", Access::Passwords(&[("alice", PASSWORD)])),
            Registry::start(ECR, Access::Passwords(&[ECR_LOGIN])),
            Aws::start(),
        )?;
        registry.push(&Image::small("web")?, "team/web", "v1").await?;
        at_ecr.push(&Image::small("worker")?, "team/worker", "v1").await?;
        let ecr = at_ecr.on_port_443().await?;
        let engine = Engine::start_trusting(&[&ecr]).await?;

        let owner = aws.account("222222222222").await?;
        let task_account = aws.account("111111111111").await?;
        let operator = task_account.user("operator", &["sts:AssumeRole"]).await?;
        let bystander = task_account.user("bystander", &["s3:GetObject"]).await?;
        let trusted = json!({"AWS": "arn:aws:iam::111111111111:root"});
        let role = owner.role("task-execution", &trusted, &ACTIONS).await?;
        let mut lesser_roles = Vec::new();
        for removed in [READ, TOKEN] {
            let rest: Vec<_> = ACTIONS.into_iter().filter(|action| *action != removed).collect();
            let name = format!("without-{}", removed.replace(':', "-"));
            lesser_roles.push((removed, owner.role(&name, &trusted, &rest).await?));
        }
        let key = owner.key(SECRET_REGION).await?;
        let login = json!({"username": "alice", "password": PASSWORD}).to_string();
        let secret = owner
            .secret(SECRET_REGION, "registry/alice", &login, Some(&key))
            .await?;
        aws.enforce().await?;
        Ok(Self {
            engine,
            registry,
            ecr,
            _at_ecr: at_ecr,
            recorder: Recorder::start(aws.endpoint()).await?,
            operator,
            bystander,
            role,
            lesser_roles,
            secret,
            key,
            files: Part::new("files")?,
            _aws: aws,
        })
    }

    fn task(&self, role: &str) -> Result<PathBuf> {
        let task = TaskDefinition::new(role)
            .container("web", &self.registry.image("team/web", "v1"), Some(&self.secret))
            .container("worker", &format!("{ECR}/team/worker:v1"), None);
        self.files.write("task-definition.json", task.to_string())
    }

    async fn run(&self, endpoint: &str, keys: &Keys, arguments: &[&str], role: &str) -> Result<Output> {
        let empty = self.files.write("ecs.config", "")?;
        EcsPull::new(["--config-file".as_ref(), empty.as_os_str()])?
            .args(["--output", "json"])
            .args(arguments)
            .args(["--file".as_ref(), self.task(role)?.as_os_str()])
            .envs([
                ("DOCKER_HOST", self.engine.host()),
                ("AWS_ENDPOINT_URL", endpoint),
                ("AWS_REGION", TASK_REGION),
                ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ])
            .envs([("HOME", self.files.directory())])
            .run()
            .await
    }

    async fn pull(&self, role: &str) -> Result<Output> {
        self.run(self.recorder.endpoint(), &self.operator, &["pull"], role)
            .await
    }

    /// What the role did, by its requests, and by what the services do in its name because of them: Secrets Manager
    /// decrypts, and ECR looks into its rights when the engine asks for manifests and layers.
    fn deeds(&self, requests: &[AwsRequest], pulled: &[RegistryRequest]) -> Result<Vec<Deed>> {
        let mut deeds = Vec::new();
        for request in requests {
            match request.action.as_str() {
                READ => {
                    let secret = request.parameter("SecretId").context("no secret is named")?;
                    deeds.push(Deed::new(READ, &secret));
                    ensure!(secret == self.secret, "a foreign secret: {secret}");
                    deeds.push(
                        Deed::new(DECRYPT, &self.key)
                            .with(
                                "kms:ViaService",
                                &format!("secretsmanager.{}.amazonaws.com", request.region),
                            )
                            .with("kms:EncryptionContext:SecretARN", &secret),
                    );
                }
                action => deeds.push(Deed::new(action, "*")),
            }
        }
        for request in pulled {
            let action = if request.is_for_manifest() {
                "ecr:BatchGetImage"
            } else if request.path.contains("/blobs/") {
                "ecr:GetDownloadUrlForLayer"
            } else {
                continue;
            };
            let (_, path) = request.path.split_once("/v2/").context("no path of a registry")?;
            let repository = path
                .split_once("/manifests/")
                .or(path.split_once("/blobs/"))
                .context("no repository")?
                .0;
            deeds.push(Deed::new(
                action,
                &format!("arn:aws:ecr:{TASK_REGION}:222222222222:repository/{repository}"),
            ));
        }
        Ok(deeds)
    }
}

/// The first statement in a text for people.
pub(super) fn statement_in(text: &str) -> Result<Value> {
    let start = text
        .find('{')
        .with_context(|| format!("no statement in: {text}"))?;
    let first = serde_json::Deserializer::from_str(&text[start..])
        .into_iter()
        .next();
    Ok(first.context("no statement")??)
}

#[tokio::test]
async fn the_printed_policy_allows_what_a_pull_asks_for_and_nothing_else() -> Result<()> {
    let scene = Scene::start().await?;
    let output = scene.pull(&scene.role).await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let (by_operator, by_role): (Vec<_>, Vec<_>) = scene
        .recorder
        .take()
        .into_iter()
        .partition(|request| request.access_key_id == scene.operator.access_key_id);
    let assumed: Vec<_> = by_operator.iter().map(|request| &*request.action).collect();
    assert_eq!(assumed, ["sts:AssumeRole"], "once for both containers");
    let deeds = scene.deeds(&by_role, &scene.ecr.requests())?;
    assert!(deeds.len() >= 5, "secret, key, token, manifest, layer: {deeds:?}");

    let arguments = ["policy", "--kms-key", &scene.key];
    let printed = scene
        .run(
            scene.recorder.endpoint(),
            &scene.operator,
            &arguments,
            &scene.role,
        )
        .await?;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(
        scene.recorder.take().is_empty(),
        "a policy is found without asking AWS"
    );
    let policy = Policy::parse(&printed.json()?)?;
    for deed in &deeds {
        assert!(
            policy.allows(deed),
            "{deed:?} is not allowed by {}",
            printed.stdout
        );
    }
    assert_eq!(
        policy.superfluous(&deeds),
        Vec::<String>::new(),
        "{}",
        printed.stdout
    );

    assert_eq!(lint(&printed.stdout).await?, "", "{}", printed.stdout);
    let misspelt = printed.stdout.replace("GetSecretValue", "GetSecretValeu");
    assert!(
        lint(&misspelt).await?.contains("Unknown action"),
        "the linter looks"
    );
    Ok(())
}

/// What parliament finds in a policy.
async fn lint(policy: &str) -> Result<String> {
    let no_arguments: [&str; 0] = [];
    let run = EcsPull::of_program(&parliament()?, no_arguments).input(policy);
    let output = run.run().await?;
    Ok(format!("{}{}", output.stdout, output.stderr))
}

#[tokio::test]
async fn a_missing_right_is_named_as_the_statement_to_add() -> Result<()> {
    let scene = Scene::start().await?;
    let printed = scene
        .run(
            scene.recorder.endpoint(),
            &scene.operator,
            &["policy", "--kms-key", &scene.key],
            &scene.role,
        )
        .await?;
    let policy = Policy::parse(&printed.json()?)?;
    let rows = [
        (READ, "web", Deed::new(READ, &scene.secret)),
        (TOKEN, "worker", Deed::new(TOKEN, "*")),
    ];
    for (removed, container, denied) in rows {
        let (_, role) = scene
            .lesser_roles
            .iter()
            .find(|(action, _)| *action == removed)
            .context("a role")?;
        let output = scene.pull(role).await?;
        assert_eq!(output.code, 4, "{removed}: {}", output.stderr);
        assert!(!output.stderr.contains(PASSWORD));
        let report = output.json()?;
        for entry in report["containers"].as_array().context("containers")? {
            let expected = if entry["container"] == container {
                "failed"
            } else {
                "pulled"
            };
            assert_eq!(entry["status"], expected, "{removed}: {entry}");
        }
        let error = &output.container(container)?["error"];
        let next_step = error["next_step"].as_str().context("no next step")?;
        assert!(next_step.contains(role), "whose policy: {next_step}");
        let statement = Policy::of_statement(&statement_in(next_step)?)?;
        assert!(statement.allows(&denied), "{removed}: {next_step}");
        assert!(
            statement.superfluous(std::slice::from_ref(&denied)).is_empty(),
            "{next_step}"
        );
        assert!(policy.allows(&denied), "the printed policy has it too");
        scene
            .engine
            .remove(&match container {
                "web" => format!("{ECR}/team/worker:v1"),
                _ => scene.registry.image("team/web", "v1"),
            })
            .await?;
    }

    let output = scene
        .run(
            scene.recorder.endpoint(),
            &scene.bystander,
            &["pull"],
            &scene.role,
        )
        .await?;
    assert_eq!(output.code, 4, "{}", output.stderr);
    let error = &output.container("web")?["error"];
    let next_step = error["next_step"].as_str().context("no next step")?;
    // The role trusts the caller's whole account: what is missing is the caller's own right.
    assert!(
        next_step.starts_with("add to a policy of arn:aws:iam::111111111111:user/bystander: {"),
        "{next_step}"
    );
    let statement = statement_in(next_step)?;
    let expected = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": scene.role});
    assert_eq!(statement, expected, "{next_step}");
    Ok(())
}

/// moto does not ask for `kms:Decrypt`: here its place is taken by answers in AWS's words.
#[tokio::test]
async fn a_missing_right_to_decrypt_is_named_as_the_statement_to_add() -> Result<()> {
    let scene = Scene::start().await?;
    let (key, secret) = (scene.key.clone(), scene.secret.clone());
    let user = "User: arn:aws:sts::222222222222:assumed-role/task-execution/ecs-pull";
    for may_describe in [true, false] {
        let (key, secret) = (key.clone(), secret.clone());
        let aws = Recorder::instead_of_aws(Duration::ZERO, move |request| {
            let denied = |action: &str, resource: &str| {
                let words = "because no identity-based policy allows the action";
                AwsAnswer::error(
                    "AccessDeniedException",
                    &format!("{user} is not authorized to perform: {action} on resource: {resource} {words}"),
                )
            };
            match request.action.as_str() {
                "sts:AssumeRole" => AwsAnswer::assumed_role("AKIDOFTHEROLE"),
                READ => AwsAnswer::error("AccessDeniedException", "Access to KMS is not allowed"),
                "secretsmanager:DescribeSecret" if may_describe => {
                    AwsAnswer::ok(&json!({"ARN": secret, "Name": "registry/alice", "KmsKeyId": key}))
                }
                "secretsmanager:DescribeSecret" => denied(&request.action, &secret),
                _ => denied(&request.action, &key),
            }
        })
        .await?;
        let output = scene
            .run(
                aws.endpoint(),
                &scene.operator,
                &["pull", "--container", "web"],
                &scene.role,
            )
            .await?;
        assert_eq!(output.code, 4, "{}", output.stderr);
        let error = &output.container("web")?["error"];
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains(&scene.secret))
        );
        let next_step = error["next_step"].as_str().context("no next step")?;
        let mut statement = statement_in(next_step)?;
        if !may_describe {
            // Its place is left to the reader, who knows the key.
            assert_eq!(statement["Resource"], "ARN of the secret's KMS key");
            statement["Resource"] = scene.key.as_str().into();
        }
        let decrypt = Deed::new(DECRYPT, &scene.key)
            .with("kms:ViaService", "secretsmanager.eu-west-1.amazonaws.com")
            .with("kms:EncryptionContext:SecretARN", &scene.secret);
        let statement = Policy::of_statement(&statement)?;
        assert!(statement.allows(&decrypt), "{next_step}");
        let past_the_service = Deed::new(DECRYPT, &scene.key);
        assert!(!statement.allows(&past_the_service), "{next_step}");
    }
    Ok(())
}

/// moto evaluates no resource policies and looks for a secret only in the account of whoever asks.
#[tokio::test]
async fn a_secret_of_another_account_is_asked_for_in_its_region_with_the_roles_keys_and_its_whole_arn()
-> Result<()> {
    let scene = Scene::start().await?;
    let secret = scene.secret.clone();
    let aws = Recorder::instead_of_aws(Duration::ZERO, move |request| {
        let answers = [
            ("sts:AssumeRole", AwsAnswer::assumed_role("AKIDOFTHEROLE")),
            (READ, AwsAnswer::login(&secret, "alice", PASSWORD)),
        ];
        let answer = answers.into_iter().find(|(action, _)| *action == request.action);
        answer.map_or_else(
            || AwsAnswer::error("AccessDeniedException", "no"),
            |(_, answer)| answer,
        )
    })
    .await?;
    let role = "arn:aws:iam::111111111111:role/task-execution";
    let output = scene
        .run(
            aws.endpoint(),
            &scene.operator,
            &["pull", "--container", "web"],
            role,
        )
        .await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.container("web")?["credential"]["region"], SECRET_REGION);
    let requests = aws.take();
    let asked: Vec<_> = requests
        .iter()
        .map(|request| {
            let AwsRequest {
                access_key_id,
                region,
                service,
                action,
                ..
            } = request;
            (&**access_key_id, &**region, &**service, &**action)
        })
        .collect();
    assert_eq!(
        asked,
        [
            (
                &*scene.operator.access_key_id,
                TASK_REGION,
                "sts",
                "sts:AssumeRole"
            ),
            ("AKIDOFTHEROLE", SECRET_REGION, "secretsmanager", READ),
        ]
    );
    assert_eq!(requests[0].parameter("RoleArn").as_deref(), Some(role));
    assert_eq!(requests[1].parameter("SecretId"), Some(scene.secret.clone()));
    Ok(())
}
