//! What an authorization token holds.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecs_registry_auth::{RegistryCredential, Secret};
use zeroize::Zeroizing;

/// What Amazon ECR promises, for an answer that does not say when the token ends.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// A token is replaced this long before it ends, and up to as long again, drawn once per token, so that a fleet which
/// started together does not ask together.
const EARLY: Duration = Duration::from_secs(30 * 60);

/// A token and its times, by this machine's clock.
#[derive(Debug)]
pub(super) struct Token {
    /// Tells the tokens of one process apart.
    pub(super) serial: u64,
    pub(super) credential: Arc<RegistryCredential>,
    pub(super) fetched_at: SystemTime,
    pub(super) refresh_at: SystemTime,
    pub(super) expires_at: SystemTime,
    /// Whether it was fetched because the registry refused the one before it.
    pub(super) after_refusal: bool,
}

impl Token {
    pub(super) fn new(
        serial: u64,
        credential: RegistryCredential,
        now: SystemTime,
        expires_at: Option<SystemTime>,
        after_refusal: bool,
    ) -> Self {
        let expires_at = expires_at.unwrap_or(now + LIFE);
        let life = expires_at.duration_since(now).unwrap_or_default();
        let early = jittered(EARLY).min(life / 2);
        Self {
            serial,
            credential: Arc::new(credential),
            fetched_at: now,
            refresh_at: now + (life - early),
            expires_at,
            after_refusal,
        }
    }
}

/// Between once and twice as long.
fn jittered(shortest: Duration) -> Duration {
    // The standard library's random seed is random enough to spread calls.
    let random = RandomState::new().hash_one(()) >> 11;
    let share = random as f64 / (1_u64 << 53) as f64;
    shortest + shortest.mul_f64(share)
}

/// Why an answer holds no usable token: its shape, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the answer has no authorization data")]
    NoData,
    #[error("the authorization data has no token")]
    NoToken,
    #[error("the token is not base64")]
    NotBase64,
    #[error("the token is not text")]
    NotText,
    #[error("the token has no ':' between user name and password")]
    NoColon,
    #[error("the token has an empty user name or password")]
    Empty,
}

/// The credential in `base64(user:password)`.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html>.
pub(super) fn decode(encoded: &Zeroizing<String>) -> Result<RegistryCredential, TokenError> {
    let decoded = Zeroizing::new(
        STANDARD
            .decode(encoded.trim())
            .map_err(|_| TokenError::NotBase64)?,
    );
    let text = std::str::from_utf8(&decoded).map_err(|_| TokenError::NotText)?;
    let (username, password) = text.split_once(':').ok_or(TokenError::NoColon)?;
    if username.is_empty() || password.is_empty() {
        return Err(TokenError::Empty);
    }
    Ok(RegistryCredential::basic(username, Secret::from(password)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(decoded: &[u8]) -> Result<RegistryCredential, TokenError> {
        decode(&Zeroizing::new(STANDARD.encode(decoded)))
    }

    #[test]
    fn user_and_password_are_parted_at_the_first_colon() {
        let credential = read(b"AWS:pass:word").unwrap();
        assert_eq!(credential.username.as_deref(), Some("AWS"));
        assert_eq!(credential.password.unwrap().expose(), "pass:word");
    }

    #[test]
    fn what_is_no_token_says_why_and_not_what() {
        for (decoded, error) in [
            (&b"AWSsecret"[..], TokenError::NoColon),
            (b"", TokenError::NoColon),
            (b":secret", TokenError::Empty),
            (b"AWS:", TokenError::Empty),
            (b"AWS:\xff", TokenError::NotText),
        ] {
            assert_eq!(read(decoded).unwrap_err(), error, "{decoded:?}");
        }
        let raw = Zeroizing::new("AWS:secret".to_owned());
        assert_eq!(decode(&raw).unwrap_err(), TokenError::NotBase64);
    }

    #[test]
    fn a_token_is_replaced_half_an_hour_to_an_hour_before_it_ends() {
        let now = SystemTime::now();
        let mut early = Vec::new();
        for serial in 0..20 {
            let token = Token::new(serial, RegistryCredential::basic("AWS", "x"), now, None, false);
            assert_eq!(token.expires_at, now + LIFE);
            early.push(token.expires_at.duration_since(token.refresh_at).unwrap());
        }
        assert!(
            early.iter().all(|early| (EARLY..=2 * EARLY).contains(early)),
            "{early:?}"
        );
        early.sort();
        early.dedup();
        assert!(early.len() > 1, "each token draws its own jitter");
    }

    #[test]
    fn a_short_token_is_used_for_half_its_life_and_an_ended_one_is_not_kept() {
        let now = SystemTime::now();
        let until = |end| Token::new(1, RegistryCredential::basic("AWS", "x"), now, Some(end), false);
        let minute = Duration::from_secs(60);
        assert_eq!(until(now + minute).refresh_at, now + minute / 2);
        assert_eq!(until(now - minute).refresh_at, now);
    }

    proptest! {
        #[test]
        fn no_token_panics(text in ".{0,80}") {
            let _ = decode(&Zeroizing::new(text));
        }

        #[test]
        fn every_pair_survives(username in "[^:]{1,20}", password in ".{1,40}") {
            let credential = read(format!("{username}:{password}").as_bytes()).unwrap();
            prop_assert_eq!(credential.username.unwrap(), username);
            let secret = credential.password.unwrap();
            prop_assert_eq!(secret.expose(), &password);
        }
    }
}
