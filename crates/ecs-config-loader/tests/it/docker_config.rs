//! Docker's own configuration: which entry or helper answers, and with what.

use std::path::Path;

use ecs_config_loader::{DockerConfig, DockerConfigUse, Environment, WatchedDockerConfig};
use ecs_registry_auth::{CredentialSource, ErrorClass, ImageReference, Keychain, Origin, RegistryCredential};

use crate::helpers;

fn image(text: &str) -> ImageReference {
    text.parse().unwrap()
}

fn parse(text: &str) -> DockerConfig {
    DockerConfig::parse(text, &Origin::file("config.json"), &helpers::environment()).unwrap()
}

/// What identifies a credential in these tests: its user, or the token.
fn label(credential: &RegistryCredential) -> String {
    [&credential.identity_token, &credential.registry_token]
        .into_iter()
        .flatten()
        .map(|token| token.expose().clone())
        .next()
        .or(credential.username.clone())
        .unwrap_or_default()
}

async fn answer(config: &DockerConfig, reference: &str) -> Result<Option<(String, String)>, String> {
    let resolved = config.resolve(&image(reference)).await;
    resolved
        .map(|resolved| {
            resolved.map(|resolved| {
                assert_eq!(resolved.provenance.source, CredentialSource::DockerConfig);
                assert_eq!(resolved.provenance.registry, *image(reference).registry());
                let key = resolved.provenance.key.as_deref().unwrap_or_default().to_owned();
                (label(&resolved.credential), key)
            })
        })
        .map_err(|diagnosis| diagnosis.message().to_owned())
}

#[tokio::test]
async fn an_entry_of_auths_answers_for_its_registry() {
    let config = parse(
        r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "ghcr.io": {"auth": "Z2hjcjpwdw=="},
            "https://legacy.example.com/v1/": {"username": "legacy", "password": "pw"},
            "https://both.example.com": {"auth": "dXJsOnB3"},
            "both.example.com": {"auth": "YmFyZTpwdw=="},
            "podman.example.com/team": {"auth": "dGVhbTpwdw=="},
            "token.example.com": {"auth": "YWxpY2U6", "identitytoken": "identity"},
            "bearer.example.com": {"registrytoken": "bearer"},
            "marked.example.com": {},
            "mail.example.com": {"email": "alice@example.com"}
        }}"#,
    );
    for (reference, expected) in [
        ("nginx", Some(("hub", "https://index.docker.io/v1/"))),
        ("docker.io/team/app", Some(("hub", "https://index.docker.io/v1/"))),
        ("ghcr.io/team/app:v1", Some(("ghcr", "ghcr.io"))),
        (
            "legacy.example.com/app",
            Some(("legacy", "https://legacy.example.com/v1/")),
        ),
        ("both.example.com/app", Some(("bare", "both.example.com"))),
        (
            "podman.example.com/team/app",
            Some(("team", "podman.example.com/team")),
        ),
        ("podman.example.com/other/app", None),
        ("token.example.com/app", Some(("identity", "token.example.com"))),
        ("bearer.example.com/app", Some(("bearer", "bearer.example.com"))),
        ("marked.example.com/app", None),
        ("mail.example.com/app", None),
        ("unknown.example.com/app", None),
        ("ghcr.io:5000/app", None),
    ] {
        let expected = expected.map(|(label, key)| (label.to_owned(), key.to_owned()));
        assert_eq!(answer(&config, reference).await, Ok(expected), "{reference}");
    }
}

