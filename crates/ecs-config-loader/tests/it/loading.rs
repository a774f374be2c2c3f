//! Sources, origins and errors of a whole configuration.

use std::path::PathBuf;
use std::time::Duration;

use ecs_config_loader::{
    CachedImages, Config, ConfigErrors, DockerConfigUse, Environment, Loader, PullBehavior, Setting,
};
use ecs_registry_auth::Origin;
use tempfile::TempDir;

/// A directory with the files of one scenario.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A text without the directory, so that it can be compared.
    pub(crate) fn relative(&self, text: &impl ToString) -> String {
        text.to_string()
            .replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn loader(variables: &[(&str, &str)]) -> Loader {
    Loader::new(Environment::from_iter(variables.iter().copied())).without_default_files()
}

async fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    loader(variables).load().await
}

#[tokio::test]
async fn the_environment_wins_over_the_env_file_and_that_over_the_json_file() {
    let files = Files::new();
    let json = files.write(
        "config.json",
        "{\"EngineAuthType\": \"docker\",\n \"AWSRegion\": \"eu-west-3\",\n \"engineauthdata\": {\n  \"ghcr.io\": {\"username\": \"json\", \"password\": \"p\"}},\n \"ImagePullTimeout\": 90000000000, \"ImagePullBehavior\": 2, \"ImagePullCachedImages\": \"trust\", \"DataDir\": \"/data\"}",
    );
    let env = files.write(
        "ecs.config",
        format!(
            "# ours\nAWS_DEFAULT_REGION=eu-west-2\nECS_IMAGE_PULL_TIMEOUT=2m\nECS_AGENT_CONFIG_FILE_PATH={}\n",
            json.display()
        ),
    );
    let config = loader(&[("ECS_IMAGE_PULL_TIMEOUT", "1m30s"), ("DOCKER_HOST", "")])
        .env_file(&env)
        .load()
        .await
        .unwrap();
    let pull = &config.pull;
    assert_eq!(pull.pull_timeout.value, Duration::from_secs(90));
    assert_eq!(
        pull.pull_timeout.origin.to_string(),
        "environment ECS_IMAGE_PULL_TIMEOUT"
    );
    assert_eq!(pull.behavior.value, PullBehavior::Once);
    assert_eq!(files.relative(&pull.behavior.origin), "config.json:5");
    assert_eq!(pull.cached_images.value, CachedImages::Trust);
    assert_eq!(files.relative(&pull.cached_images.origin), "config.json:5");
    let region = config.region.unwrap();
    assert_eq!(region.value, "eu-west-2");
    assert_eq!(files.relative(&region.origin), "ecs.config:2");
    assert!(config.docker_host.is_default());
    let data_dir = config.data_dir.unwrap();
    assert_eq!(data_dir.value, PathBuf::from("/data"));
    assert_eq!(config.warnings, []);

    let image = "ghcr.io/team/app".parse().unwrap();
    let resolved = config.engine_auth.lookup(&image).unwrap().unwrap();
    assert_eq!(resolved.credential.username.as_deref(), Some("json"));
    let origin = resolved.provenance.origin.as_ref().unwrap();
    assert_eq!(files.relative(origin), "config.json:4");
}

#[tokio::test]
async fn a_type_from_the_environment_goes_with_data_from_a_file() {
    let files = Files::new();
    let env = files.write(
        "ecs.config",
        "\r\nECS_ENGINE_AUTH_TYPE=docker\r\nECS_ENGINE_AUTH_DATA={\"ghcr.io\": {\"auth\": \"dTpw\"}}\r\n",
    );
    let config = loader(&[("ECS_ENGINE_AUTH_TYPE", " dockercfg ")])
        .env_file(&env)
        .load()
        .await
        .unwrap();
    let image = "ghcr.io/team/app".parse().unwrap();
    let resolved = config.engine_auth.lookup(&image).unwrap().unwrap();
    let origin = resolved.provenance.origin.as_ref().unwrap();
    assert_eq!(files.relative(origin), "ecs.config:3");
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let files = Files::new();
    let env = files.write(
        "ecs.config",
        "ECS_ENGINE_AUTH_TYPE=\"docker\"\nECS_ENGINE_AUTH_DATA={}\nECS_IMAGE_PULL_TIMEOUT=60\nECS_EXTERNAL=true\n",
    );
    let errors = loader(&[("ECS_MANIFEST_PULL_TIMEOUT", "1d")])
        .env_file(&env)
        .load()
        .await
        .unwrap_err();
    assert_eq!(
        files.relative(&errors),
        "ecs.config:3: ECS_IMAGE_PULL_TIMEOUT: a unit is missing\n\
         environment ECS_MANIFEST_PULL_TIMEOUT: ECS_MANIFEST_PULL_TIMEOUT: the unit is unknown: use h, m, s, ms, us or ns\n\
         ecs.config:4: an external instance has no region of its own, and none is set\n\
         ecs.config:1: ECS_ENGINE_AUTH_TYPE is unknown: the valid values are docker, dockercfg and nothing at all"
    );
    let next_step = errors.findings()[3].next_step.as_deref();
    assert_eq!(
        next_step,
        Some("write ECS_ENGINE_AUTH_TYPE=docker: quotes are not stripped")
    );
}

