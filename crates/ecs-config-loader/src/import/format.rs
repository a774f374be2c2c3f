//! Auth data as JSON on one line.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ecs_registry_auth::{RegistryCredential, Secret};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use zeroize::Zeroizing;

use crate::AuthType;

/// The longest escape of one byte in JSON, as in `\u0000`.
const ESCAPE_MAXIMUM: usize = 6;
/// Braces, quotes, commas and field names of one entry.
const ENTRY_OVERHEAD: usize = 100;

/// `{registry: entry, …}` in the given order.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth-container-instances.html>.
pub(super) fn data<'a>(
    auth_type: AuthType,
    entries: impl Iterator<Item = (&'a str, &'a RegistryCredential)> + Clone,
) -> Secret<String> {
    let length: usize = entries
        .clone()
        .map(|(key, credential)| {
            let user = credential.username.as_ref().map_or(0, String::len);
            let secrets: usize = credential.secrets().map(|secret| secret.expose().len()).sum();
            (key.len() + user + secrets) * ESCAPE_MAXIMUM + ENTRY_OVERHEAD
        })
        .sum();
    // Room for the worst case: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(length + 2));
    let mut serializer = serde_json::Serializer::new(&mut *text);
    let result = serializer.serialize_map(None).and_then(|mut map| {
        for (key, credential) in entries {
            match auth_type {
                AuthType::Docker => map.serialize_entry(key, &DockerEntry::of(credential))?,
                AuthType::Dockercfg => map.serialize_entry(key, &DockercfgEntry::of(credential))?,
            }
        }
        map.end()
    });
    debug_assert!(result.is_ok(), "strings always serialize into memory");
    debug_assert!(text.len() <= length + 2, "the estimate is an upper bound");
    Secret::from(std::str::from_utf8(&text).unwrap_or_default())
}

#[derive(Serialize)]
struct DockerEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identitytoken: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registrytoken: Option<&'a str>,
}

impl<'a> DockerEntry<'a> {
    fn of(credential: &'a RegistryCredential) -> Self {
        let open =
            |secret: &'a Option<Secret<String>>| secret.as_ref().map(|secret| secret.expose().as_str());
        Self {
            username: credential.username.as_deref(),
            password: open(&credential.password),
            identitytoken: open(&credential.identity_token),
            registrytoken: open(&credential.registry_token),
        }
    }
}

#[derive(Serialize)]
struct DockercfgEntry {
    #[serde(serialize_with = "as_str")]
    auth: Zeroizing<String>,
}

impl DockercfgEntry {
    fn of(credential: &RegistryCredential) -> Self {
        let username = credential.username.as_deref().unwrap_or_default();
        let password = credential
            .password
            .as_ref()
            .map_or("", |password| password.expose().as_str());
        let mut plain = Zeroizing::new(String::with_capacity(username.len() + 1 + password.len()));
        plain.extend([username, ":", password]);
        Self {
            auth: Zeroizing::new(BASE64_STANDARD.encode(plain.as_bytes())),
        }
    }
}

fn as_str<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine_auth::data::{self as decoding, Place};
    use ecs_registry_auth::Origin;

    #[test]
    fn both_types_are_one_line_of_json() {
        let mut token = RegistryCredential::identity_token("t\"\n");
        token.username = Some("bob".to_owned());
        let alice = RegistryCredential::basic("alice", "p:ä\"");
        let entries = [("a.example.com", &alice), ("b.example.com:5000/team", &token)];
        assert_eq!(
            data(AuthType::Docker, entries.into_iter()).expose(),
            "{\"a.example.com\":{\"username\":\"alice\",\"password\":\"p:ä\\\"\"},\
             \"b.example.com:5000/team\":{\"username\":\"bob\",\"identitytoken\":\"t\\\"\\n\"}}"
        );
        assert_eq!(
            data(AuthType::Dockercfg, entries.into_iter().take(1)).expose(),
            "{\"a.example.com\":{\"auth\":\"YWxpY2U6cDrDpCI=\"}}"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(username in "[^:]{1,20}", password in ".{1,20}") {
            let credential = RegistryCredential::basic(username.clone(), password.clone());
            for auth_type in [AuthType::Docker, AuthType::Dockercfg] {
                let text = data(auth_type, std::iter::once(("ghcr.io", &credential)));
                prop_assert!(!text.expose().contains(['\n', '\r']));
                let place = Place::Whole(Origin::Default);
                let mut entries = decoding::decode(text.expose(), auth_type, &place, &mut Vec::new()).unwrap();
                let read = entries.remove(0).credential.unwrap();
                if username == "<token>" {
                    continue;
                }
                prop_assert_eq!(read.username.as_deref(), Some(username.as_str()));
                prop_assert_eq!(read.password.as_ref().unwrap().expose(), &password);
            }
        }
    }
}
