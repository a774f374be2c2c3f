//! What holds for any set of keys and any image.

use ecs_config_loader::{AuthType, EngineAuth, Strictness};
use ecs_registry_auth::{ImageReference, Origin, Registry};
use proptest::prelude::*;

const HOSTS: [&str; 10] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "ghcr.io",
    "GHCR.io:443",
    "registry.example.com",
    "registry.example.com:5000",
    "[::1]:5000",
    "localhost",
    "UPPER",
];
const PATHS: [&str; 8] = [
    "",
    "/",
    "/v1/",
    "/v2",
    "/team",
    "/team/app",
    "/teamwork/",
    "/user/v1/",
];

fn key() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(&["", "https://", "http://"][..]);
    let host = prop::sample::select(&HOSTS[..]);
    let path = prop::sample::select(&PATHS[..]);
    (scheme, host, path).prop_map(|(scheme, host, path)| format!("{scheme}{host}{path}"))
}

/// Distinct keys, each with whether its entry is broken.
fn keys() -> impl Strategy<Value = Vec<(String, bool)>> {
    prop::collection::btree_map(key(), prop::bool::weighted(0.2), 0..8)
        .prop_map(|keys| keys.into_iter().collect())
}

fn image() -> impl Strategy<Value = ImageReference> {
    let host = prop::sample::select(
        &[
            "",
            "docker.io/",
            "ghcr.io/",
            "registry.example.com/",
            "UPPER/",
            "[::1]:5000/",
        ][..],
    );
    let path = prop::sample::select(
        &[
            "team/app",
            "team/app/x",
            "team",
            "teamwork/app",
            "user/v1/x",
            "app",
            "v1/app",
        ][..],
    );
    let suffix = prop::sample::select(&["", ":latest"][..]);
    (host, path, suffix).prop_map(|(host, path, suffix)| format!("{host}{path}{suffix}").parse().unwrap())
}

/// Every entry has its own key as user name.
fn entry((key, broken): &(String, bool)) -> String {
    match broken {
        true => format!("{key:?}: {{\"password\": 5}}"),
        false => format!("{key:?}: {{\"username\": {key:?}, \"password\": \"p\"}}"),
    }
}

fn auth(keys: &[(String, bool)], strictness: Strictness) -> EngineAuth {
    auth_of(&keys.iter().map(entry).collect::<Vec<_>>(), strictness)
}

fn auth_of(members: &[String], strictness: Strictness) -> EngineAuth {
    let data = format!("{{{}}}", members.join(","));
    let place = Origin::other("a test");
    EngineAuth::parse(AuthType::Docker, &data, &place, strictness)
        .unwrap()
        .0
}

/// The key that answers, or the error.
fn answer(auth: &EngineAuth, image: &ImageReference) -> Result<Option<String>, String> {
    match auth.lookup(image) {
        Ok(resolved) => Ok(resolved.and_then(|resolved| resolved.credential.username.clone())),
        Err(diagnosis) => Err(diagnosis.to_string()),
    }
}

fn registry_of(key: &str) -> Registry {
    let without_scheme = key.trim_start_matches("https://").trim_start_matches("http://");
    Registry::from_host(without_scheme.split('/').next().unwrap_or_default())
}

