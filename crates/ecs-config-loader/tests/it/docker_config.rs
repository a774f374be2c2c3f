//! Docker's own configuration: which entry or helper answers, and with what.

use ecs_config_loader::{DockerConfig, Environment};
use ecs_registry_auth::{CredentialSource, ImageReference, Keychain, Origin, RegistryCredential};

use crate::helpers;

pub(crate) fn image(text: &str) -> ImageReference {
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
            "named.example.com": {"username": "alice", "auth": "b3RoZXI6cHc="},
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
        ("named.example.com/app", Some(("other", "named.example.com"))),
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
