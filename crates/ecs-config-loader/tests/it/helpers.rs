//! Real credential helpers, run as Docker runs them: what they may do to us, and what of it is seen.
//!
//! The scripts are in `tests/helpers`. They are not written by the tests: a file that was just open for writing
//! cannot always be run while other threads start processes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ecs_config_loader::{DockerConfig, Environment};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Keychain, Origin, ResolvedCredential};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers")
}

/// An environment in which the scripts and the system's tools are found.
pub(crate) fn environment() -> Environment {
    environment_with([])
}

pub(crate) fn environment_with<const N: usize>(more: [(&str, &str); N]) -> Environment {
    let path = format!("{}:/usr/bin:/bin", directory().display());
    [("PATH", path.as_str())].into_iter().chain(more).collect()
}

fn store(name: &str, environment: &Environment) -> DockerConfig {
    let text = format!(r#"{{"credsStore": "{name}"}}"#);
    DockerConfig::parse(&text, &Origin::file_line("config.json", 3), environment).unwrap()
}

async fn ask(config: &DockerConfig) -> Result<Option<ResolvedCredential>, Diagnosis> {
    config.resolve(&"registry.example.com/app".parse().unwrap()).await
}

#[tokio::test]
async fn an_answer_comes_with_its_origin() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let environment = environment_with([("HELPER_LOG", log.path().to_str().unwrap())]);
    let resolved = ask(&store("works", &environment)).await.unwrap().unwrap();
    assert_eq!(
        resolved.credential.username.as_deref(),
        Some("user of registry.example.com")
    );
    assert_eq!(resolved.credential.password.as_ref().unwrap().expose(), "p:\"w");
    assert_eq!(
        resolved.provenance.to_string(),
        "docker-config key \"registry.example.com\" user \"user of registry.example.com\" (config.json:3)"
    );
    assert_eq!(
        &*resolved.provenance.notes[0],
        "docker-credential-works answered for registry.example.com"
    );
    assert_eq!(
        std::fs::read_to_string(log.path()).unwrap(),
        "get registry.example.com\n"
    );
}

#[tokio::test]
async fn a_token_is_an_identity_token() {
    let resolved = ask(&store("token", &environment())).await.unwrap().unwrap();
    assert_eq!(
        resolved.credential.identity_token.as_ref().unwrap().expose(),
        "identity-token"
    );
    assert_eq!(
        (&resolved.credential.username, &resolved.provenance.username),
        (&None, &None)
    );
}

#[tokio::test]
async fn not_found_is_an_absent_credential() {
    assert!(ask(&store("absent", &environment())).await.unwrap().is_none());
}

#[tokio::test]
async fn a_helper_that_ignores_its_input_may_answer() {
    let resolved = ask(&store("deaf", &environment())).await.unwrap().unwrap();
    assert_eq!(resolved.credential.username.as_deref(), Some("alice"));
}

#[tokio::test]
async fn every_failure_is_an_error_without_a_word_of_the_output() {
    let by_hand = "run `echo registry.example.com | docker-credential-NAME get` to see what it says, which is not shown \
                   here because it may hold a credential";
    for (name, problem, next_step) in [
        ("leaks", "it ended with exit status: 3", by_hand),
        ("killed", "it ended with signal: 9 (SIGKILL)", by_hand),
        ("gibberish", "its output is not JSON", by_hand),
        ("floods", "it printed more than 64 KiB and was ended", by_hand),
        (
            "floods-stderr",
            "it printed more than 64 KiB and was ended",
            by_hand,
        ),
        (
            "uninitialised",
            "it ended with exit status: 1: its password store is not initialised",
            "run `pass init` as the user whose configuration this is",
        ),
        (
            "no-such-helper",
            "no such executable in the directories of PATH",
            "install docker-credential-NAME into a directory of PATH, or remove it from Docker's configuration",
        ),
        (
            "forbidden",
            "no such executable in the directories of PATH",
            "install docker-credential-NAME into a directory of PATH, or remove it from Docker's configuration",
        ),
        (
            "malformed",
            "it cannot be started: Exec format error (os error 8)",
            "make docker-credential-NAME executable by this user",
        ),
    ] {
        let started = Instant::now();
        let diagnosis = ask(&store(name, &environment())).await.unwrap_err();
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{name}: {:?}",
            started.elapsed()
        );
        assert_eq!(
            diagnosis.message(),
            format!(
                "config.json:3: docker-credential-{name} has no answer for \"registry.example.com\": {problem}"
            )
        );
        assert_eq!(
            diagnosis.next_step(),
            Some(next_step.replace("NAME", name).as_str())
        );
        assert_eq!(
            (diagnosis.name(), diagnosis.class(), diagnosis.is_retriable()),
            (ErrorName::ResourceInitialization, ErrorClass::Credential, false)
        );
        assert!(!format!("{diagnosis:?}").contains("hunter2"), "{diagnosis:?}");
    }
}

