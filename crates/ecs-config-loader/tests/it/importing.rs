//! From Docker's `config.json` to an `ecs.config` that gives the same credentials.

use std::path::Path;
use std::sync::Arc;

use ecs_config_loader::{
    AuthType, Config, DecryptFuture, Decryptor, DockerConfig, EncryptFuture, Encrypted, EncryptedAuthData,
    Encryptor, Environment, ImportedAuth, Loader, StoredCredential, StoredCredentials, write_env_file,
};
use ecs_registry_auth::{ErrorClass, ImageReference, Keychain, Origin, RegistryCredential, Secret};

/// What `docker login` writes: one registry by host and port, and Docker Hub.
pub(crate) const LOGGED_IN: &str = r#"{
	"auths": {
		"127.0.0.1:5000": {
			"auth": "YWxpY2U6Y29ycmVjdCBob3JzZQ=="
		},
		"https://index.docker.io/v1/": {
			"auth": "Ym9iOnA6dyI="
		}
	}
}"#;

async fn stored(text: &str, environment: &Environment) -> StoredCredentials {
    DockerConfig::parse(text, &Origin::file("config.json"), environment)
        .unwrap()
        .stored()
        .await
}

pub(crate) async fn import(text: &str, wanted: Option<AuthType>) -> ImportedAuth {
    ImportedAuth::new(&stored(text, &Environment::default()).await, wanted).unwrap()
}

fn notes(imported: &ImportedAuth) -> Vec<String> {
    imported.notes().iter().map(ToString::to_string).collect()
}

async fn load(path: &Path) -> Config {
    Loader::new(Environment::default())
        .without_default_files()
        .env_file(path)
        .load()
        .await
        .unwrap()
}

fn login(config: &Config, image: &str) -> Option<(String, String)> {
    let resolved = config.engine_auth.lookup(&image.parse().unwrap()).unwrap()?;
    Some((
        resolved.credential.username.clone().unwrap(),
        resolved.credential.password.as_ref().unwrap().expose().clone(),
    ))
}

