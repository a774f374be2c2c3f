//! Why each key is chosen or not, in the words that a user reads.

use ecs_config_loader::{AuthType, EngineAuth, Strictness};
use ecs_registry_auth::Origin;

/// `+` before the chosen key's reason, `-` before the others'.
fn explain(keys: &[&str], image: &str, strictness: Strictness) -> Vec<String> {
    let entries: Vec<String> = keys
        .iter()
        .map(|key| match key.strip_prefix("broken ") {
            Some(key) => format!("{key:?}: {{\"auth\": \"hunter2!\"}}"),
            None => format!("{key:?}: {{\"username\": \"u\", \"password\": \"hunter2\"}}"),
        })
        .collect();
    let data = format!("{{{}}}", entries.join(","));
    let place = Origin::file_line("ecs.config", 2);
    let (auth, _) = EngineAuth::parse(AuthType::Docker, &data, &place, strictness).unwrap();
    let candidates = auth.candidates(&image.parse().unwrap());
    assert!(
        candidates
            .iter()
            .all(|candidate| candidate.origin.as_ref() == Some(&place))
    );
    candidates
        .into_iter()
        .map(|candidate| {
            let sign = if candidate.chosen { '+' } else { '-' };
            format!("{sign} {}: {}", candidate.key.unwrap(), candidate.reason)
        })
        .collect()
}

#[test]
fn every_reason_is_said_in_words() {
    for (keys, image, expected) in [
        (
            &["ghcr.io", "ghcr.io/team", "ghcr.io/team2", "quay.io"][..],
            "ghcr.io/team/app",
            &[
                "+ ghcr.io/team: path team is a prefix of team/app",
                "- ghcr.io: key \"ghcr.io/team\" is more specific",
                "- ghcr.io/team2: path team2 is not a prefix of team/app",
                "- quay.io: it is for quay.io, the image is at ghcr.io",
            ][..],
        ),
        (
            &["docker.io"],
            "nginx",
            &["+ docker.io: it is for all of docker.io; Docker Hub key without /v1/ accepted as an alias"],
        ),
        (
            &["docker.io", "https://index.docker.io/v1/"],
            "nginx",
            &[
                "+ https://index.docker.io/v1/: it is for all of docker.io",
                "- docker.io: key \"https://index.docker.io/v1/\" is for the same registry and path and goes first",
            ],
        ),
        (
            &["ghcr.io/v2/"],
            "ghcr.io/app",
            &["+ ghcr.io/v2/: it is for all of ghcr.io; the API version at its end is ignored"],
        ),
        (
            &["ghcr.io/team2"],
            "ghcr.io/team/app",
            &[
                "+ ghcr.io/team2: path team2 is not a prefix of team/app, but it is the only usable key of ghcr.io",
            ],
        ),
        (
            &["docker.io/team2"],
            "team/app",
            &["- docker.io/team2: path team2 is not a prefix of team/app"],
        ),
        (
            &["broken ghcr.io/team", "ghcr.io"],
            "ghcr.io/team/app",
            &[
                "+ ghcr.io: it is for all of ghcr.io",
                "- ghcr.io/team: it is broken: field \"auth\" is not base64",
            ],
        ),
        (
            &["ghcr.io/team2", "broken ghcr.io/team"],
            "ghcr.io/team/app",
            &[
                "+ ghcr.io/team2: path team2 is not a prefix of team/app, but it is the only usable key of ghcr.io",
                "- ghcr.io/team: it is broken: field \"auth\" is not base64",
            ],
        ),
        (
            &["broken ghcr.io"],
            "ghcr.io/team/app",
            &[
                "- ghcr.io: it is broken: field \"auth\" is not base64; the pull fails rather than go without a credential",
            ],
        ),
        (
            &["ghcr"],
            "ghcr.io/app",
            &[
                "- ghcr: it can never match: \"ghcr\" has neither a dot nor a port, so images that start with it are on Docker Hub",
            ],
        ),
    ] {
        assert_eq!(explain(keys, image, Strictness::Lenient), expected, "{image}");
    }
}

#[test]
fn a_key_is_not_used_beyond_its_path_where_there_are_several_or_in_strict_mode() {
    let not_a_prefix = |key: &str, path: &str| format!("- {key}: path {path} is not a prefix of team/app");
    assert_eq!(
        explain(
            &["ghcr.io/a", "ghcr.io/b"],
            "ghcr.io/team/app",
            Strictness::Lenient
        ),
        [not_a_prefix("ghcr.io/a", "a"), not_a_prefix("ghcr.io/b", "b")]
    );
    assert_eq!(
        explain(&["ghcr.io/a"], "ghcr.io/team/app", Strictness::Strict),
        [not_a_prefix("ghcr.io/a", "a")]
    );
}