#[tokio::test]
async fn a_broken_entry_is_an_error_for_its_images_alone() {
    let data = r#"{"a.example.com": {"auth": "hunter2!"}, "b.example.com": {"auth": "dTpw"}}"#;
    let variables = [
        ("ECS_ENGINE_AUTH_TYPE", "dockercfg"),
        ("ECS_ENGINE_AUTH_DATA", data),
    ];
    let config = load(&variables).await.unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(
        config.warnings[0].to_string(),
        "environment ECS_ENGINE_AUTH_DATA: registry \"a.example.com\": field \"auth\" is not base64"
    );
    let broken = "a.example.com/app".parse().unwrap();
    let diagnosis = config.engine_auth.lookup(&broken).unwrap_err();
    assert!(diagnosis.message().contains("a.example.com"), "{diagnosis}");
    for image in ["b.example.com/app", "nginx"] {
        assert!(
            config.engine_auth.lookup(&image.parse().unwrap()).is_ok(),
            "{image}"
        );
    }

    let errors = loader(&variables).strict(true).load().await.unwrap_err();
    assert_eq!(errors.findings().len(), 1);
    assert!(!errors.to_string().contains("hunter2"));
}

#[tokio::test]
async fn limits_below_the_agents_minimum_are_raised() {
    for (name, written, seconds) in [
        ("ECS_IMAGE_PULL_INACTIVITY_TIMEOUT", "10s", 60),
        ("ECS_IMAGE_PULL_INACTIVITY_TIMEOUT", "-1m", 60),
        ("ECS_MANIFEST_PULL_TIMEOUT", "29s", 30),
    ] {
        let config = load(&[(name, written)]).await.unwrap();
        let found = match name {
            "ECS_MANIFEST_PULL_TIMEOUT" => config.pull.manifest_timeout,
            _ => config.pull.inactivity_timeout,
        };
        assert_eq!(found.value, Duration::from_secs(seconds), "{name}={written}");
        assert_eq!(config.warnings.len(), 1, "{name}={written}");
    }
    let config = load(&[("ECS_IMAGE_PULL_TIMEOUT", "0")]).await.unwrap();
    assert_eq!(config.pull.pull_timeout.value, Duration::from_secs(7_200));
    assert!(config.pull.pull_timeout.is_default());
}

#[tokio::test]
async fn an_unknown_behavior_is_the_default_with_a_warning() {
    let config = load(&[("ECS_IMAGE_PULL_BEHAVIOR", "sometimes")]).await.unwrap();
    assert_eq!(config.pull.behavior.value, PullBehavior::Default);
    assert_eq!(config.warnings.len(), 1);
}

#[tokio::test]
async fn who_may_have_cached_images_is_verify_or_trust_and_nothing_else() {
    const NAME: &str = "ECS_IMAGE_PULL_CACHED_IMAGES";
    for (written, expected) in [
        ("", Some(CachedImages::Verify)),
        ("verify", Some(CachedImages::Verify)),
        (" trust ", Some(CachedImages::Trust)),
        ("Trust", None),
        ("true", None),
    ] {
        match load(&[(NAME, written)]).await {
            Ok(config) => {
                let found = config.pull.cached_images;
                assert_eq!(Some(found.value), expected, "{written:?}");
                assert_eq!(found.is_default(), written.is_empty(), "{written:?}");
            }
            Err(errors) => {
                assert_eq!(expected, None, "{written:?}");
                let finding = &errors.findings()[0];
                assert_eq!(finding.place.to_string(), format!("environment {NAME}"));
                assert!(finding.message.contains("verify and trust"), "{finding}");
            }
        }
    }
    let files = Files::new();
    let json = files.write("config.json", "{\"ImagePullCachedImages\": 1}");
    let json = json.to_str().unwrap();
    let errors = load(&[("ECS_AGENT_CONFIG_FILE_PATH", json)]).await.unwrap_err();
    assert_eq!(errors.findings().len(), 1, "{errors}");
}