#[tokio::test]
async fn a_login_comes_back_from_the_written_file_in_either_type() {
    let directory = tempfile::tempdir().unwrap();
    for (wanted, data) in [
        (
            AuthType::Dockercfg,
            r#"{"127.0.0.1:5000":{"auth":"YWxpY2U6Y29ycmVjdCBob3JzZQ=="},"https://index.docker.io/v1/":{"auth":"Ym9iOnA6dyI="}}"#,
        ),
        (
            AuthType::Docker,
            r#"{"127.0.0.1:5000":{"username":"alice","password":"correct horse"},"https://index.docker.io/v1/":{"username":"bob","password":"p:w\""}}"#,
        ),
    ] {
        let imported = import(LOGGED_IN, Some(wanted)).await;
        assert_eq!(
            imported.lines().expose(),
            &format!("ECS_ENGINE_AUTH_TYPE={wanted}\nECS_ENGINE_AUTH_DATA={data}\n")
        );
        assert_eq!(notes(&imported), Vec::<String>::new());
        assert!(!format!("{imported:?}").contains("horse"));

        let path = directory.path().join(wanted.as_str());
        write_env_file(&path, &imported).unwrap();
        let config = load(&path).await;
        assert_eq!(config.warnings, []);
        assert_eq!(
            login(&config, "127.0.0.1:5000/app"),
            Some(("alice".to_owned(), "correct horse".to_owned()))
        );
        assert_eq!(
            login(&config, "nginx"),
            Some(("bob".to_owned(), "p:w\"".to_owned()))
        );
        assert_eq!(login(&config, "ghcr.io/app"), None);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_helpers_hold_is_imported() {
    // `docker login` with a store leaves an empty entry.
    let text = r#"{
        "auths": {"127.0.0.1:5000": {}, "leftover.example.com": {"auth": "YTpi"}, "inline.example.com": {"auth": "aW5saW5lOnB3"}},
        "credHelpers": {
            "quay.io": "works", "docker.io": "works", "absent.example.com": "absent", "inline.example.com": "",
            "broken.example.com": "leaks"
        },
        "credsStore": "works"
    }"#;
    let stored = stored(text, &crate::helpers::environment()).await;
    let imported = ImportedAuth::new(&stored, Some(AuthType::Docker)).unwrap();
    let keys: Vec<&str> = imported
        .registries()
        .iter()
        .map(|registry| registry.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "127.0.0.1:5000",
            "https://index.docker.io/v1/",
            "inline.example.com",
            "quay.io",
            "registry.example.com"
        ]
    );
    let hub = &imported.registries()[1];
    assert_eq!(
        &*hub.from, "docker.io",
        "the registry's own helper goes before the store"
    );
    assert_eq!(
        notes(&imported),
        [
            "config.json: registry \"absent.example.com\": docker-credential-absent has no credential for it",
            "config.json: docker-credential-leaks has no answer for \"broken.example.com\": it ended with exit status: 3",
            "config.json: registry \"leftover.example.com\": its credential is not used, because credsStore is asked \
             instead",
        ]
    );

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ecs.config");
    write_env_file(&path, &imported).unwrap();
    let config = load(&path).await;
    let login = |image| login(&config, image).unwrap().0;
    assert_eq!(login("127.0.0.1:5000/app"), "user of 127.0.0.1:5000");
    assert_eq!(login("nginx"), "user of https://index.docker.io/v1/");
    assert_eq!(login("inline.example.com/app"), "inline");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_imported_for_a_registry_is_what_a_pull_from_it_would_use() {
    let auth = r#""auth": "YXV0aHM6cHc=""#;
    for (text, expected) in [
        (
            r#"{"credHelpers": {"https://ghcr.io": "missing", "ghcr.io": "works"}}"#.to_owned(),
            Some("user of ghcr.io"),
        ),
        (
            r#"{"credHelpers": {"https://ghcr.io": "works", "ghcr.io": "missing"}}"#.to_owned(),
            None,
        ),
        (
            format!(r#"{{"auths": {{"ghcr.io": {{{auth}}}}}, "credHelpers": {{"ghcr.io": "not/a/name"}}}}"#),
            None,
        ),
        (
            format!(r#"{{"auths": {{"ghcr.io": {{{auth}}}}}, "credHelpers": {{"ghcr.io": 5}}}}"#),
            None,
        ),
        (
            format!(r#"{{"auths": {{"ghcr.io": {{{auth}}}}}, "credHelpers": {{"ghcr.io": "absent"}}}}"#),
            None,
        ),
        (
            format!(r#"{{"auths": {{"ghcr.io/team": {{{auth}}}}}, "credHelpers": {{"ghcr.io": "works"}}}}"#),
            Some("user of ghcr.io"),
        ),
        (
            format!(
                r#"{{"auths": {{"ghcr.io": {{{auth}}}}}, "credHelpers": {{"https://ghcr.io": "works", "ghcr.io": ""}}}}"#
            ),
            Some("auths"),
        ),
        (
            format!(
                r#"{{"auths": {{"ghcr.io/team": {{{auth}}}}}, "credHelpers": {{"ghcr.io": ""}}, "credsStore": "works"}}"#
            ),
            Some("auths"),
        ),
    ] {
        let environment = crate::helpers::environment();
        let place = Origin::file("config.json");
        let config = DockerConfig::parse(&text, &place, &environment).unwrap();
        let image: ImageReference = "ghcr.io/team/app".parse().unwrap();
        let pulled = config.resolve(&image).await.ok().flatten();
        let pulled = pulled.and_then(|resolved| resolved.credential.username.clone());
        assert_eq!(pulled.as_deref(), expected, "{text}");
        let stored = config.stored().await;
        let of_registry: Vec<Option<&str>> = stored
            .credentials
            .iter()
            .filter(|stored| stored.key.contains("ghcr.io"))
            .map(|stored| stored.credential.username.as_deref())
            .collect();
        assert_eq!(
            of_registry,
            expected.map(Some).into_iter().collect::<Vec<_>>(),
            "{text}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_store_that_cannot_list_is_asked_for_what_docker_noted() {
    let text = r#"{"auths": {"a.example.com": {}}, "credsStore": "no-list"}"#;
    let stored = stored(text, &crate::helpers::environment()).await;
    let imported = ImportedAuth::new(&stored, None).unwrap();
    assert_eq!(imported.registries().len(), 1);
    assert_eq!(imported.registries()[0].key, "a.example.com");
    assert_eq!(
        notes(&imported),
        ["config.json: docker-credential-no-list has no list: it ended with exit status: 1"]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_helper_that_hangs_or_is_missing_is_tried_once() {
    let text = r#"{
        "auths": {"a.example.com": {}, "b.example.com": {}},
        "credHelpers": {"c.example.com": "missing", "d.example.com": "missing"},
        "credsStore": "hangs"
    }"#;
    let log = tempfile::NamedTempFile::new().unwrap();
    let environment = crate::helpers::environment_with([("HELPER_LOG", log.path().to_str().unwrap())]);
    let config = DockerConfig::parse(text, &Origin::file("config.json"), &environment)
        .unwrap()
        .with_helper_timeout(std::time::Duration::from_millis(300));
    let stored = config.stored().await;
    assert_eq!(stored.credentials.len(), 0);
    let findings: Vec<String> = stored.findings.iter().map(ToString::to_string).collect();
    let not_asked = |registry: &str, helper: &str| {
        format!(
            "config.json: registry {registry:?}: docker-credential-{helper} is not asked, because it could not answer \
             before"
        )
    };
    assert_eq!(
        findings,
        [
            "config.json: docker-credential-missing has no answer for \"c.example.com\": no such executable in the \
             directories of PATH"
                .to_owned(),
            not_asked("d.example.com", "missing"),
            "config.json: docker-credential-hangs has no list: it did not answer within 300ms and was ended".to_owned(),
            not_asked("a.example.com", "hangs"),
            not_asked("b.example.com", "hangs"),
        ]
    );
}

#[tokio::test]
async fn keys_become_what_the_agent_matches() {
    let entry = |key: &str| format!(r#""{key}": {{"auth": "YTpi"}}"#);
    for (written, key) in [
        ("https://index.docker.io/v1/", "https://index.docker.io/v1/"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("registry-1.docker.io", "https://index.docker.io/v1/"),
        ("https://ghcr.io", "ghcr.io"),
        (
            "https://registry.example.com:5000/v2/",
            "registry.example.com:5000",
        ),
        ("http://registry.example.com/some/path", "registry.example.com"),
        ("registry.example.com/team", "registry.example.com/team"),
        ("registry.example.com/v2/", "registry.example.com"),
        ("docker.io/myorg", "docker.io/myorg"),
    ] {
        let imported = import(&format!(r#"{{"auths": {{{}}}}}"#, entry(written)), None).await;
        assert_eq!(imported.registries()[0].key, key, "{written}");
        assert_eq!(&*imported.registries()[0].from, written);
    }
}

#[tokio::test]
async fn what_cannot_be_imported_is_left_out_with_a_reason() {
    let text = r#"{"auths": {
        "ghcr.io": {"auth": "YTpi"},
        "https://ghcr.io/v1/": {"auth": "YTpj"},
        "broken.example.com": {"auth": "!!!"},
        "nodots": {"auth": "YTpi"},
        "docker.io/myorg": {"auth": "YTpi"},
        "https://index.docker.io/v1/access-token": {"auth": "YTpi"},
        "empty.example.com": {}
    }}"#;
    let imported = import(text, None).await;
    assert_eq!(
        notes(&imported),
        [
            "config.json: registry \"broken.example.com\": field \"auth\" is not base64",
            "config.json: registry \"docker.io/myorg\" is a part of Docker Hub, which ecs-pull matches and the ECS agent \
             does not",
            "config.json: registry \"nodots\" is left out: it can never match an image: \"nodots\" has neither a dot nor \
             a port, so images that start with it are on Docker Hub",
        ]
    );
    assert_eq!(imported.registries().len(), 2);
    assert!(
        imported.lines().expose().contains("YTpi"),
        "the host itself goes before its URL"
    );
}

#[tokio::test]
async fn tokens_need_the_docker_type() {
    let text = r#"{"auths": {
        "ghcr.io": {"auth": "YTpi"},
        "token.example.com": {"auth": "YWxpY2U6", "identitytoken": "identity"},
        "bearer.example.com": {"registrytoken": "bearer"}
    }}"#;
    let imported = import(text, None).await;
    assert_eq!(imported.auth_type(), AuthType::Docker);
    assert_eq!(
        notes(&imported),
        [
            "config.json: registry \"bearer.example.com\" has a registry token, which type dockercfg cannot carry: the \
          type is docker"
        ]
    );
    assert!(
        imported
            .lines()
            .expose()
            .contains(r#""identitytoken":"identity""#)
    );
    assert!(imported.lines().expose().contains(r#""registrytoken":"bearer""#));

    let imported = import(text, Some(AuthType::Dockercfg)).await;
    assert_eq!(imported.registries().len(), 1);
    assert_eq!(
        notes(&imported),
        [
            "config.json: registry \"bearer.example.com\" is left out: it has a registry token, which type dockercfg \
             cannot carry",
            "config.json: registry \"token.example.com\" is left out: it has an identity token, which type dockercfg \
             cannot carry",
        ]
    );
}

#[test]
fn a_user_name_with_a_colon_needs_the_docker_type() {
    let mut stored = StoredCredentials::default();
    stored.credentials.push(StoredCredential::new(
        "ghcr.io",
        RegistryCredential::basic("a:b", "c"),
        Origin::other("a test"),
    ));
    assert_eq!(
        ImportedAuth::new(&stored, None).unwrap().auth_type(),
        AuthType::Docker
    );
}

#[tokio::test]
async fn nothing_to_import_is_an_error() {
    let errors = ImportedAuth::new(
        &stored(
            r#"{"auths": {"ghcr.io": {"auth": "!!!"}}}"#,
            &Environment::default(),
        )
        .await,
        None,
    )
    .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "config.json: registry \"ghcr.io\": field \"auth\" is not base64\n\
         Docker's configuration: there is no credential that can be imported"
    );
}

#[cfg(unix)]
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555";

/// Turns every byte round.
#[derive(Debug)]
struct Cipher;

impl Encryptor for Cipher {
    fn encrypt<'a>(&'a self, key: &'a str, plaintext: &'a Secret<String>) -> EncryptFuture<'a> {
        assert_eq!(key, "alias/engine-auth");
        let ciphertext: Vec<u8> = plaintext.expose().bytes().map(|byte| !byte).collect();
        Box::pin(std::future::ready(Ok(Encrypted::new(ciphertext, KEY))))
    }
}

impl Decryptor for Cipher {
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a> {
        assert_eq!((data.key, data.region), (Some(KEY), Some("eu-west-1")));
        let plain: Vec<u8> = data.ciphertext.iter().map(|byte| !byte).collect();
        Box::pin(std::future::ready(Ok(Secret::new(plain))))
    }
}

#[tokio::test]
async fn encrypted_data_comes_back_from_the_written_file() {
    let imported = import(LOGGED_IN, None)
        .await
        .encrypted(&Cipher, "alias/engine-auth")
        .await
        .unwrap();
    let lines = imported.lines();
    let names: Vec<&str> = lines
        .expose()
        .lines()
        .map(|line| line.split_once('=').unwrap().0)
        .collect();
    assert_eq!(
        names,
        [
            "ECS_ENGINE_AUTH_TYPE",
            "ECS_ENGINE_AUTH_DATA_KMS",
            "ECS_ENGINE_AUTH_KMS_KEY"
        ]
    );
    assert!(!lines.expose().contains("YWxpY2U6"));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ecs.config");
    std::fs::write(&path, "ECS_ENGINE_AUTH_DATA={}\nECS_CLUSTER=a\n").unwrap();
    write_env_file(&path, &imported).unwrap();
    let config = Loader::new(Environment::default())
        .without_default_files()
        .env_file(&path)
        .decryptor(Arc::new(Cipher))
        .load()
        .await
        .unwrap();
    assert_eq!(
        login(&config, "nginx"),
        Some(("bob".to_owned(), "p:w\"".to_owned()))
    );
}

#[tokio::test]
async fn more_than_kms_takes_is_refused_before_the_call() {
    let mut stored = StoredCredentials::default();
    stored.credentials.push(StoredCredential::new(
        "ghcr.io",
        RegistryCredential::basic("alice", "p".repeat(5_000)),
        Origin::other("a test"),
    ));
    let imported = ImportedAuth::new(&stored, Some(AuthType::Docker)).unwrap();
    let diagnosis = imported
        .encrypted(&Cipher, "alias/engine-auth")
        .await
        .unwrap_err();
    assert_eq!(diagnosis.class(), ErrorClass::Configuration);
    assert!(
        diagnosis
            .message()
            .ends_with("bytes, and KMS encrypts 4096 at most"),
        "{diagnosis}"
    );
}