fn strictness() -> impl Strategy<Value = Strictness> {
    prop::sample::select(&[Strictness::Lenient, Strictness::Strict][..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_answer_does_not_depend_on_the_order_of_keys(
        (keys, shuffled) in keys().prop_flat_map(|keys| (Just(keys.clone()), Just(keys).prop_shuffle())),
        image in image(),
        strictness in strictness(),
    ) {
        let one = answer(&auth(&keys, strictness), &image);
        let other = answer(&auth(&shuffled, strictness), &image);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn auths_round_some_of_the_keys_changes_no_answer(
        keys in keys(),
        inside in prop::collection::vec(any::<bool>(), 8),
        position in any::<prop::sample::Index>(),
        field in prop::sample::select(&["", "\"credsStore\": \"x\"", "\"HttpHeaders\": {}"][..]),
        image in image(),
        strictness in strictness(),
    ) {
        let mut inner = Vec::new();
        let mut members = Vec::new();
        for (key, inside) in keys.iter().zip(inside) {
            if inside { &mut inner } else { &mut members }.push(entry(key));
        }
        members.insert(position.index(members.len() + 1), format!("\"auths\": {{{}}}", inner.join(",")));
        members.extend(Some(field.to_owned()).filter(|field| !field.is_empty()));
        prop_assert_eq!(
            answer(&auth(&keys, strictness), &image),
            answer(&auth_of(&members, strictness), &image),
            "{:?}", members
        );
    }

    #[test]
    fn a_credential_never_goes_to_another_registry_than_its_keys(
        keys in keys(),
        image in image(),
        strictness in strictness(),
    ) {
        let auth = auth(&keys, strictness);
        if let Ok(Some(resolved)) = auth.lookup(&image) {
            let key = resolved.credential.username.as_deref().unwrap();
            prop_assert_eq!(&registry_of(key), image.registry());
            prop_assert_eq!(&resolved.provenance.registry, image.registry());
        }
    }

    #[test]
    fn an_unrelated_key_changes_nothing(
        keys in keys(),
        unrelated in key(),
        broken in any::<bool>(),
        image in image(),
        strictness in strictness(),
    ) {
        prop_assume!(&registry_of(&unrelated) != image.registry());
        let before = answer(&auth(&keys, strictness), &image);
        let mut more = keys;
        more.retain(|(key, _)| *key != unrelated);
        more.push((unrelated, broken));
        prop_assert_eq!(before, answer(&auth(&more, strictness), &image));
    }

    #[test]
    fn a_broken_entry_never_makes_a_pull_anonymous_that_had_a_credential(
        keys in keys(),
        image in image(),
    ) {
        let whole: Vec<_> = keys.iter().map(|(key, _)| (key.clone(), false)).collect();
        let had_one = answer(&auth(&whole, Strictness::Lenient), &image) != Ok(None);
        let has_none = answer(&auth(&keys, Strictness::Lenient), &image) == Ok(None);
        prop_assert!(!(had_one && has_none));
    }

    #[test]
    fn in_strict_mode_a_key_answers_only_within_its_path(keys in keys(), image in image()) {
        let auth = auth(&keys, Strictness::Strict);
        let answered = matches!(auth.lookup(&image), Ok(Some(_)));
        let candidates = auth.candidates(&image);
        let chosen = candidates.iter().find(|candidate| candidate.chosen);
        prop_assert_eq!(answered, chosen.is_some());
        if let Some(chosen) = chosen {
            prop_assert!(!chosen.reason.contains("is not a prefix"), "{}", chosen.reason);
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_a_value(
        key in prop::sample::select(&["ghcr.io", "https://alice:hunter2@ghcr.io", "hunter2@ghcr.io/team", "a:hunter2/x@localhost"][..]),
        field in prop::sample::select(&["username", "password", "auth", "identitytoken", "registrytoken", "email"][..]),
        shape in prop::sample::select(&["\"@\"", "[\"@\"]", "{\"x\": \"@\"}", "\"@", "\"\\u00@\"", "@", "\"@\" \"x\"", "\"\\ud800@\""][..]),
        auth_type in prop::sample::select(&[AuthType::Docker, AuthType::Dockercfg][..]),
    ) {
        let data = format!("{{{key:?}: {{\"{field}\": {}}}}}", shape.replace('@', "hunter2"));
        let place = Origin::other("a test");
        let text = match EngineAuth::parse(auth_type, &data, &place, Strictness::Lenient) {
            Ok((auth, findings)) => {
                let image = "ghcr.io/app".parse().unwrap();
                // A user name is no secret and is shown.
                let provenance = match field {
                    "username" => String::new(),
                    _ => format!("{:?}", auth.lookup(&image)),
                };
                format!("{auth:?} {findings:?} {:?} {provenance}", auth.candidates(&image))
            }
            Err(finding) => format!("{finding} {finding:?}"),
        };
        prop_assert!(!text.contains("hunter2"), "{text}");
    }
}
