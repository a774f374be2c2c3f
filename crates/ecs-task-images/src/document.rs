//! JSON whose values know the line they stand on.
//!
//! A [`Node`] is a slice of the document's text, read one level at a time: only what is asked for is decoded, and the
//! secrets that a control plane payload holds are never copied.

use std::fmt;

use ecs_registry_auth::Origin;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Problem;

/// A text and where it came from.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    origin: &'a Origin,
    /// Where each line but the first starts, because every container asks for its own.
    line_starts: Vec<usize>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(text: &'a str, origin: &'a Origin) -> Self {
        let line_starts = text.match_indices('\n').map(|(end, _)| end + 1).collect();
        Self {
            text,
            origin,
            line_starts,
        }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// The outermost value.
    pub(crate) fn root(&'a self) -> Result<Node<'a>, serde_json::Error> {
        Ok(Node {
            document: self,
            raw: serde_json::from_str::<&RawValue>(self.text)?.get(),
            pointer: String::new(),
        })
    }

    /// The place of a line, counted from 1.
    pub(crate) fn line(&self, line: usize) -> Origin {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match self.origin {
            Origin::File { path, .. } => Origin::File {
                path: path.clone(),
                line: Some(line),
            },
            other => Origin::other(format!("{other}:{line}")),
        }
    }
}

/// What a value is, in the words of an error message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    List,
    Text,
    Number,
    Boolean,
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Object => "an object",
            Self::List => "a list",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Null => "null",
        })
    }
}

/// A value of a document.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    document: &'a Document<'a>,
    raw: &'a str,
    pointer: String,
}

impl<'a> Node<'a> {
    pub(crate) fn kind(&self) -> Kind {
        match self.raw.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The fields of an object in their order, repeated ones included. `None` for anything else, and when a name has
    /// escapes that are no characters.
    pub(crate) fn fields(&self) -> Option<Vec<(String, Node<'a>)>> {
        let fields = serde_json::Deserializer::from_str(self.raw)
            .deserialize_map(Fields)
            .ok()?;
        let nodes = fields.into_iter().map(|(name, raw)| {
            let step = name.replace('~', "~0").replace('/', "~1");
            let node = self.child(raw, &step);
            (name, node)
        });
        Some(nodes.collect())
    }

    /// The items of a list; nothing for anything else.
    pub(crate) fn items(&self) -> Vec<Node<'a>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.raw).unwrap_or_default();
        items
            .into_iter()
            .enumerate()
            .map(|(index, raw)| self.child(raw, &index.to_string()))
            .collect()
    }

    /// The value of a text. `None` for anything else, and for escapes that are no characters.
    pub(crate) fn text(&self) -> Option<String> {
        serde_json::from_str(self.raw).ok()
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        serde_json::from_str(self.raw).ok()
    }

    pub(crate) fn origin(&self) -> Origin {
        // Both are slices of the same text, so the difference of their addresses is an offset into it.
        let offset = (self.raw.as_ptr() as usize).saturating_sub(self.document.text.as_ptr() as usize);
        let earlier_lines = self
            .document
            .line_starts
            .partition_point(|start| *start <= offset);
        self.document.line(1 + earlier_lines)
    }

    pub(crate) fn problem(&self, message: impl Into<String>, next_step: impl Into<String>) -> Problem {
        Problem::new(self.origin(), message, next_step).with_pointer(self.pointer.clone())
    }

    fn child(&self, raw: &'a RawValue, step: &str) -> Self {
        Self {
            document: self.document,
            raw: raw.get(),
            pointer: format!("{}/{step}", self.pointer),
        }
    }
}

/// Collects an object's fields without losing repeated ones.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}
