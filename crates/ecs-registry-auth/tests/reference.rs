//! Agreement with the Docker daemon's reference parser, on its own answers.

use ecs_registry_auth::ImageReference;
use proptest::prelude::*;
use serde_json::Value;

const VECTORS: &str = include_str!("vectors/reference.jsonl");
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

#[test]
fn every_vector_parses_as_in_the_daemon() {
    let rows: Vec<Value> = VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 73);
    for row in &rows {
        let input = text(row, "input");
        match (ImageReference::parse(input), row.get("error")) {
            (Ok(image), None) => {
                assert_eq!(image.domain(), text(row, "domain"), "{input:?}");
                assert_eq!(image.repository(), text(row, "path"), "{input:?}");
                assert_eq!(image.name(), text(row, "name"), "{input:?}");
                assert_eq!(image.familiar(), text(row, "familiar"), "{input:?}");
                assert_eq!(image.tag().unwrap_or_default(), text(row, "tag"), "{input:?}");
                assert_eq!(
                    image.digest().unwrap_or_default(),
                    text(row, "digest"),
                    "{input:?}"
                );
                assert_eq!(image.pinned_to(DIGEST), text(row, "canonical"), "{input:?}");
                assert_eq!(image.as_str(), input);
            }
            (Err(error), Some(expected)) => {
                let expected = expected.as_str().unwrap();
                assert!(
                    error.kind().to_string().starts_with(expected),
                    "{input:?}: {error}, not {expected}"
                );
            }
            (answer, expected) => panic!("{input:?}: {answer:?}, but the daemon says {expected:?}"),
        }
    }
}

#[test]
fn only_an_official_image_is_shown_without_its_namespace() {
    for (written, familiar) in [
        ("docker.io/library/nginx", "nginx"),
        ("docker.io/library/team/app", "library/team/app"),
        ("library/team/app:v1", "library/team/app:v1"),
        ("library/library", "library"),
        ("docker.io/team/app", "team/app"),
        ("example.com/library/nginx", "example.com/library/nginx"),
    ] {
        assert_eq!(ImageReference::parse(written).unwrap().familiar(), familiar);
    }
}

#[test]
fn a_password_in_front_of_the_host_is_not_in_the_message() {
    for written in [
        "alice:hunter2@registry.example.com/app",
        "https://alice:hunter2@registry.example.com/app",
        "Hunter2@localhost:5000",
        "team/Hunter2:v1@localhost",
    ] {
        let message = ImageReference::parse(written).unwrap_err().to_string();
        assert!(!message.to_lowercase().contains("hunter2"), "{message}");
        assert!(message.contains("[redacted]@"), "{message}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,400}") {
        let _ = ImageReference::parse(&text);
    }

    // No dot in the first segment: Docker Hub has no such namespaces, and the daemon shows `docker.io/a.b/c` as `a.b/c`,
    // which is the name of something else.
    #[test]
    fn what_the_daemon_shows_is_the_same_image(
        text in r"((localhost|docker\.io|[a-zA-Z]{1,8}\.example\.com|\[::1\])(:[0-9]{1,5})?/)?(library/)?[a-z0-9]{1,5}([_-][a-z0-9]{1,5})?(/[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}){0,2}(:[a-zA-Z0-9._-]{1,9})?"
    ) {
        if let Ok(image) = ImageReference::parse(&text) {
            let shown = ImageReference::parse(&image.familiar()).unwrap();
            prop_assert_eq!(image.name(), shown.name());
            prop_assert_eq!(image.tag(), shown.tag());
            let pinned = ImageReference::parse(&image.pinned_to(DIGEST)).unwrap();
            prop_assert_eq!(image.name(), pinned.name());
            prop_assert_eq!(pinned.digest(), Some(DIGEST));
            prop_assert_eq!(pinned.registry(), image.registry());
        }
    }
}
