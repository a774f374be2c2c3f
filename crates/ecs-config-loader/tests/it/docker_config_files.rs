//! Where Docker's configuration is looked for, and how it follows its file.

use std::path::Path;

use ecs_config_loader::{DockerConfig, DockerConfigUse, Environment, WatchedDockerConfig};
use ecs_registry_auth::{ErrorClass, Keychain, Origin};

use crate::docker_config::image;
use crate::helpers;

#[tokio::test]
async fn origins_are_lines_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(
        &path,
        "{\n  \"auths\": {\n    \"ghcr.io\": {\n      \"auth\": \"Z2hjcjpwdw==\"\n    }\n  },\n  \"credHelpers\": {\n    \
         \"quay.io\": \"works\"\n  }\n}\n",
    )
    .unwrap();
    // A directory means its config.json.
    for named in [path.as_path(), directory.path()] {
        let config = DockerConfig::at(named, &helpers::environment()).await.unwrap();
        assert_eq!(config.path(), Some(path.as_path()));
        for (reference, line) in [("ghcr.io/app", 3), ("quay.io/app", 8)] {
            let resolved = config.resolve(&image(reference)).await.unwrap().unwrap();
            assert_eq!(
                resolved.provenance.origin,
                Some(Origin::file_line(&path, line)),
                "{reference}"
            );
        }
    }
}

#[tokio::test]
async fn the_variable_goes_before_the_file_where_docker_looks_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let docker = directory.path().join(".docker");
    std::fs::create_dir(&docker).unwrap();
    let document = |user: &str, host: &str| {
        format!(
            r#"{{"auths": {{"{host}": {{"username": "{user}", "password": "pw"}}, "{user}.example.com": {{"username": "{user}", "password": "pw"}}}}}}"#
        )
    };
    std::fs::write(docker.join("config.json"), document("file", "ghcr.io")).unwrap();
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let variable = ("DOCKER_AUTH_CONFIG", document("variable", "ghcr.io"));
    for location in [
        (home, directory.path().to_str().unwrap().to_owned()),
        ("DOCKER_CONFIG", docker.to_str().unwrap().to_owned()),
    ] {
        let environment = Environment::from_iter([variable.clone(), location]);
        let config = DockerConfig::load(&DockerConfigUse::Standard, &environment)
            .await
            .unwrap()
            .unwrap();
        for (reference, expected) in [
            ("ghcr.io/app", "variable"),
            ("variable.example.com/app", "variable"),
            ("file.example.com/app", "file"),
        ] {
            let resolved = config.resolve(&image(reference)).await.unwrap().unwrap();
            assert_eq!(
                resolved.credential.username.as_deref(),
                Some(expected),
                "{reference}"
            );
        }
        let candidates = config.candidates(&image("ghcr.io/app"));
        let shown: Vec<(bool, &str)> = candidates
            .iter()
            .map(|candidate| (candidate.chosen, candidate.reason.as_str()))
            .collect();
        assert_eq!(shown[0], (true, "it is for all of ghcr.io"));
        assert!(
            shown.contains(&(false, "environment DOCKER_AUTH_CONFIG goes first")),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn a_broken_variable_is_no_reason_to_look_into_the_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("config.json"),
        r#"{"auths": {"ghcr.io": {"auth": "Z2hjcjpwdw=="}}}"#,
    )
    .unwrap();
    let environment = |variable: &str| {
        Environment::from_iter([
            ("DOCKER_AUTH_CONFIG", variable),
            ("DOCKER_CONFIG", directory.path().to_str().unwrap()),
        ])
    };
    let errors = DockerConfig::standard(&environment("{")).await.unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("environment DOCKER_AUTH_CONFIG: it is not valid JSON"),
        "{errors}"
    );

    let config = DockerConfig::standard(&environment(r#"{"auths": {"ghcr.io": {"auth": "!!!"}}}"#))
        .await
        .unwrap();
    assert!(config.resolve(&image("ghcr.io/app")).await.is_err());
    assert!(
        config
            .candidates(&image("ghcr.io/app"))
            .iter()
            .all(|candidate| !candidate.chosen)
    );
}

#[tokio::test]
async fn the_standard_file_may_be_missing_and_a_named_one_may_not() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let environment = Environment::from_iter([("DOCKER_CONFIG", missing.to_str().unwrap())]);
    let config = DockerConfig::standard(&environment).await.unwrap();
    assert!(config.resolve(&image("ghcr.io/app")).await.unwrap().is_none());
    assert_eq!(config.path(), Some(missing.join("config.json").as_path()));

    let wanted = DockerConfigUse::Path(missing.clone());
    let errors = DockerConfig::load(&wanted, &environment).await.unwrap_err();
    assert!(
        errors.to_string().contains("missing: it cannot be read"),
        "{errors}"
    );
    assert!(
        DockerConfig::load(&DockerConfigUse::Off, &environment)
            .await
            .unwrap()
            .is_none()
    );

    let errors = DockerConfig::standard(&Environment::default()).await.unwrap_err();
    assert_eq!(
        errors.to_string(),
        "environment DOCKER_CONFIG: neither it nor the home directory is set, so Docker's configuration has no place"
    );
}

