//! The one place that takes secrets out of a text.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{RegistryCredential, Secret};

mod url;

/// What stands where a secret was.
pub(crate) const REDACTED: &str = "[redacted]";

/// A secret shorter than this is removed only where it stands alone: it occurs in ordinary words too.
const SHORT: usize = 4;

/// Encoded forms shorter than this are not looked for: they occur by chance.
const SHORTEST_ENCODED: usize = 5;

/// Takes secrets out of texts that leave the process: what a registry or an engine said, what is logged.
///
/// * URLs lose their user info, and of their query string every value but those of a few parameters that say what was
///   asked for (`service`, `scope`, `ns`, `platform`, ...). That needs no secret to be known.
/// * Known secrets are removed, as they are, percent-encoded, escaped as in JSON, and inside any base64 (both
///   alphabets, at each of the three alignments), as in `Authorization: Basic` and `X-Registry-Auth`.
///
/// ```
/// use ecs_registry_auth::{Redactor, Secret};
///
/// let redactor = Redactor::new().with_secret(&Secret::from("correct horse"));
/// assert_eq!(
///     redactor.redact("Get https://alice:x@r.example.com/v2/?token=abc&scope=pull: correct horse is wrong"),
///     "Get https://[redacted]@r.example.com/v2/?token=[redacted]&scope=pull: [redacted] is wrong",
/// );
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, the longest first.
    forms: Vec<Form>,
}

#[derive(Clone)]
struct Form {
    text: Zeroizing<String>,
    alone: bool,
}

impl Redactor {
    /// Without known secrets: cleans URLs alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more secret. An empty one is ignored.
    #[must_use]
    pub fn with_secret(mut self, secret: &Secret<String>) -> Self {
        self.add(secret.expose());
        self
    }

    /// The same with every secret field of a credential.
    #[must_use]
    pub fn with_credential(mut self, credential: &RegistryCredential) -> Self {
        for secret in credential.secrets() {
            self.add(secret.expose());
        }
        self
    }

    /// The text without secrets; borrowed when there was nothing to take out.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = url::clean(text);
        for form in &self.forms {
            if let Some(replaced) = form.remove(&text) {
                text = Cow::Owned(replaced);
            }
        }
        text
    }

    fn add(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let escaped = json_escaped(secret);
        let mut forms = vec![
            (Zeroizing::new(secret.to_owned()), secret.len() < SHORT),
            (escaped.clone(), secret.len() < SHORT),
        ];
        for encoded in percent_encoded(secret) {
            forms.push((encoded, secret.len() < SHORT));
        }
        for plain in [secret, &escaped] {
            for alignment in 0..3 {
                for encoded in inside_base64(plain.as_bytes(), alignment) {
                    if encoded.len() >= SHORTEST_ENCODED {
                        forms.push((encoded, false));
                    }
                }
            }
        }
        for (text, alone) in forms {
            if !self.forms.iter().any(|form| form.text == text) {
                self.forms.push(Form { text, alone });
            }
        }
        // The longest first: a form must not be broken by the removal of one that is part of it.
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    }
}

impl Form {
    fn remove(&self, text: &str) -> Option<String> {
        let needle = self.text.as_str();
        let mut result = String::new();
        let mut rest = 0;
        let mut from = 0;
        while let Some(found) = text[from..].find(needle).map(|offset| from + offset) {
            let end = found + needle.len();
            if self.alone && !stands_alone(text, found, end) {
                from = found + needle.chars().next().map_or(1, char::len_utf8);
                continue;
            }
            result.push_str(&text[rest..found]);
            result.push_str(REDACTED);
            rest = end;
            from = end;
        }
        (rest > 0).then(|| result + &text[rest..])
    }
}

fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let word = |character: char| character.is_alphanumeric();
    !text[..start].chars().next_back().is_some_and(word) && !text[end..].chars().next().is_some_and(word)
}

