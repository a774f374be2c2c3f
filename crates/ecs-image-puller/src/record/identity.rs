//! A credential's identity, from which it cannot be found out.

use aws_lc_rs::hmac;
use ecs_registry_auth::{Registry, RegistryCredential};
use zeroize::Zeroizing;

/// Bytes of a key and of an identity.
pub(super) const LENGTH: usize = 32;

/// A credential at a registry, by a keyed hash (HMAC-SHA-256). Equal credentials at two registries are two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity(pub(super) [u8; LENGTH]);

/// What identities are hashed with.
#[derive(Clone, Debug)]
pub(crate) struct IdentityKey(hmac::Key);

impl IdentityKey {
    /// From the bytes of a key file.
    pub(super) fn new(bytes: &[u8; LENGTH]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A key that nobody else has.
    pub(crate) fn random() -> Self {
        Self::new(&random_bytes())
    }

    /// Who asks a registry: somebody with this credential, or anybody.
    pub(crate) fn identity(&self, registry: &Registry, credential: Option<&RegistryCredential>) -> Identity {
        let mut hash = hmac::Context::with_key(&self.0);
        // Each field with its length before it, so that no two lists of fields read the same.
        let mut field = |value: Option<&str>| {
            hash.update(&[u8::from(value.is_some())]);
            let value = value.unwrap_or_default();
            hash.update(&(value.len() as u64).to_be_bytes());
            hash.update(value.as_bytes());
        };
        field(Some(&registry.to_string()));
        if let Some(credential) = credential {
            field(credential.username.as_deref());
            for secret in [
                &credential.password,
                &credential.identity_token,
                &credential.registry_token,
            ] {
                field(secret.as_ref().map(|secret| secret.expose().as_str()));
            }
        }
        let mut identity = [0; LENGTH];
        identity.copy_from_slice(hash.sign().as_ref());
        Identity(identity)
    }
}

/// Bytes for a new key. From the system at once: the generator of `aws_lc_rs` seeds itself first, in 40 ms, and that is
/// half of what a small pull takes.
pub(super) fn random_bytes() -> Zeroizing<[u8; LENGTH]> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    // A process without randomness has no TLS either, and must not go on with a key of zeros.
    #[expect(
        clippy::expect_used,
        reason = "the system's source of randomness does not fail once it works"
    )]
    getrandom::fill(&mut *bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_field_every_registry_and_every_key_is_another_identity() {
        let (here, there) = (
            Registry::from_host("r.example.com"),
            Registry::from_host("s.example.com"),
        );
        let key = IdentityKey::new(&[1; LENGTH]);
        let shifted = RegistryCredential::basic("alic", "esecret");
        let alice = RegistryCredential::basic("alice", "secret");
        let identities = [
            key.identity(&here, None),
            key.identity(&here, Some(&RegistryCredential::default())),
            key.identity(&here, Some(&alice)),
            key.identity(&here, Some(&shifted)),
            key.identity(&here, Some(&RegistryCredential::identity_token("secret"))),
            key.identity(&here, Some(&RegistryCredential::registry_token("secret"))),
            key.identity(&there, Some(&alice)),
            IdentityKey::new(&[2; LENGTH]).identity(&here, Some(&alice)),
            IdentityKey::random().identity(&here, Some(&alice)),
        ];
        assert_eq!(HashSet::from(identities).len(), identities.len());
        assert_eq!(
            key.identity(&here, Some(&alice)),
            key.identity(&here, Some(&RegistryCredential::basic("alice", "secret")))
        );
    }
}
