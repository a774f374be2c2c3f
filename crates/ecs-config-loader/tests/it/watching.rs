//! Files that change while a program runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ecs_config_loader::{ConfigWatch, DecryptFuture, Decryptor, EncryptedAuthData, Environment, Loader};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Keychain as _, Secret, Stage};

use crate::loading::Files;

const INTERVAL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

fn content(username: &str) -> String {
    format!(
        "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{\"ghcr.io\": {{\"username\": \"{username}\", \"password\": \"p\"}}}}\n"
    )
}

fn loader(path: &Path) -> Loader {
    Loader::new(Environment::default())
        .without_default_files()
        .env_file(path)
}

async fn watch(path: &Path) -> ConfigWatch {
    ConfigWatch::start(loader(path), INTERVAL).await.unwrap()
}

/// Who the watched keychain says pulls.
async fn username(watch: &ConfigWatch) -> Option<String> {
    let image = "ghcr.io/team/app".parse().unwrap();
    let resolved = watch.keychain().resolve(&image).await.unwrap();
    resolved.and_then(|resolved| resolved.credential.username.clone())
}

async fn changed(watch: &mut ConfigWatch) {
    tokio::time::timeout(PATIENCE, watch.changed()).await.unwrap();
}

#[tokio::test]
async fn a_replaced_file_is_used_for_what_starts_afterwards() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let mut watch = watch(&path).await;
    let before = watch.keychain().current();
    assert_eq!(username(&watch).await.as_deref(), Some("alice"));

    std::fs::rename(files.write("new", content("bob")), &path).unwrap();
    changed(&mut watch).await;
    assert_eq!(username(&watch).await.as_deref(), Some("bob"));
    // What took its keychain before goes on with it.
    let image = "ghcr.io/team/app".parse().unwrap();
    let old = before.lookup(&image).unwrap().unwrap();
    assert_eq!(old.credential.username.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_write_in_place_of_the_same_length_and_time_is_seen() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut watch = watch(&path).await;
    files.write("ecs.config", content("carol"));
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    changed(&mut watch).await;
    assert_eq!(username(&watch).await.as_deref(), Some("carol"));
}

#[tokio::test]
async fn a_swapped_symbolic_link_is_seen() {
    // As Kubernetes publishes a ConfigMap: the file is a link through `..data`, and `..data` is swapped by a rename.
    let files = Files::new();
    for (version, username) in [("v1", "alice"), ("v2", "bob")] {
        std::fs::create_dir(files.path(version)).unwrap();
        files.write(&format!("{version}/ecs.config"), content(username));
    }
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, files.path(name)).unwrap();
    link("v1", "..data");
    link("..data/ecs.config", "ecs.config");
    let mut watch = watch(&files.path("ecs.config")).await;
    assert_eq!(username(&watch).await.as_deref(), Some("alice"));
    link("v2", "..data_tmp");
    std::fs::rename(files.path("..data_tmp"), files.path("..data")).unwrap();
    changed(&mut watch).await;
    assert_eq!(username(&watch).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_broken_file_keeps_the_old_configuration_and_says_so() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let mut watch = watch(&path).await;
    assert_eq!(watch.problem(), None);

    files.write("ecs.config", "ECS_ENGINE_AUTH_TYPE=\"docker\"\n");
    changed(&mut watch).await;
    let problem = watch.problem().unwrap();
    assert!(
        problem.to_string().contains("ecs.config:1: ECS_ENGINE_AUTH_TYPE"),
        "{problem}"
    );
    assert_eq!(username(&watch).await.as_deref(), Some("alice"));

    std::fs::remove_file(&path).unwrap();
    changed(&mut watch).await;
    assert!(watch.problem().unwrap().to_string().contains("cannot be read"));
    assert_eq!(username(&watch).await.as_deref(), Some("alice"));

    files.write("ecs.config", content("bob"));
    changed(&mut watch).await;
    assert_eq!(watch.problem(), None);
    assert_eq!(username(&watch).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn another_watched_file_is_a_change_too() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let other = files.path("config.json");
    let mut watch = ConfigWatch::start(loader(&path).also_watch(&other), INTERVAL)
        .await
        .unwrap();
    let before = watch.current();
    files.write("config.json", "{}");
    changed(&mut watch).await;
    assert!(!Arc::ptr_eq(&before, &watch.current()));
}

#[tokio::test]
async fn nothing_changes_while_the_files_stay() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let mut watch = watch(&path).await;
    let waited = tokio::time::timeout(INTERVAL * 20, watch.changed()).await;
    assert!(waited.is_err());
}

/// Refuses the second call, as a service that does not answer for a moment.
#[derive(Debug, Default)]
struct Unsteady(AtomicUsize);

impl Decryptor for Unsteady {
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a> {
        let answer = match self.0.fetch_add(1, Ordering::SeqCst) {
            1 => Err(Diagnosis::new(
                ErrorName::ResourceInitialization,
                ErrorClass::Credential,
                Stage::Credential,
                "the service does not answer",
            )
            .with_retriable(true)),
            _ => Ok(Secret::new(data.ciphertext.to_vec())),
        };
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test]
async fn a_decryption_that_may_succeed_later_is_tried_again() {
    // The base64 of {"ghcr.io": {"username": "alice", …}} and of the same with "bob".
    let encrypted = |data: &str| format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA_KMS={data}\n");
    let files = Files::new();
    let path = files.write(
        "ecs.config",
        encrypted("eyJnaGNyLmlvIjogeyJ1c2VybmFtZSI6ICJhbGljZSIsICJwYXNzd29yZCI6ICJwIn19"),
    );
    let loader = loader(&path).decryptor(Arc::new(Unsteady::default()));
    let mut watch = ConfigWatch::start(loader, INTERVAL).await.unwrap();
    files.write(
        "ecs.config",
        encrypted("eyJnaGNyLmlvIjogeyJ1c2VybmFtZSI6ICJib2IiLCAicGFzc3dvcmQiOiAicCJ9fQ=="),
    );
    changed(&mut watch).await;
    while watch.problem().is_some() {
        assert_eq!(username(&watch).await.as_deref(), Some("alice"));
        changed(&mut watch).await;
    }
    assert_eq!(username(&watch).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn dropping_the_watch_stops_it() {
    let files = Files::new();
    let path = files.write("ecs.config", content("alice"));
    let decryptor = Arc::new(Unsteady::default());
    let watch = ConfigWatch::start(loader(&path).decryptor(Arc::clone(&decryptor) as _), INTERVAL)
        .await
        .unwrap();
    assert!(Arc::strong_count(&decryptor) > 1);
    drop(watch);
    tokio::time::timeout(PATIENCE, async {
        while Arc::strong_count(&decryptor) > 1 {
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await
    .unwrap();
}
