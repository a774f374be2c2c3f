//! The `auth` field: `base64("user:password")`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ecs_registry_auth::Secret;
use zeroize::Zeroizing;

use super::entry::EntryError;

/// Padding may be missing and bits after the last byte are ignored, as in Go.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Splits an `auth` field into user name and password at the first colon; either may be empty.
///
/// Takes the standard and the URL-safe alphabet, with or without padding, and ignores line breaks.
///
/// # Errors
///
/// [`EntryError::NotBase64`], [`EntryError::NotUtf8`], [`EntryError::NoColon`].
pub(crate) fn decode(auth: &str) -> Result<(String, Secret<String>), EntryError> {
    let standard: Zeroizing<Vec<u8>> = Zeroizing::new(
        // `collect` would grow and leave copies behind.
        auth.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).fold(
            Vec::with_capacity(auth.len()),
            |mut bytes, byte| {
                bytes.push(match byte {
                    b'-' => b'+',
                    b'_' => b'/',
                    other => other,
                });
                bytes
            },
        ),
    );
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(standard.len())]);
    let length = LENIENT
        .decode_slice(standard.as_slice(), &mut decoded)
        .map_err(|_| EntryError::NotBase64)?;
    let text = std::str::from_utf8(&decoded[..length]).map_err(|_| EntryError::NotUtf8)?;
    let (username, password) = text.split_once(':').ok_or(EntryError::NoColon)?;
    Ok((username.to_owned(), Secret::from(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_with_and_without_padding_decode() {
        for auth in ["dTpwPz8/fn5+Pj4+", "dTpwPz8_fn5-Pj4-", "dTpw\r\nPz8/fn5+\nPj4+\n"] {
            let (username, password) = decode(auth).unwrap();
            assert_eq!(
                (username.as_str(), password.expose().as_str()),
                ("u", "p???~~~>>>"),
                "{auth}"
            );
        }
        for auth in ["dTpwdw==", "dTpwdw=", "dTpwdw", "dTpwdx=="] {
            assert_eq!(decode(auth).unwrap().1.expose(), "pw", "{auth}");
        }
    }

    #[test]
    fn the_first_colon_splits() {
        let (username, password) = decode("dTphOmI6Yw==").unwrap();
        assert_eq!((username.as_str(), password.expose().as_str()), ("u", "a:b:c"));
    }

    #[test]
    fn what_is_not_user_and_password_is_told_apart() {
        for (auth, expected) in [
            ("!!!notbase64", EntryError::NotBase64),
            ("A", EntryError::NotBase64),
            ("dT=pw", EntryError::NotBase64),
            ("bm9jb2xvbg==", EntryError::NoColon),
            ("", EntryError::NoColon),
            ("//8=", EntryError::NotUtf8),
        ] {
            assert_eq!(decode(auth).unwrap_err(), expected, "{auth}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_user_and_password_comes_back(username in "[^:]*", password in ".*") {
            let text = format!("{username}:{password}");
            for engine in [&base64::prelude::BASE64_STANDARD, &base64::prelude::BASE64_URL_SAFE_NO_PAD] {
                let (found, secret) = decode(&engine.encode(&text)).unwrap();
                proptest::prop_assert_eq!((&found, secret.expose()), (&username, &password));
            }
        }

        #[test]
        fn no_text_panics(auth in ".*") {
            let _ = decode(&auth);
        }
    }
}
