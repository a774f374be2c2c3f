//! Every vector: the agent's answer where it has one, the defined answer where it has several.

use ecs_config_loader::{AuthType, EngineAuth, Strictness};
use ecs_registry_auth::{ImageReference, Origin, Secret};
use serde_json::{Map, Value};

const VECTORS: &str = include_str!("../vectors/engine-auth.jsonl");

fn rows() -> Vec<Value> {
    let rows: Vec<Value> = VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 1988);
    rows
}

fn auth(row: &Value) -> EngineAuth {
    let auth_type: AuthType = row["type"].as_str().unwrap().parse().unwrap();
    let place = Origin::environment("ECS_ENGINE_AUTH_DATA");
    let data = row["data"].as_str().unwrap();
    EngineAuth::parse(auth_type, data, &place, Strictness::Lenient)
        .unwrap()
        .0
}

/// The agent takes an upper-case name without a host for an image on Docker Hub; the daemon refuses to parse it. Its
/// lower-case spelling is the same image to the agent's choice and exists for the daemon too.
/// `None` where neither spelling is an image.
fn image(row: &Value) -> Option<ImageReference> {
    let written = row["image"].as_str().unwrap();
    written.parse().or_else(|_| written.to_lowercase().parse()).ok()
}

/// The answer in the form of a vector's `ours`.
fn answer(auth: &EngineAuth, image: &ImageReference) -> Value {
    let mut fields = Map::new();
    // An error is no key either; which of the two is told apart below.
    let Ok(Some(resolved)) = auth.lookup(image) else {
        return serde_json::json!({"key": null});
    };
    fields.insert("key".to_owned(), resolved.provenance.key.as_deref().into());
    let credential = &resolved.credential;
    let secret = |field: &Option<Secret<String>>| field.as_ref().map(|field| field.expose().clone());
    for (name, value) in [
        ("username", credential.username.clone()),
        ("password", secret(&credential.password)),
        ("identitytoken", secret(&credential.identity_token)),
        ("registrytoken", secret(&credential.registry_token)),
    ] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    }
    Value::Object(fields)
}

#[test]
fn every_vector_gives_its_key_and_fields() {
    for row in rows() {
        let found = match image(&row) {
            Some(image) => answer(&auth(&row), &image),
            None => serde_json::json!({"key": null}),
        };
        assert_eq!(found, row["ours"], "{row}");
    }
}

#[test]
fn a_vector_without_a_key_is_an_error_only_where_an_entry_of_its_registry_is_broken() {
    let mut errors = 0;
    for row in rows().iter().filter(|row| row["ours"]["key"].is_null()) {
        let Some(image) = image(row) else {
            continue;
        };
        let broken = auth(row).candidates(&image).iter().any(|candidate| {
            candidate.reason.contains("broken") && !candidate.reason.starts_with("it is for")
        });
        let failed = auth(row).lookup(&image).is_err();
        assert!(broken || !failed, "{row}");
        errors += usize::from(failed);
    }
    assert!(errors > 0, "the vectors hold broken entries");
}

#[test]
fn every_vector_explains_the_key_it_chooses() {
    for row in rows() {
        let Some(image) = image(&row) else {
            continue;
        };
        let candidates = auth(&row).candidates(&image);
        let chosen: Vec<_> = candidates.iter().filter(|candidate| candidate.chosen).collect();
        match row["ours"]["key"].as_str() {
            None => assert!(chosen.is_empty(), "{row}"),
            Some(key) => {
                assert_eq!(chosen.len(), 1, "{row}");
                assert_eq!(chosen[0].key.as_deref(), Some(key), "{row}");
                assert!(candidates[0].chosen, "{row}");
            }
        }
        assert!(
            candidates.iter().all(|candidate| !candidate.reason.is_empty()),
            "{row}"
        );
    }
}