#[tokio::test]
async fn an_unreadable_file_is_an_error_of_the_configuration() {
    let errors = DockerConfig::at(Path::new("/dev/null"), &Environment::default())
        .await
        .unwrap_err();
    let diagnosis = ecs_registry_auth::Diagnosis::from(errors);
    assert_eq!(diagnosis.class(), ErrorClass::Configuration);
    assert!(
        diagnosis.message().starts_with("/dev/null: it cannot be read"),
        "{diagnosis}"
    );
}

fn login(user: &str) -> String {
    format!(r#"{{"auths": {{"ghcr.io": {{"username": "{user}", "password": "pw"}}}}}}"#)
}

async fn user(keychain: &WatchedDockerConfig) -> Option<String> {
    let resolved = keychain.resolve(&image("ghcr.io/app")).await.unwrap()?;
    resolved.credential.username.clone()
}

#[tokio::test]
async fn a_new_login_is_used_by_the_next_pull_and_a_broken_file_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let environment = Environment::from_iter([("DOCKER_CONFIG", directory.path())]);
    let keychain = WatchedDockerConfig::load(&DockerConfigUse::Standard, &environment)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user(&keychain).await, None, "there is no file yet");

    std::fs::write(&path, login("alice")).unwrap();
    assert_eq!(user(&keychain).await.as_deref(), Some("alice"));
    let before = keychain.current();

    std::fs::write(&path, r#"{"auths": "#).unwrap();
    assert_eq!(user(&keychain).await.as_deref(), Some("alice"));
    assert!(
        keychain
            .problem()
            .unwrap()
            .to_string()
            .contains("it is not valid JSON")
    );

    std::fs::write(&path, login("bob")).unwrap();
    assert_eq!(user(&keychain).await.as_deref(), Some("bob"));
    assert!(keychain.problem().is_none());
    assert!(keychain.candidates(&image("ghcr.io/app"))[0].chosen);
    let old = before.resolve(&image("ghcr.io/app")).await.unwrap().unwrap();
    assert_eq!(
        old.credential.username.as_deref(),
        Some("alice"),
        "what is running goes on with the old one"
    );

    std::fs::remove_file(&path).unwrap();
    assert_eq!(user(&keychain).await, None, "after docker logout");
}

#[tokio::test]
async fn many_pulls_see_a_new_login_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, login("alice")).unwrap();
    let keychain = WatchedDockerConfig::load(&DockerConfigUse::Path(path.clone()), &Environment::default())
        .await
        .unwrap()
        .unwrap();
    std::fs::write(&path, login("bob")).unwrap();
    let mut pulls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let keychain = keychain.clone();
        pulls.spawn(async move { user(&keychain).await });
    }
    let started = std::time::Instant::now();
    while let Some(found) = pulls.join_next().await {
        assert_eq!(found.unwrap().as_deref(), Some("bob"));
    }
    assert!(
        started.elapsed() < std::time::Duration::from_secs(2),
        "it is read once and not fifty times"
    );
}

#[tokio::test]
async fn a_login_while_the_file_is_read_for_the_first_time_is_not_missed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let wanted = DockerConfigUse::Path(path.clone());
    for delay in (0..40).map(|step| std::time::Duration::from_micros(step * 25)) {
        std::fs::write(&path, login("old")).unwrap();
        let replacement = directory.path().join("config.json.new");
        std::fs::write(&replacement, login("new")).unwrap();
        let path = path.clone();
        let replacing = std::thread::spawn(move || {
            std::thread::sleep(delay);
            std::fs::rename(replacement, path).unwrap();
        });
        let keychain = WatchedDockerConfig::load(&wanted, &Environment::default())
            .await
            .unwrap()
            .unwrap();
        replacing.join().unwrap();
        assert_eq!(user(&keychain).await.as_deref(), Some("new"), "{delay:?}");
    }
}