#[tokio::test]
async fn an_argument_goes_before_every_source_and_even_before_one_that_is_broken() {
    let variables = [
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("DOCKER_HOST", "tcp://other.example.com:2375"),
        ("ECS_ENGINE_AUTH_DOCKER_CONFIG", "neither"),
        ("ECS_EXTERNAL", "true"),
    ];
    let wanted = DockerConfigUse::Path("docker.json".into());
    let with_arguments = loader(&variables)
        .region(" eu-west-1\n", Origin::argument("--region"))
        .docker_host("tcp://u:hunter2@host:1", Origin::argument("--docker-host"))
        .docker_config(wanted.clone(), Origin::argument("--docker-config"));
    assert!(!format!("{with_arguments:?}").contains("hunter2"));
    let config = with_arguments.load().await.unwrap();
    assert_eq!(
        config.docker_config,
        Setting::new(wanted, Origin::argument("--docker-config"))
    );
    assert_eq!(
        config.docker_host,
        Setting::new(
            "tcp://u:hunter2@host:1".to_owned(),
            Origin::argument("--docker-host")
        )
    );
    assert_eq!(
        config.region,
        Some(Setting::new("eu-west-1".to_owned(), Origin::argument("--region")))
    );

    let config = loader(&variables[..2])
        .region("", Origin::argument("--region"))
        .docker_host(" ", Origin::argument("--docker-host"))
        .load()
        .await
        .unwrap();
    assert_eq!(config.region.unwrap().value, "us-east-1");
    assert_eq!(config.docker_host.origin, Origin::environment("DOCKER_HOST"));
}

#[tokio::test]
async fn an_external_instance_needs_a_region() {
    let errors = load(&[("ECS_EXTERNAL", "true")]).await.unwrap_err();
    let finding = &errors.findings()[0];
    assert_eq!(finding.place.to_string(), "environment ECS_EXTERNAL");
    assert!(
        finding
            .next_step
            .as_deref()
            .unwrap()
            .contains("AWS_DEFAULT_REGION=")
    );
    for name in ["AWS_DEFAULT_REGION", "AWS_REGION"] {
        let config = load(&[("ECS_EXTERNAL", "true"), (name, "eu-west-1")])
            .await
            .unwrap();
        assert!(config.external.value);
        assert_eq!(config.region.unwrap().value, "eu-west-1");
    }
}

#[tokio::test]
async fn a_named_file_must_exist_and_be_a_file() {
    let files = Files::new();
    let missing = files.path("missing.config");
    let errors = loader(&[]).env_file(&missing).load().await.unwrap_err();
    assert!(
        files
            .relative(&errors)
            .starts_with("missing.config: it cannot be read"),
        "{errors}"
    );
    let errors = loader(&[]).env_file(files.path("")).load().await.unwrap_err();
    assert!(errors.to_string().contains("not a regular file"), "{errors}");
    let missing = missing.to_str().unwrap();
    let errors = load(&[("ECS_AGENT_CONFIG_FILE_PATH", missing)])
        .await
        .unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("environment ECS_AGENT_CONFIG_FILE_PATH names it"),
        "{errors}"
    );
}

#[tokio::test]
async fn a_variable_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = std::ffi::OsString::from_vec(vec![b'{', 0xff, b'}']);
    let errors = Loader::new(Environment::from_iter([("ECS_ENGINE_AUTH_DATA", value)]))
        .without_default_files()
        .load()
        .await
        .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "environment ECS_ENGINE_AUTH_DATA: the value is not UTF-8"
    );
}

#[tokio::test]
async fn malformed_data_is_an_error_with_its_column_and_without_its_value() {
    for (data, expected) in [
        (
            r#"{"ghcr.io": {"username": "alice", "password": "hunter2"#,
            "not valid JSON, in \"ghcr.io\", field \"password\": EOF while parsing a string at line 1 column 54",
        ),
        (r#""hunter2""#, "the auth data is a string, not an object"),
        (r#"["hunter2"]"#, "the auth data is an array, not an object"),
        (r"'hunter2'", "not valid JSON: expected value at line 1 column 1"),
        (
            r"{} hunter2",
            "not valid JSON: trailing characters at line 1 column 4",
        ),
    ] {
        let errors = load(&[("ECS_ENGINE_AUTH_TYPE", "docker"), ("ECS_ENGINE_AUTH_DATA", data)])
            .await
            .unwrap_err();
        assert!(errors.to_string().contains(expected), "{data}: {errors}");
        assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
    }
}
