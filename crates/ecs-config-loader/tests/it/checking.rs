//! What `config check` and `config show` print.

use ecs_config_loader::{Environment, Finding, Loader, Severity};

use crate::loading::Files;

async fn check(files: &Files, content: &str) -> Vec<Finding> {
    let path = files.write("ecs.config", content);
    Loader::new(Environment::default())
        .without_default_files()
        .env_file(path)
        .check()
        .await
}

#[tokio::test]
async fn every_mistake_is_found_with_its_line() {
    let data = |auth_type: &str, data: &str| {
        format!("ECS_ENGINE_AUTH_TYPE={auth_type}\nECS_ENGINE_AUTH_DATA={data}\n")
    };
    let good = r#"{"username": "u", "password": "p"}"#;
    for (content, expected) in [
        (
            data("docker", &format!(r#"{{"ghcr": {good}}}"#)),
            "ecs.config:2: registry \"ghcr\" can never match an image: \"ghcr\" has neither a dot nor a port, so images that start with it are on Docker Hub",
        ),
        (
            data("docker", &format!(r#"{{"ghcr.io/team/app:v1": {good}}}"#)),
            "ecs.config:2: registry \"ghcr.io/team/app:v1\" can never match an image: it has a tag or a digest, and keys are compared without them",
        ),
        (
            data(
                "docker",
                &format!(r#"{{"http://ghcr.io": {good}, "https://ghcr.io": {good}}}"#),
            ),
            "ecs.config:2: registry \"http://ghcr.io\" names ghcr.io as \"https://ghcr.io\" does, which goes first",
        ),
        (
            data("docker", &format!(r#"{{"auths": {{"ghcr.io": {good}}}}}"#)),
            "ecs.config:2: the auth data is wrapped in \"auths\"; it is accepted here and ignored by the ECS agent",
        ),
        (
            data(
                "docker",
                &format!(r#"{{"credsStore": "x", "auths": {{"ghcr.io": {good}}}}}"#),
            ),
            "ecs.config:2: \"credsStore\" beside \"auths\" is ignored",
        ),
        (
            data(
                "docker",
                &format!(r#"{{"ghcr.io": {good}, "auths": {{"ghcr.io": {good}}}}}"#),
            ),
            "ecs.config:2: registry \"ghcr.io\" is inside \"auths\" and beside it, the one beside it is used",
        ),
        (
            data("docker", &format!(r#"{{"ghcr.io": {good}, "ghcr.io": {good}}}"#)),
            "ecs.config:2: registry \"ghcr.io\" is there twice, the last one is used",
        ),
        (
            data("docker", "'{}'"),
            "ecs.config:2: the quotes belong to the value of ECS_ENGINE_AUTH_DATA: they are not stripped",
        ),
        (
            data("docker\r", "{}"),
            "ecs.config: its lines end in CRLF; they are trimmed here, other readers of the file may not",
        ),
        (
            "export ECS_ENGINE_AUTH_TYPE=docker\n".to_owned(),
            "ecs.config:1: `export` makes this another name: ECS_ENGINE_AUTH_TYPE is not set",
        ),
        (
            "ECS_ENGINE_AUTH_TPYE=docker\n".to_owned(),
            "ecs.config:1: ECS_ENGINE_AUTH_TPYE is not a setting and has no effect",
        ),
        (
            data("dockercfg", &format!(r#"{{"ghcr.io": {good}}}"#)),
            "ecs.config:2: registry \"ghcr.io\": it has a user name or password but no \"auth\", which type dockercfg asks for",
        ),
        (
            "ECS_ENGINE_AUTH_DATA={}\n".to_owned(),
            "ecs.config:1: the auth data is not used because ECS_ENGINE_AUTH_TYPE is not set",
        ),
        (
            "ECS_ENGINE_AUTH_TYPE=docker\n".to_owned(),
            "ecs.config:1: ECS_ENGINE_AUTH_TYPE is set and ECS_ENGINE_AUTH_DATA is not: there are no credentials",
        ),
        (
            "ECS_ENGINE_AUTH_TYPE=dockerconfig\n".to_owned(),
            "ecs.config:1: ECS_ENGINE_AUTH_TYPE is unknown: the valid values are docker, dockercfg and nothing at all",
        ),
    ] {
        let files = Files::new();
        let findings = check(&files, &content).await;
        let texts: Vec<String> = findings.iter().map(|finding| files.relative(finding)).collect();
        assert!(
            texts.iter().any(|text| text == expected),
            "{expected}: {texts:#?}"
        );
        assert!(
            findings.iter().all(|finding| finding.next_step.is_some()),
            "{texts:#?}"
        );
    }
}

#[tokio::test]
async fn a_good_configuration_has_no_findings() {
    let files = Files::new();
    let content = "# comment\nECS_CLUSTER=prod\nECS_ENGINE_AUTH_TYPE=docker\n\
        ECS_ENGINE_AUTH_DATA={\"https://index.docker.io/v1/\": {\"username\": \"u\", \"password\": \"p\"}, \
        \"registry.example.com:5000/team\": {\"identitytoken\": \"t\"}}\n";
    assert_eq!(check(&files, content).await, []);
}

#[tokio::test]
async fn a_file_with_credentials_that_everybody_can_read_is_found() {
    use std::os::unix::fs::PermissionsExt as _;
    for (content, expected) in [
        ("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={}\n", 1),
        ("ECS_IMAGE_PULL_BEHAVIOR=once\n", 0),
    ] {
        let files = Files::new();
        let path = files.write("ecs.config", content);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let findings = Loader::new(Environment::default())
            .without_default_files()
            .env_file(path)
            .check()
            .await;
        assert_eq!(findings.len(), expected, "{findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.message.contains("every user"))
        );
    }
}

#[tokio::test]
async fn check_reports_errors_and_warnings_together() {
    let files = Files::new();
    let findings = check(
        &files,
        "ECS_IMAGE_PULL_TIMEOUT=60\nECS_IMAGE_PULL_BEHAVIOR=sometimes\n",
    )
    .await;
    let severities: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Error]);
}

#[tokio::test]
async fn show_has_every_value_with_its_origin_and_no_secret() {
    let files = Files::new();
    let path = files.write(
        "ecs.config",
        "ECS_ENGINE_AUTH_TYPE=docker\nDOCKER_HOST=tcp://u:hunter2@host:1\n\
         ECS_ENGINE_AUTH_DATA={\"ghcr.io/team\": {\"username\": \"alice\", \"password\": \"hunter2\"}, \
         \"a.example.com\": {\"auth\": \"hunter2!\"}, \"b.example.com\": {\"registrytoken\": \"hunter2\"}}\n",
    );
    let config = Loader::new(Environment::from_iter([("AWS_REGION", "eu-west-1")]))
        .without_default_files()
        .env_file(&path)
        .load()
        .await
        .unwrap();
    let shown = serde_json::to_value(config.show()).unwrap();
    let text = files.relative(&shown);
    assert!(!text.contains("hunter2"), "{text}");
    let found = |name: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
        files.relative(&format!("{} {}", setting["value"], setting["origin"]))
    };
    assert_eq!(found("ECS_ENGINE_AUTH_TYPE"), "\"docker\" \"ecs.config:1\"");
    assert_eq!(
        found("DOCKER_HOST"),
        "\"tcp://[redacted]@host:1\" \"ecs.config:2\""
    );
    assert_eq!(
        found("AWS_DEFAULT_REGION"),
        "\"eu-west-1\" \"environment AWS_REGION\""
    );
    assert_eq!(found("ECS_IMAGE_PULL_TIMEOUT"), "\"2h\" \"default\"");
    let registries = &shown["registries"];
    assert_eq!(
        (
            &registries[0]["registry"],
            &registries[0]["path"],
            &registries[0]["credential"]
        ),
        (&"ghcr.io".into(), &"team".into(), &"password".into())
    );
    assert_eq!(registries[1]["problem"], "field \"auth\" is not base64");
    assert_eq!(registries[2]["credential"], "registry-token");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[tokio::test]
async fn what_may_be_a_password_in_the_engines_address_is_not_shown() {
    for (url, expected) in [
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("tcp://host:2375", "tcp://host:2375"),
        ("tcp://alice:p@ss@host:2375/x", "tcp://[redacted]@host:2375/x"),
        ("tcp://alice:p/w@host:2375", "tcp://[redacted]@host:2375"),
        ("ssh://alice@host", "ssh://[redacted]@host"),
    ] {
        let config = Loader::new(Environment::from_iter([("DOCKER_HOST", url)]))
            .without_default_files()
            .load()
            .await
            .unwrap();
        let shown = config.show();
        let setting = shown
            .settings
            .iter()
            .find(|setting| setting.name == "DOCKER_HOST");
        assert_eq!(setting.unwrap().value, expected);
    }
}