#[tokio::test]
async fn the_registrys_helper_goes_before_the_store_and_the_store_before_auths() {
    let config = parse(
        r#"{
            "auths": {"ghcr.io": {"auth": "Z2hjcjpwdw=="}, "file.example.com": {"auth": "ZmlsZTpwdw=="}},
            "credHelpers": {
                "quay.io": "token", "https://legacy.example.com": "token", "docker.io": "token",
                "file.example.com": "", "absent.example.com": "absent"
            },
            "credsStore": "works"
        }"#,
    );
    for (reference, expected) in [
        ("quay.io/team/app", Some(("identity-token", "quay.io"))),
        (
            "legacy.example.com/app",
            Some(("identity-token", "https://legacy.example.com")),
        ),
        ("nginx", Some(("identity-token", "docker.io"))),
        ("ghcr.io/team/app", Some(("user of ghcr.io", "ghcr.io"))),
        (
            "other.example.com:5000/app",
            Some(("user of other.example.com:5000", "other.example.com:5000")),
        ),
        ("file.example.com/app", Some(("file", "file.example.com"))),
        ("absent.example.com/app", None),
    ] {
        let expected = expected.map(|(label, key)| (label.to_owned(), key.to_owned()));
        assert_eq!(answer(&config, reference).await, Ok(expected), "{reference}");
    }
}

#[tokio::test]
async fn a_store_is_asked_for_docker_hub_by_dockers_name_for_it() {
    let config = parse(r#"{"credsStore": "works"}"#);
    let server = "https://index.docker.io/v1/";
    assert_eq!(
        answer(&config, "nginx").await,
        Ok(Some((format!("user of {server}"), server.to_owned())))
    );
}

#[tokio::test]
async fn a_broken_entry_is_an_error_for_its_registry_alone() {
    let config = parse(
        r#"{
            "auths": {"broken.example.com": {"auth": "!!!"}, "ghcr.io": {"auth": "Z2hjcjpwdw=="}},
            "credHelpers": {"evil.example.com": "../../bin/evil", "number.example.com": 5}
        }"#,
    );
    for (reference, expected) in [
        (
            "broken.example.com/app",
            "config.json: registry \"broken.example.com\", which broken.example.com/app needs: field \"auth\" is not base64",
        ),
        (
            "evil.example.com/app",
            "config.json: credHelpers key \"evil.example.com\", which evil.example.com/app needs: the helper's name \
             has characters other than letters, digits, dots and dashes",
        ),
        (
            "number.example.com/app",
            "config.json: credHelpers key \"number.example.com\", which number.example.com/app needs: the helper's \
             name is a number, not a string",
        ),
    ] {
        assert_eq!(answer(&config, reference).await, Err(expected.to_owned()));
    }
    assert!(answer(&config, "ghcr.io/app").await.unwrap().is_some());
    assert_eq!(config.findings().len(), 3, "{:?}", config.findings());
}

