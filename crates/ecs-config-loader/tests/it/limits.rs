//! Large inputs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ecs_config_loader::{AuthType, EngineAuth, Environment, Loader, Strictness};
use ecs_registry_auth::Origin;

use crate::loading::Files;

#[test]
fn a_value_of_a_megabyte_is_read() {
    let password = "p\\u00e4\\\"".repeat(1 << 17);
    let data = format!("{{\"ghcr.io\": {{\"username\": \"u\", \"password\": \"{password}\"}}}}");
    assert!(data.len() > 1 << 20);
    let place = Origin::other("a test");
    let (auth, findings) = EngineAuth::parse(AuthType::Docker, &data, &place, Strictness::Lenient).unwrap();
    assert_eq!(findings, []);
    let image = "ghcr.io/app".parse().unwrap();
    let resolved = auth.lookup(&image).unwrap().unwrap();
    let expected = "p\u{e4}\"".repeat(1 << 17);
    assert_eq!(*resolved.credential.password.as_ref().unwrap().expose(), expected);
}

#[tokio::test]
async fn ten_thousand_registries_on_ten_thousand_lines_are_read_in_linear_time() {
    let mut json = "{\"EngineAuthType\": \"docker\", \"EngineAuthData\": {\n".to_owned();
    for number in 0..10_000 {
        writeln!(
            json,
            "\"r{number}.example.com/team\": {{\"username\": \"u{number}\", \"password\": \"p\"}},"
        )
        .unwrap();
    }
    json.push_str("\"last.example.com\": {\"username\": \"u\", \"password\": \"p\"}}}");
    let started = Instant::now();
    let config = Loader::new(Environment::default())
        .without_default_files()
        .json_file_text("config.json", json)
        .load()
        .await
        .unwrap();
    // Far above what it takes and far below what a quadratic reading would.
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(config.engine_auth.len(), 10_001);
    for (image, place) in [
        ("r0.example.com/team/app", "config.json:2"),
        ("r9999.example.com/team/app", "config.json:10001"),
        ("last.example.com/app", "config.json:10002"),
    ] {
        let image = image.parse().unwrap();
        let resolved = config.engine_auth.lookup(&image).unwrap().unwrap();
        assert_eq!(resolved.provenance.origin.as_ref().unwrap().to_string(), place);
    }
}

#[tokio::test]
async fn a_file_without_an_end_is_refused() {
    let files = Files::new();
    let path = files.path("huge.config");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    let loader = Loader::new(Environment::default()).without_default_files();
    let errors = loader.clone().env_file(&path).load().await.unwrap_err();
    assert!(
        errors.to_string().contains("it has more than 16777216 bytes"),
        "{errors}"
    );
    let errors = loader.env_file("/dev/zero").load().await.unwrap_err();
    assert!(errors.to_string().contains("not a regular file"), "{errors}");
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!(
            "{{\"ghcr.io\": {}1{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        let place = Origin::other("a test");
        match EngineAuth::parse(AuthType::Docker, &deep, &place, Strictness::Lenient) {
            Ok((auth, _)) => {
                let image = "ghcr.io/app".parse().unwrap();
                assert!(auth.lookup(&image).is_err());
            }
            Err(finding) => assert!(finding.to_string().contains("recursion limit"), "{finding}"),
        }
    }
}
