//! JSON as Go reads it, in pieces, and without copies of secrets that nobody erases.
//!
//! A document is cut into raw members first and each is decoded by itself: one wrong type spoils one entry and not
//! the document, and a string goes from the text straight into memory that is zeroized.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::engine_auth::key::shown;

/// The members of an object in written order, duplicates included.
pub(crate) type Members<'a> = Vec<(String, &'a RawValue)>;

/// The type of a value, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

pub(crate) fn kind(raw: &RawValue) -> Kind {
    match raw.get().as_bytes().first() {
        Some(b'n') => Kind::Null,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'"') => Kind::String,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        _ => Kind::Number,
    }
}

/// Checks a whole document.
///
/// # Errors
///
/// Where it is malformed: line, column and the keys that lead there, and none of its values.
pub(crate) fn document(text: &str) -> Result<&RawValue, String> {
    serde_json::from_str(text).map_err(|error| {
        let mut path = Vec::new();
        // Reads the same text again, only to learn in which member it stops.
        let _ = Locate(&mut path, 0).deserialize(&mut serde_json::Deserializer::from_str(text));
        let mut place = match path.as_slice() {
            [] => String::new(),
            [first, ..] => format!(", in {:?}", shown(first)),
        };
        if let [_, second, ..] = path.as_slice() {
            place.push_str(&format!(", field {:?}", shown(second)));
        }
        format!("not valid JSON{place}: {error}")
    })
}

/// The members of a checked value; `None` if it is not an object.
pub(crate) fn members(raw: &RawValue) -> Option<Members<'_>> {
    serde_json::Deserializer::from_str(raw.get())
        .deserialize_map(MembersVisitor)
        .ok()
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(access.size_hint().unwrap_or(0));
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// Records the keys on the way to the place where a document breaks, two levels deep.
struct Locate<'a>(&'a mut Vec<String>, usize);

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(key) = access.next_key::<String>()? {
            self.0.truncate(self.1);
            self.0.push(key);
            if self.1 == 0 {
                access.next_value_seed(Locate(&mut *self.0, 1))?;
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        self.0.truncate(self.1);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The text of a checked string; `None` for any other type.
///
/// As in Go, an unpaired surrogate becomes U+FFFD.
pub(crate) fn string(raw: &RawValue) -> Option<Zeroizing<String>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    // An escape is never shorter than what it stands for, so this never grows and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let (character, after) = unescape(&rest[backslash + 1..])?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// One escape, without its backslash, and what follows it.
fn unescape(rest: &str) -> Option<(char, &str)> {
    let mut characters = rest.chars();
    let character = match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unescape_unicode(characters.as_str()),
        itself => itself,
    };
    Some((character, characters.as_str()))
}

fn unescape_unicode(rest: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(rest)?;
    let rest = &rest[4..];
    let second = rest.strip_prefix("\\u").and_then(unit);
    let mut decoded = char::decode_utf16(std::iter::once(first).chain(second));
    match decoded.next()? {
        Ok(character) => {
            let taken = if character.len_utf16() == 2 {
                "\\u0000".len()
            } else {
                0
            };
            Some((character, &rest[taken..]))
        }
        Err(_) => Some((char::REPLACEMENT_CHARACTER, rest)),
    }
}

/// Whether Go takes `name` for the field `field` (lower-case ASCII): without regard to case, with the two letters
/// outside of ASCII that fold into it.
pub(crate) fn is_field(name: &str, field: &str) -> bool {
    name.chars()
        .map(|character| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .eq(field.chars())
}

/// Counts the line (from 1) of members of one text, asked for in written order.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line in which a part of the text starts.
    pub(crate) fn of(&mut self, part: &RawValue) -> u32 {
        let offset = (part.get().as_ptr().addr()).wrapping_sub(self.text.as_ptr().addr());
        if let Some(between) = self.text.as_bytes().get(self.offset..offset) {
            let breaks = between.iter().filter(|byte| **byte == b'\n').count();
            self.line = self
                .line
                .saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
            self.offset = offset;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_document_names_line_column_and_field_and_no_value() {
        let message =
            document("{\"a.example.com\": {},\n \"b.example.com\": {\"auth\": \"c2VjcmV0\" \"x\": 1}}")
                .unwrap_err();
        assert_eq!(
            message,
            "not valid JSON, in \"b.example.com\", field \"auth\": expected `,` or `}` at line 2 column 39"
        );
    }

    #[test]
    fn the_place_is_that_of_the_mistake_whatever_comes_before_it() {
        let before = r#""a": "x", "b": [1, {"y": 2}], "c": null, "d": -1, "e": 1.5, "f": true, "g": 1"#;
        let message = document(&format!("{{{before}, \"h\": {{\"auth\" 1}}}}")).unwrap_err();
        assert!(
            message.starts_with("not valid JSON, in \"h\", field \"auth\": "),
            "{message}"
        );
        let message = document("{\"a\": {\"x\": 1}, \"b\": }").unwrap_err();
        assert!(message.starts_with("not valid JSON, in \"b\": "), "{message}");
    }

    #[test]
    fn strings_decode_as_in_go() {
        for (written, expected) in [
            (r#""""#, ""),
            (r#""p\"q\\\/\b\f\n\r\t""#, "p\"q\\/\u{8}\u{c}\n\r\t"),
            (r#""p\u00e4ss""#, "päss"),
            (r#""\ud83d\ude00x""#, "😀x"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            let raw = document(written).unwrap();
            assert_eq!(*string(raw).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn field_names_fold_as_in_go() {
        for name in ["password", "PASSWORD", "pa\u{17f}\u{17f}word"] {
            assert!(is_field(name, "password"), "{name}");
        }
        assert!(is_field("identityto\u{212a}en", "identitytoken"));
        assert!(!is_field("password ", "password"));
    }

    #[test]
    fn lines_are_counted_from_the_start_of_the_text() {
        let text = "{\n\"a\": 1,\n\n\"b\":\n 2}";
        let members = members(document(text).unwrap()).unwrap();
        let mut lines = Lines::new(text);
        let found: Vec<u32> = members.iter().map(|(_, raw)| lines.of(raw)).collect();
        assert_eq!(found, [2, 5]);
    }

    proptest::proptest! {
        #[test]
        fn every_string_comes_back(text in ".*") {
            let written = serde_json::to_string(&text).unwrap();
            proptest::prop_assert_eq!(&*string(document(&written).unwrap()).unwrap(), &text);
        }

        #[test]
        fn any_raw_string_decodes_where_serde_decodes_it(inner in r#"([a-zé]|\\u[0-9a-fA-F]{4}|\\[nrtbf/"\\]){0,8}"#) {
            let written = format!("\"{inner}\"");
            let ours = string(document(&written).unwrap()).unwrap();
            if let Ok(theirs) = serde_json::from_str::<String>(&written) {
                proptest::prop_assert_eq!(&*ours, &theirs);
            }
        }
    }
}
