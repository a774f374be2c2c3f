//! Passwords with whatever characters people choose arrive at the registry as they are.

use anyhow::Result;
use integration::{Access, Image, Registry};
use serde_json::{Map, Value};

use super::{Machine, docker, dockercfg, users_of};

/// User and password. The first three have base64 with `+` and `/` at each of the three alignments in the header.
const USERS: [(&str, &str); 10] = [
    ("first", ">?~>?~>?~"),
    ("second", "a>?~>?~>?~"),
    ("third", "ab>?~>?~>?~"),
    ("colon", ":one:two:"),
    ("quote", "\"'`quoted\\\""),
    ("space", " leading and trailing "),
    ("json", "{\"auth\": \"none\"}\\u0041"),
    ("shell", "$HOME %41 &amp; #!=;|"),
    ("latin", "pässwörd-ñ-ÿ"),
    ("zoë", "密碼-пароль-🔑"),
];

/// What an entry looks like in one of the types.
type Entry = fn(&str, &str) -> Value;

#[tokio::test]
async fn any_password_in_either_type_is_accepted() -> Result<()> {
    let registry = Registry::start("registry.example.com", Access::Passwords(&USERS)).await?;
    let repositories: Vec<String> = (0..USERS.len())
        .map(|index| format!("user-{index}/app"))
        .collect();
    for repository in &repositories {
        registry
            .push(&Image::small(repository)?, repository, "v1")
            .await?;
    }
    let machine = Machine::start("registry.example.com").await?;
    let images: Vec<String> = repositories
        .iter()
        .map(|repository| registry.image(repository, "v1"))
        .collect();
    let entry_of: [(&str, Entry); 2] = [("docker", docker), ("dockercfg", dockercfg)];
    for (auth_type, entry) in entry_of {
        let data: Map<String, Value> = USERS
            .iter()
            .enumerate()
            .map(|(index, (user, password))| {
                (format!("{}/user-{index}", registry.host()), entry(user, password))
            })
            .collect();
        machine.configure(auth_type, &data.into())?;
        let before = registry.requests().len();
        let pulled = machine.pull(&images).await?;
        let requests = registry.requests().split_off(before);
        for (index, (user, _)) in USERS.iter().enumerate() {
            assert_eq!(pulled[index]["status"], "pulled", "{auth_type} {user}");
            assert_eq!(pulled[index]["credential"]["username"], *user);
            assert_eq!(users_of(&requests, &repositories[index]), [*user], "{auth_type}");
            machine.engine.remove(&images[index]).await?;
        }
    }
    Ok(())
}
