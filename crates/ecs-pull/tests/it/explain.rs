//! `ecs-pull explain`

use ecs_pull::config_loader::{Environment, Loader};
use ecs_pull::{Client, ExitCode, Task};
use serde_json::Value;

use crate::support::Sandbox;

const VECTORS: &str = include_str!("../../../ecs-config-loader/tests/vectors/engine-auth.jsonl");

/// The daemon refuses these images, so that there is no answer about their credential.
const REFUSED: [&str; 2] = ["REG.Example.comapp", "[::1]:5000app"];

/// How many vectors one goes through the command: a process each is slow.
const EVERY: usize = 40;

fn is_refused(image: &str) -> bool {
    REFUSED.iter().any(|refused| image.starts_with(refused))
}

#[tokio::test]
async fn every_vector_is_explained_with_its_key() {
    let mut explained = 0;
    for line in VECTORS.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| row[field].as_str().unwrap();
        let environment = Environment::from_iter([
            ("ECS_ENGINE_AUTH_TYPE", text("type")),
            ("ECS_ENGINE_AUTH_DATA", text("data")),
        ]);
        let config = Loader::new(environment)
            .without_default_files()
            .load()
            .await
            .unwrap();
        let explanations = Client::builder(config)
            .build()
            .explain(&Task::images([text("image")], None));
        let explanation = &explanations.images[0];
        if is_refused(text("image")) {
            assert_eq!(explanations.exit_code(), ExitCode::Configuration, "{line}");
            continue;
        }
        // Where the registry's only entries are broken, the agent pulls anonymously and we say so instead.
        assert_ne!(
            explanation.credential.is_some(),
            explanation.error.is_some(),
            "{line}"
        );
        let key = explanation
            .credential
            .as_ref()
            .and_then(|credential| credential.key.as_deref());
        assert_eq!(key, row["ours"]["key"].as_str(), "{line}\n{explanation:?}");
        explained += 1;
    }
    assert!(explained > 1900, "{explained}");
}

#[test]
fn the_command_explains_vectors_with_their_keys_and_without_their_secrets() {
    for line in VECTORS.lines().step_by(EVERY) {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| row[field].as_str().unwrap();
        if is_refused(text("image")) {
            continue;
        }
        let run = Sandbox::new()
            .with_variable("ECS_ENGINE_AUTH_TYPE", text("type"))
            .with_variable("ECS_ENGINE_AUTH_DATA", text("data"))
            .run(["--output", "json", "explain", text("image")]);
        let ours = &row["ours"];
        let document = run.json();
        assert_eq!(
            document["images"][0]["credential"]["key"], ours["key"],
            "{line}\n{}{}",
            run.stdout, run.stderr
        );
        for field in ["password", "identitytoken", "registrytoken"] {
            if let Some(secret) = ours[field].as_str().filter(|secret| secret.len() > 4) {
                assert!(
                    !run.stdout.contains(secret) && !run.stderr.contains(secret),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn candidates_say_why_they_lost() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "ecs.config",
        "ECS_ENGINE_AUTH_TYPE=docker\n\
         ECS_ENGINE_AUTH_DATA={\"registry.example.com/team\":{\"username\":\"alice\",\"password\":\"hunter2\"},\
         \"registry.example.com/other\":{\"username\":\"bob\",\"password\":\"hunter3\"}}\n",
    );
    let run = sandbox.run(["explain", "registry.example.com/team/app:v1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let origin = format!("{}:2", sandbox.path("ecs.config").display());
    for expected in [
        "repository: team/app",
        "user \"alice\"",
        "used: engine-auth registry.example.com/team",
        &origin,
    ] {
        assert!(run.stdout.contains(expected), "{expected}\n{}", run.stdout);
    }
    let lost = run
        .stdout
        .lines()
        .find(|line| line.contains("registry.example.com/other"))
        .unwrap();
    assert!(
        lost.contains("not used") && lost.contains("other is not a prefix of team/app"),
        "{lost}"
    );
    assert!(!run.stdout.contains("hunter"), "{}", run.stdout);
}

#[test]
fn a_secret_is_named_with_its_role_and_nothing_is_asked() {
    let sandbox = Sandbox::new();
    let definition = sandbox.file(
        "task.json",
        r#"{"family": "web", "executionRoleArn": "arn:aws:iam::111111111111:role/execution", "containerDefinitions": [
            {"name": "app", "image": "registry.example.com/app", "repositoryCredentials":
             {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf"}},
            {"name": "sidecar", "image": "111111111111.dkr.ecr.us-east-1.amazonaws.com/sidecar"},
            {"name": "public", "image": "public.example.com/nginx"}]}"#,
    );
    let run = sandbox.run(["--output", "json", "explain", "-f", definition.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let images = run.json()["images"].clone();
    let source = |index: usize| images[index]["credential"]["source"].as_str().unwrap();
    assert_eq!(
        [source(0), source(1), source(2)],
        ["repository-credentials", "ecr", "anonymous"]
    );
    assert_eq!(
        images[0]["credential"]["secret"],
        "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf"
    );
    assert_eq!(
        images[0]["credential"]["role"],
        "arn:aws:iam::111111111111:role/execution"
    );
    assert_eq!(images[2]["registry"], "public.example.com");
}

#[test]
fn what_a_pull_fails_with_is_an_error_of_the_explanation_too() {
    const GOOD: &str = r#"{"auths": {"ghcr.io": {"auth": "YWxpY2U6aHVudGVyMg=="}}}"#;
    const BROKEN: &str = r#"{"auths": {"ghcr.io": {"auth": "!!hunter2!!"}}}"#;
    const HELPER: &str = r#"{"credHelpers": {"ghcr.io": "../x"}}"#;
    const USABLE: &str = r#"{"ghcr.io": {"auth": "YWxpY2U6aHVudGVyMg=="}}"#;
    const UNUSABLE: &str = r#"{"ghcr.io": {"auth": "!!hunter2!!"}}"#;
    for (engine_auth, docker_config, secret, code) in [
        (UNUSABLE, None, None, 3),
        (UNUSABLE, Some(GOOD), None, 3),
        ("{}", Some(BROKEN), None, 3),
        ("{}", Some(HELPER), None, 3),
        (USABLE, Some(GOOD), Some("arn:aws:s3:::bucket"), 4),
    ] {
        let sandbox = Sandbox::new()
            .with_variable("ECS_ENGINE_AUTH_TYPE", "dockercfg")
            .with_variable("ECS_ENGINE_AUTH_DATA", engine_auth);
        let docker_config = docker_config.map(|content| {
            let path = sandbox.file("config.json", content);
            format!("--docker-config={}", path.display())
        });
        let secret = secret.map(|secret| format!("--repository-credentials={secret}"));
        let arguments = ["--output=json", "explain", "ghcr.io/app"].map(str::to_owned);
        let run = sandbox.run(arguments.into_iter().chain(docker_config).chain(secret));
        assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
        let explanation = &run.json()["images"][0];
        assert!(explanation["credential"].is_null(), "{explanation}");
        assert!(explanation["error"]["message"].is_string(), "{explanation}");
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
    }
    // What is behind a source that has a credential is not asked, however broken it is.
    let sandbox = Sandbox::new()
        .with_variable("ECS_ENGINE_AUTH_TYPE", "dockercfg")
        .with_variable("ECS_ENGINE_AUTH_DATA", USABLE);
    let path = sandbox.file("config.json", BROKEN);
    let run = sandbox.run([
        format!("--docker-config={}", path.display()).as_str(),
        "explain",
        "ghcr.io/app",
    ]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}
