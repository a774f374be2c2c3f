//! Whole documents: `vectors/NAME.json` reads as `vectors/NAME.txt`.

use std::fmt::Write;

use ecs_registry_auth::Origin;
use ecs_task_images::{CredentialRequirement, TaskImages};

use crate::parse;

macro_rules! document {
    ($name:ident) => {
        #[test]
        fn $name() {
            let document = include_str!(concat!("../vectors/", stringify!($name), ".json"));
            let expected = include_str!(concat!("../vectors/", stringify!($name), ".txt"));
            assert_eq!(shown(&parse(document).unwrap()), expected);
        }
    };
}

document!(register);
document!(describe);
document!(pascal_case);
document!(payload);
document!(bare_task);

fn shown(task: &TaskImages) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").unwrap();
    for (what, value) in [("family", &task.family), ("arn", &task.arn)] {
        value.iter().for_each(|value| line(format!("{what} {value}")));
    }
    if let (Some(region), Some(account)) = (&task.region, &task.account) {
        line(format!("region {region}, account {account}"));
    }
    for (what, value) in [
        ("role", &task.execution_role_arn),
        ("role keys", &task.execution_credentials_id),
    ] {
        value.iter().for_each(|value| line(format!("{what} {value}")));
    }
    task.platform
        .iter()
        .for_each(|platform| line(format!("platform {platform}")));
    for container in &task.containers {
        line(format!(
            "container {} ({}): {}",
            container.name, container.origin, container.image
        ));
        if let Err(problem) = &container.reference {
            line(format!("  {problem}"));
        }
        if !container.essential {
            line("  not essential".to_owned());
        }
        match &container.credential {
            CredentialRequirement::None => {}
            CredentialRequirement::RepositoryCredentials {
                credentials_parameter,
                region,
                origin,
            } => {
                let region = region
                    .iter()
                    .map(|region| format!(" in {region}"))
                    .collect::<String>();
                line(format!("  secret {credentials_parameter}{region} ({origin})"));
            }
            CredentialRequirement::Ecr {
                registry_id,
                region,
                endpoint_override,
                use_execution_role,
                origin,
            } => {
                let endpoint = endpoint_override
                    .iter()
                    .map(|endpoint| format!(" at {endpoint}"))
                    .collect::<String>();
                let who = if *use_execution_role {
                    "execution role"
                } else {
                    "instance"
                };
                line(format!(
                    "  ecr {registry_id} in {region}{endpoint}, by the {who} ({origin})"
                ));
            }
            other => panic!("{other:?} is not shown"),
        }
    }
    for note in &task.notes {
        line(format!("note {note}"));
    }
    text
}

#[test]
fn windows_editors_may_have_saved_it() {
    let document = include_str!("../vectors/register.json");
    let as_saved = format!("\u{feff}{}", document.replace('\n', "\r\n"));
    assert_eq!(parse(&as_saved).unwrap(), parse(document).unwrap());
}

#[test]
fn a_document_that_is_no_file_still_has_lines() {
    let document = "{\n\"containerDefinitions\":\n[{\"name\": \"app\", \"image\": \"busybox\"}]}";
    let task = ecs_task_images::parse_bytes(document.as_bytes(), &Origin::other("standard input")).unwrap();
    assert_eq!(task.containers[0].origin.to_string(), "standard input:3");
}

#[test]
fn escapes_are_decoded() {
    let task =
        parse(r#"{"container\u0044efinitions": [{"n\u0061me": "\u0061pp", "image": "r.example.com\/app"}]}"#);
    let task = task.unwrap();
    assert_eq!(task.containers[0].name, "app");
    assert_eq!(task.containers[0].image, "r.example.com/app");
}

#[test]
fn platforms() {
    for (platform, expected) in [
        (
            r#"{"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}"#,
            Some("linux/amd64"),
        ),
        (
            r#"{"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}"#,
            Some("linux/arm64"),
        ),
        (r#"{"cpuArchitecture": "ARM64"}"#, Some("linux/arm64")),
        (
            r#"{"operatingSystemFamily": "WINDOWS_SERVER_2019_FULL"}"#,
            Some("windows/amd64"),
        ),
        // Either architecture runs it: the engine's own.
        (r#"{"operatingSystemFamily": "LINUX"}"#, None),
        ("{}", None),
        ("null", None),
    ] {
        let document = format!(
            r#"{{"runtimePlatform": {platform}, "containerDefinitions": [{{"name": "a", "image": "b"}}]}}"#
        );
        let found = parse(&document)
            .unwrap()
            .platform
            .map(|platform| platform.to_string());
        assert_eq!(found.as_deref(), expected, "{platform}");
    }
}

#[test]
fn many_containers_take_no_time_to_speak_of() {
    let container = |index: usize| format!("{{\"name\": \"c{index}\",\n\"image\": \"busybox\"}}");
    let containers: Vec<String> = (0..30_000).map(container).collect();
    let document = format!("{{\"containerDefinitions\": [{}]}}", containers.join(",\n"));
    let started = std::time::Instant::now();
    let task = parse(&document).unwrap();
    // Quadratic in the number of containers, this takes minutes.
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
    assert_eq!(task.containers[29_999].origin.to_string(), "task.json:59999");
}
