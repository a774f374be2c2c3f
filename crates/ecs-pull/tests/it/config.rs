//! `ecs-pull config`

use std::os::unix::fs::PermissionsExt;

use crate::support::Sandbox;

// base64 of `alice:hunter2hunter2`
const DOCKER_CONFIG: &str =
    r#"{"auths": {"registry.example.com": {"auth": "YWxpY2U6aHVudGVyMmh1bnRlcjI="}}}"#;

#[test]
fn what_is_shown_has_origins_and_no_secret() {
    let sandbox = Sandbox::new().with_variable("ECS_IMAGE_PULL_BEHAVIOR", "once");
    sandbox.file(
        "ecs.config",
        "ECS_ENGINE_AUTH_TYPE=docker\n\
         ECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"username\":\"alice\",\"password\":\"hunter2hunter2\"}}\n",
    );
    let text = sandbox.run(["config", "show"]);
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(
        text.stdout
            .contains("ECS_IMAGE_PULL_BEHAVIOR=once  (environment ECS_IMAGE_PULL_BEHAVIOR)")
    );
    assert!(
        text.stdout.contains("ghcr.io") && text.stdout.contains("ecs.config:2"),
        "{}",
        text.stdout
    );
    let json = sandbox.run(["--output", "json", "config", "show"]);
    assert_eq!(json.json()["registries"][0]["username"], "alice");
    for run in [text, json] {
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
    }
}

#[test]
fn a_check_finds_everything_at_once() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "ecs.config",
        "ECS_ENGINE_AUTH_TYPE=\"docker\"\nECS_IMAGE_PULL_TIMEOUT=forever\nECS_ENGINE_AUHT_DATA={}\n",
    );
    let run = sandbox.run(["--output", "json", "config", "check"]);
    assert_eq!(run.code, 3);
    let report = run.json();
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().unwrap();
    for line in ["ecs.config:1", "ecs.config:2", "ecs.config:3"] {
        assert!(
            findings
                .iter()
                .any(|finding| finding["place"].as_str().unwrap().ends_with(line)),
            "{line}\n{report}"
        );
    }
}

#[test]
fn warnings_fail_a_check_only_when_it_is_strict() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "ecs.config",
        "export ECS_IMAGE_PULL_BEHAVIOR=sometimes\nECS_IMAGE_PULL_BEHAVIOR=sometimes\n",
    );
    assert_eq!(sandbox.run(["config", "check"]).code, 0);
    assert_eq!(sandbox.run(["--strict", "config", "check"]).code, 3);
}

#[test]
fn a_check_says_what_an_image_would_be_explained_with() {
    const MALFORMED: &str = "{";
    const BROKEN: &str = r#"{"auths": {"other.example.com": {"auth": "!!"}}}"#;
    let warned = "export ECS_ENGINE_AUTH_TYPE=docker\n";
    for (config_file, docker_config, lenient, strict) in [
        ("", None, 0, 0),
        (warned, None, 0, 3),
        ("", Some(DOCKER_CONFIG), 0, 0),
        ("", Some(BROKEN), 0, 3),
        ("", Some(MALFORMED), 3, 3),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("ecs.config", config_file);
        let option = docker_config.map(|content| {
            let path = sandbox.file("config.json", content);
            format!("--docker-config={}", path.display())
        });
        for command in [&["config", "check"][..], &["explain", "registry.example.com/app"]] {
            let run = |strict: &[&str]| {
                let arguments = strict
                    .iter()
                    .chain(command)
                    .map(|argument| (*argument).to_owned());
                sandbox.run(arguments.chain(option.clone()))
            };
            for (run, expected) in [(run(&[]), lenient), (run(&["--strict"]), strict)] {
                let all = format!("{}{}", run.stdout, run.stderr);
                assert_eq!(
                    run.code, expected,
                    "{config_file:?} {docker_config:?} {command:?}\n{all}"
                );
            }
        }
    }
}

#[test]
fn arguments_are_part_of_the_configuration() {
    let sandbox = Sandbox::new().with_variable("ECS_EXTERNAL", "true");
    assert_eq!(sandbox.run(["config", "check"]).code, 3);
    let run = sandbox.run([
        "--region=eu-west-1",
        "--docker-host=tcp://engine.example.com:2376",
        "--docker-config",
        "config",
        "show",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for expected in [
        "(--region)",
        "(--docker-host)",
        "ECS_ENGINE_AUTH_DOCKER_CONFIG=true  (--docker-config)",
    ] {
        assert!(run.stdout.contains(expected), "{expected}\n{}", run.stdout);
    }
}

#[test]
fn imported_logins_are_written_for_the_owner_alone_and_found_again() {
    for (wanted, password_is_plain) in [("dockercfg", false), ("docker", true)] {
        let sandbox = Sandbox::new();
        sandbox.file("ecs.config", "ECS_CLUSTER=example\n");
        let docker = sandbox.file("config.json", DOCKER_CONFIG);
        let run = sandbox.run([
            "config",
            "import",
            docker.to_str().unwrap(),
            "--type",
            wanted,
            "--write",
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
        let written = std::fs::read_to_string(sandbox.path("ecs.config")).unwrap();
        assert!(written.starts_with("ECS_CLUSTER=example\n"), "{written}");
        assert_eq!(written.contains("hunter2hunter2"), password_is_plain, "{written}");
        let mode = std::fs::metadata(sandbox.path("ecs.config"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let explained = sandbox.run(["--output", "json", "explain", "registry.example.com/app"]);
        assert_eq!(
            explained.json()["images"][0]["credential"]["username"],
            "alice",
            "{}",
            explained.stderr
        );
    }
}

#[test]
fn an_import_that_is_not_written_is_one_json_document_with_the_same_settings() {
    let sandbox = Sandbox::new();
    let docker = sandbox.file("config.json", DOCKER_CONFIG);
    let import = ["config", "import", docker.to_str().unwrap()];
    let text = sandbox.run(import);
    let json = sandbox.run(["--output", "json"].into_iter().chain(import));
    assert_eq!((text.code, json.code), (0, 0), "{}", json.stderr);
    let document = json.json();
    let settings = document["settings"].as_object().unwrap();
    assert_eq!(settings.len(), 2);
    for (name, value) in settings {
        let line = format!("{name}={}", value.as_str().unwrap());
        assert!(text.stdout.lines().any(|written| written == line), "{name}");
    }
    assert_eq!(document["registries"][0]["key"], "registry.example.com");
    assert_eq!(document["ok"], true);
}

#[test]
fn docker_logins_are_used_only_when_asked_for() {
    let sandbox = Sandbox::new();
    let docker = sandbox.file("config.json", DOCKER_CONFIG);
    let option = format!("--docker-config={}", docker.display());
    let source = |run: crate::support::Run| run.json()["images"][0]["credential"]["source"].clone();
    let without = sandbox.run(["--output", "json", "explain", "registry.example.com/app"]);
    assert_eq!(source(without), "anonymous");
    let with = sandbox.run(["--output", "json", &option, "explain", "registry.example.com/app"]);
    assert_eq!(source(with), "docker-config");
}