#[test]
fn a_malformed_document_is_an_error_that_names_the_place() {
    for (text, expected) in [
        (
            "{",
            "config.json: it is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("[]", "config.json: it is an array, not an object"),
        (
            r#"{"auths": []}"#,
            "config.json: field \"auths\" is an array, not an object",
        ),
        (
            r#"{"credHelpers": "pass"}"#,
            "config.json: field \"credHelpers\" is a string, not an object",
        ),
        (
            "{\"credsStore\": {},\n\"auths\": 1}",
            "config.json: field \"auths\" is a number, not an object\n\
             config.json: field \"credsStore\" is an object, not a string",
        ),
    ] {
        let errors =
            DockerConfig::parse(text, &Origin::file("config.json"), &Environment::default()).unwrap_err();
        assert_eq!(errors.to_string(), expected);
    }
}

#[tokio::test]
async fn documents_without_credentials_are_fine() {
    for text in [
        "",
        " \n",
        "{}",
        "\u{feff}{}",
        r#"{"auths": null, "credsStore": ""}"#,
        r#"{"HttpHeaders": {}}"#,
    ] {
        let config = parse(text);
        assert_eq!(answer(&config, "ghcr.io/app").await, Ok(None), "{text:?}");
        let candidates = config.candidates(&image("ghcr.io/app"));
        assert_eq!(candidates.len(), 1, "{candidates:?}");
        assert_eq!(candidates[0].reason, "it has no entry and no helper");
    }
}

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

#[test]
fn candidates_name_every_key_and_run_nothing() {
    let config = parse(
        r#"{
            "auths": {"ghcr.io": {}, "https://ghcr.io": {"auth": "Z2hjcjpwdw=="}, "quay.io": {"auth": "cXVheTpwdw=="}},
            "credHelpers": {"quay.io": "missing-helper", "bad.example.com": "a/b"},
            "credsStore": "hangs"
        }"#,
    );
    let shown = |reference: &str| -> Vec<(String, bool, String)> {
        config
            .candidates(&image(reference))
            .into_iter()
            .map(|candidate| {
                assert_eq!(candidate.origin, Some(Origin::file("config.json")));
                (
                    candidate.key.as_deref().unwrap().to_owned(),
                    candidate.chosen,
                    candidate.reason,
                )
            })
            .collect()
    };
    let row = |key: &str, chosen: bool, reason: &str| (key.to_owned(), chosen, reason.to_owned());
    let bad = row(
        "bad.example.com",
        false,
        "it is for bad.example.com, the image is at ghcr.io",
    );
    assert_eq!(
        shown("ghcr.io/team/app"),
        [
            row(
                "ghcr.io",
                true,
                "docker-credential-hangs would be asked for ghcr.io"
            ),
            row("quay.io", false, "it is for quay.io, the image is at ghcr.io"),
            bad,
            row(
                "https://ghcr.io",
                false,
                "credsStore is asked instead, as Docker does"
            ),
            row("quay.io", false, "it is for quay.io, the image is at ghcr.io"),
            row(
                "ghcr.io",
                false,
                "it has no credential itself: credsStore keeps it"
            ),
        ]
    );
    assert_eq!(
        shown("quay.io/team/app")[..3],
        [
            row(
                "quay.io",
                true,
                "docker-credential-missing-helper would be asked for quay.io"
            ),
            row(
                "bad.example.com",
                false,
                "it is for bad.example.com, the image is at quay.io"
            ),
            row("quay.io", false, "credHelpers key \"quay.io\" goes first"),
        ]
    );
    assert_eq!(
        shown("bad.example.com/app")[0],
        row(
            "bad.example.com",
            false,
            "the helper's name has characters other than letters, digits, dots and dashes; the pull fails rather than \
             go without a credential"
        )
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

#[test]
fn a_helper_for_hosts_that_do_not_exist_is_found() {
    let config =
        parse(r#"{"credHelpers": {"*.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login", "ghcr.io": "pass"}}"#);
    let findings: Vec<String> = config.findings().iter().map(ToString::to_string).collect();
    assert_eq!(
        findings,
        [
            "config.json: credHelpers key \"*.dkr.ecr.eu-west-1.amazonaws.com\": it can never match an image: \
          \"*.dkr.ecr.eu-west-1.amazonaws.com\" is not the host of a registry"
        ]
    );
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

    let login =
        |user: &str| format!(r#"{{"auths": {{"ghcr.io": {{"username": "{user}", "password": "pw"}}}}}}"#);
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
    let login =
        |user: &str| format!(r#"{{"auths": {{"ghcr.io": {{"username": "{user}", "password": "pw"}}}}}}"#);
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

proptest::proptest! {
    #[test]
    fn no_text_panics(text in r#"[{}\[\]":,a-z0-9 ./*-]{0,60}|.{0,60}"#) {
        if let Ok(config) = DockerConfig::parse(&text, &Origin::file("config.json"), &Environment::default()) {
            let _ = config.candidates(&image("ghcr.io/team/app"));
        }
    }

    #[test]
    fn no_value_of_a_field_panics(
        auths in r#"\{("[a-z./:*]{0,12}": (\{("auth": "[A-Za-z0-9=]{0,8}")?\}|5|null|"x")(, )?){0,1}\}|5|null"#,
        helper in r#"[a-z./]{0,5}"#,
        key in "[a-zA-Z0-9./:*@]{0,16}",
    ) {
        let text = format!(r#"{{"auths": {auths}, "credHelpers": {{"{key}": "{helper}"}}, "credsStore": "{helper}"}}"#);
        if let Ok(config) = DockerConfig::parse(&text, &Origin::file("config.json"), &Environment::default()) {
            for reference in ["nginx", "ghcr.io/team/app"] {
                let chosen = config.candidates(&image(reference)).into_iter().filter(|candidate| candidate.chosen).count();
                proptest::prop_assert!(chosen <= 1, "{} of {}", chosen, text);
            }
        }
    }
}
