//! What holds for every document.

use ecs_registry_auth::{Diagnosis, Origin};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::parse;

const DOCUMENTS: [&str; 4] = [
    include_str!("../vectors/register.json"),
    include_str!("../vectors/describe.json"),
    include_str!("../vectors/pascal_case.json"),
    include_str!("../vectors/payload.json"),
];

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ecs_task_images::parse_bytes(&bytes, &Origin::file("task.json"));
    }

    #[test]
    fn no_json_like_text_panics(text in r#"([\[\]{}:,"'\\ \n#-]|null|true|0|containers|image|name|\\ud800){0,40}"#) {
        let _ = parse(&text);
    }

    #[test]
    fn no_damaged_document_panics(
        which in 0..DOCUMENTS.len(), at in any::<prop::sample::Index>(), length in 0..40usize, inserted in ".{0,8}",
    ) {
        let characters: Vec<char> = DOCUMENTS[which].chars().collect();
        let start = at.index(characters.len());
        let end = (start + length).min(characters.len());
        let damaged: String = characters[..start].iter().copied()
            .chain(inserted.chars())
            .chain(characters[end..].iter().copied())
            .collect();
        if let Err(error) = parse(&damaged) {
            prop_assert!(!error.problems().is_empty());
            prop_assert!(error.problems().iter().all(|problem| problem.to_string().starts_with("task.json")));
        }
    }
}

/// JSON pointers of every value in a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

#[test]
fn a_secret_in_any_place_is_never_shown() {
    const SECRET: &str = "hunter2";
    let secrets = [
        json!(SECRET),
        json!("alice:hunter2"),
        json!("{\"username\": \"alice\", \"password\": \"hunter2\"}"),
        json!({"username": "alice", "password": SECRET}),
        json!([SECRET]),
        json!("https://alice:hunter2@registry.example.com/app"),
        json!("arn:aws:ecs:hunter2"),
    ];
    let mut problems = 0;
    for document in DOCUMENTS {
        let document: Value = serde_json::from_str(document).unwrap();
        let mut places = Vec::new();
        pointers(&document, "", &mut places);
        for (place, secret) in places
            .iter()
            .flat_map(|place| secrets.iter().map(move |secret| (place, secret)))
        {
            // Names are shown, and so is an image unless it has something in front of its host.
            if place.to_lowercase().ends_with("/name")
                || (place.to_lowercase().ends_with("/image") && !secret.to_string().contains('@'))
            {
                continue;
            }
            let mut changed = document.clone();
            *changed.pointer_mut(place).unwrap() = secret.clone();
            let text = serde_json::to_string_pretty(&changed).unwrap();
            let shown = match parse(&text) {
                Ok(task) => {
                    let images = task
                        .containers
                        .iter()
                        .map(|container| format!("{} {:?}", container.image, container.reference));
                    format!("{} {:?}", images.collect::<String>(), task.notes)
                }
                Err(error) => {
                    problems += 1;
                    format!("{error} {error:?} {:?}", Diagnosis::from(&error))
                }
            };
            assert!(!shown.contains(SECRET), "{place}: {shown}");
        }
    }
    assert!(problems > 300, "{problems} documents were rejected");
}

#[test]
fn a_broken_credential_never_becomes_none() {
    let broken = [
        json!(""),
        json!("arn"),
        json!(1),
        json!(true),
        json!([]),
        json!({}),
        json!({"username": "a", "password": "b"}),
    ];
    for field in ["repositoryCredentials", "registryAuthentication"] {
        for broken in &broken {
            let document =
                json!({"containerDefinitions": [{"name": "app", "image": "busybox", field: broken}]});
            assert!(parse(&document.to_string()).is_err(), "{field}: {broken}");
        }
    }
}

#[test]
fn nesting_has_no_limit_and_takes_no_stack() {
    let deep = |close: usize| format!("{{\"x\": {}{}, ", "[".repeat(1_000_000), "]".repeat(close));
    let rest = "\"containers\": [{\"name\": \"app\", \"image\": \"busybox\"}]}";
    assert!(parse(&format!("{}{rest}", deep(1_000_000))).is_ok());
    assert!(parse(&deep(0)).is_err());
}

#[test]
fn answers_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<ecs_task_images::TaskImages>();
    shared::<ecs_task_images::TaskError>();
}
