//! The header that carries a credential to the engine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use ecs_registry_auth::RegistryCredential;
use http::{HeaderName, HeaderValue};
use serde::Serialize;
use zeroize::Zeroizing;

/// `X-Registry-Auth`.
pub(super) const NAME: HeaderName = HeaderName::from_static("x-registry-auth");

/// Docker's `AuthConfig`, as far as a pull uses it.
///
/// Rule: <https://docs.docker.com/reference/api/engine/#section/Authentication>.
#[derive(Serialize)]
struct AuthConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(rename = "identitytoken", skip_serializing_if = "Option::is_none")]
    identity_token: Option<&'a str>,
    #[serde(rename = "registrytoken", skip_serializing_if = "Option::is_none")]
    registry_token: Option<&'a str>,
}

/// The header's value: the JSON of the credential in **URL-safe** base64 with padding. An engine drops what it cannot
/// decode and pulls anonymously, so the other alphabet would lose about a quarter of all random passwords.
pub(super) fn value(credential: &RegistryCredential) -> HeaderValue {
    let config = AuthConfig {
        username: credential.username.as_deref(),
        password: credential
            .password
            .as_ref()
            .map(|secret| secret.expose().as_str()),
        identity_token: credential
            .identity_token
            .as_ref()
            .map(|secret| secret.expose().as_str()),
        registry_token: credential
            .registry_token
            .as_ref()
            .map(|secret| secret.expose().as_str()),
    };
    let mut json = Zeroizing::new(Vec::with_capacity(capacity(&config)));
    // Strings into a vector: there is nothing that could fail.
    let written = serde_json::to_writer(&mut *json, &config);
    debug_assert!(written.is_ok(), "an AuthConfig is always JSON");
    let mut encoded = Zeroizing::new(String::with_capacity(json.len().div_ceil(3) * 4));
    URL_SAFE.encode_string(&*json, &mut encoded);
    let mut value = HeaderValue::from_str(&encoded)
        .unwrap_or_else(|_| unreachable!("base64 holds no character that a header does not"));
    value.set_sensitive(true);
    value
}

/// Enough for every character to be escaped: a buffer that grows would leave copies of the secret behind.
fn capacity(config: &AuthConfig<'_>) -> usize {
    let fields = [
        config.username,
        config.password,
        config.identity_token,
        config.registry_token,
    ];
    fields
        .into_iter()
        .flatten()
        .map(|field| field.len() * 6 + 24)
        .sum::<usize>()
        + 2
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use ecs_registry_auth::RegistryCredential;

    use super::value;

    fn decoded(credential: &RegistryCredential) -> serde_json::Value {
        let header = value(credential);
        assert!(header.is_sensitive());
        assert!(!format!("{header:?}").contains(header.to_str().unwrap()));
        // Strict: alphabet and padding as the engine's decoder wants them.
        serde_json::from_slice(&URL_SAFE.decode(header.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn any_password_arrives_at_every_alignment() {
        for username in ["a", "al", "ali"] {
            for password in [
                "p?????",
                "p~~~~",
                "pa>>>>>",
                ">?~>?~>?~",
                "\u{ff}\u{fe}\u{3ff}",
                "q\"uo\\te",
                "p:w",
                "",
                "\u{1}\n",
                "\u{1f511}\u{e4}",
            ] {
                let json = decoded(&RegistryCredential::basic(username, password));
                assert_eq!(
                    json,
                    serde_json::json!({"username": username, "password": password})
                );
            }
        }
    }

    #[test]
    fn tokens_are_named_as_docker_names_them() {
        assert_eq!(
            decoded(&RegistryCredential::identity_token("i")),
            serde_json::json!({"identitytoken": "i"})
        );
        assert_eq!(
            decoded(&RegistryCredential::registry_token("r")),
            serde_json::json!({"registrytoken": "r"})
        );
    }
}