/// The characters of a base64 text that depend on `secret` alone, when it begins at this alignment (0 to 2) within
/// whatever was encoded.
fn inside_base64(secret: &[u8], alignment: usize) -> [Zeroizing<String>; 2] {
    let mut shifted = Zeroizing::new(vec![0; alignment]);
    shifted.extend_from_slice(secret);
    // A character holds 6 bits: those that share a byte with a neighbour are left out on either side.
    let first = (alignment * 8).div_ceil(6);
    let last = shifted.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| {
        let whole = Zeroizing::new(alphabet.encode(&*shifted));
        Zeroizing::new(whole.get(first..last).unwrap_or_default().to_owned())
    })
}

/// As in a URL (either case of the digits) and as in a form, where a space is `+`.
fn percent_encoded(secret: &str) -> [Zeroizing<String>; 3] {
    let encode = |lower: bool, form: bool| {
        // Large enough not to be moved while it grows, which would leave a copy behind.
        let mut encoded = Zeroizing::new(String::with_capacity(secret.len() * 3));
        for byte in secret.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    encoded.push(char::from(byte));
                }
                b' ' if form => encoded.push('+'),
                _ if lower => _ = write!(encoded, "%{byte:02x}"),
                _ => _ = write!(encoded, "%{byte:02X}"),
            }
        }
        encoded
    };
    [encode(false, false), encode(true, false), encode(false, true)]
}

/// As inside a JSON string, without its quotes.
fn json_escaped(secret: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(secret.len() * 6));
    for character in secret.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            control if control < ' ' => _ = write!(escaped, "\\u{:04x}", u32::from(control)),
            other => escaped.push(other),
        }
    }
    escaped
}

/// How many secrets it knows is all that is shown.
impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redactor")
            .field("forms", &self.forms.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn redactor(secret: &str) -> Redactor {
        Redactor::new().with_secret(&Secret::from(secret))
    }

    #[test]
    fn every_form_of_a_secret_is_removed() {
        let secret = "p>>>?~~~\"s\u{e4}cret\\ w";
        let redactor = redactor(secret);
        let json = format!(
            "{{\"username\":\"al\",\"password\":\"{}\"}}",
            *json_escaped(secret)
        );
        for text in [
            secret.to_owned(),
            json.clone(),
            percent_encoded(secret)[0].to_string(),
            percent_encoded(secret)[1].to_string(),
            percent_encoded(secret)[2].to_string(),
        ] {
            let clean = redactor.redact(&text).into_owned();
            assert!(clean.contains(REDACTED), "{clean}");
            assert!(!clean.contains("cret"), "{clean}");
        }
        for prefix in ["", "a", "ab", "abc"] {
            let basic = format!("{prefix}:{secret}");
            for encoded in [
                STANDARD.encode(&basic),
                URL_SAFE.encode(&basic),
                URL_SAFE.encode(&json),
            ] {
                let clean = redactor.redact(&encoded).into_owned();
                assert!(clean.contains(REDACTED), "{clean}");
                let inside = encoded.len() * 3 / 4;
                let middle = &encoded[inside - 2..inside + 2];
                assert!(!clean.contains(middle), "{clean} holds {middle}");
            }
        }
    }

    #[test]
    fn a_short_secret_spares_ordinary_words() {
        let redactor = redactor("id");
        assert_eq!(
            redactor.redact("invalid id: \"id\""),
            "invalid [redacted]: \"[redacted]\""
        );
    }

    #[test]
    fn a_text_without_secrets_is_borrowed() {
        assert!(matches!(
            redactor("hunter22").redact("Get https://r.example.com/v2/: EOF"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", redactor("hunter22")).contains("hunter22"));
    }

    proptest! {
        #[test]
        fn a_secret_never_survives(secret in "[ -~]{4,40}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            prop_assume!(!REDACTED.contains(&secret));
            let text = format!("{before} {secret} {after}");
            let clean = redactor(&secret).redact(&text).into_owned();
            prop_assert!(!clean.replace(REDACTED, "\0").contains(&secret), "{}", clean);
        }

        #[test]
        fn a_secret_never_survives_in_base64(
            secret in "\\PC{6,40}", before in "[ -~]{0,5}", after in "[ -~]{0,5}"
        ) {
            let encoded = STANDARD.encode(format!("{before}{secret}{after}"));
            let clean = redactor(&secret).redact(&encoded).into_owned();
            prop_assert!(clean.contains(REDACTED), "{}", clean);
        }
    }
}