#[tokio::test]
async fn a_relative_directory_of_path_is_not_searched() {
    // Cargo runs tests in the directory of the crate, where this one exists.
    assert!(Path::new("tests/helpers/docker-credential-works").exists());
    for path in ["tests/helpers", ".", ""] {
        let environment = Environment::from_iter([("PATH", path)]);
        let diagnosis = ask(&store("works", &environment)).await.unwrap_err();
        assert!(
            diagnosis
                .message()
                .ends_with("no such executable in the directories of PATH"),
            "{path}: {diagnosis}"
        );
    }
}

#[tokio::test]
async fn a_helper_that_hangs_is_ended_with_its_children() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let environment = environment_with([("HELPER_LOG", log.path().to_str().unwrap())]);
    let config = store("hangs", &environment).with_helper_timeout(Duration::from_millis(500));
    let diagnosis = ask(&config).await.unwrap_err();
    assert!(
        diagnosis
            .message()
            .ends_with("it did not answer within 500ms and was ended"),
        "{diagnosis}"
    );
    assert!(diagnosis.is_retriable());
    ended(log.path()).await;
}

#[tokio::test]
async fn dropping_the_future_ends_the_helper() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let environment = environment_with([("HELPER_LOG", log.path().to_str().unwrap())]);
    let config = store("hangs", &environment);
    let asking = tokio::spawn(async move { ask(&config).await });
    while child(log.path()).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    ended(log.path()).await;
}

/// The process that the script noted.
fn child(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).unwrap();
    text.strip_suffix('\n').map(str::to_owned)
}

/// Waits until the noted process is gone or only its exit status is left.
async fn ended(log: &Path) {
    let status = Path::new("/proc").join(child(log).unwrap()).join("stat");
    for _ in 0..400 {
        match std::fs::read_to_string(&status) {
            Err(_) => return,
            Ok(text) if text.contains(") Z ") => return,
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    panic!("{} still runs", status.display());
}

#[tokio::test]
async fn helpers_do_not_get_variables_with_registry_credentials() {
    let environment = environment_with([
        ("HOME", "/home/alice"),
        ("DOCKER_AUTH_CONFIG", "{}"),
        ("ECS_ENGINE_AUTH_DATA", "{}"),
        ("ECS_ENGINE_AUTH_DATA_KMS", "AAAA"),
    ]);
    let resolved = ask(&store("shows-environment", &environment))
        .await
        .unwrap()
        .unwrap();
    // The shell adds PWD, and some add others.
    let names = resolved.credential.username.clone().unwrap();
    assert!(names.contains("HOME ") && names.contains("PATH "), "{names}");
    assert!(!names.contains("AUTH"), "{names}");
}

#[tokio::test]
async fn many_questions_at_once_are_all_answered() {
    let config = store("works", &environment());
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..20 {
        let config = config.clone();
        asking.spawn(async move {
            let image = format!("r{number}.example.com/app").parse().unwrap();
            let resolved = config.resolve(&image).await.unwrap().unwrap();
            assert_eq!(
                resolved.credential.username.clone().unwrap(),
                format!("user of r{number}.example.com")
            );
        });
    }
    while let Some(result) = asking.join_next().await {
        result.unwrap();
    }
}
