//! Objects whose fields are read by name, with every problem on the way collected instead of thrown.

use crate::Problem;
use crate::document::{Kind, Node};

/// What has been found so far, and the container that is being read.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    container: Option<String>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.found.push(problem.with_container(self.container.clone()));
    }

    /// From here on everything is about this container.
    pub(crate) fn enter(&mut self, container: Option<String>) {
        self.container = container;
    }

    pub(crate) fn container(&self) -> Option<String> {
        self.container.clone()
    }

    pub(crate) fn into_found(self) -> Vec<Problem> {
        self.found
    }
}

/// An object of the document.
///
/// Field names are those of the ECS API (`containerDefinitions`); a capital first letter, as some SDKs print them
/// (`ContainerDefinitions`), is the same field. `null` is an absent field.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    node: Node<'a>,
    fields: Vec<(String, Node<'a>)>,
}

impl<'a> Object<'a> {
    /// The fields of a value that has to be an object.
    pub(crate) fn read(node: &Node<'a>, what: &str, problems: &mut Problems) -> Option<Self> {
        if !is(node, what, Kind::Object, problems) {
            return None;
        }
        let Some(fields) = node.fields() else {
            problems.push(node.problem(
                format!("{what} has a field name with an escape that is no character"),
                "correct the \\u escape in the field's name",
            ));
            return None;
        };
        Some(Self {
            node: node.clone(),
            fields,
        })
    }

    pub(crate) fn node(&self) -> &Node<'a> {
        &self.node
    }

    /// Whether the field is there and not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.matching(name).any(|(_, node)| node.kind() != Kind::Null)
    }

    /// The names of all fields, as they were written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// A field. One that is written twice is a problem: readers of JSON do not agree on which counts.
    pub(crate) fn get(&self, name: &str, problems: &mut Problems) -> Option<Node<'a>> {
        let mut matching = self.matching(name);
        let (_, first) = matching.next()?;
        if let Some((_, second)) = matching.next() {
            problems.push(second.problem(format!("field {name:?} is written twice"), "keep one of the two"));
            return None;
        }
        (first.kind() != Kind::Null).then(|| first.clone())
    }

    /// A field that may be missing, but not through a slip in its name.
    pub(crate) fn optional(&self, name: &str, problems: &mut Problems) -> Option<Node<'a>> {
        if self.matching(name).next().is_some() {
            return self.get(name, problems);
        }
        if let Some((written, node)) = self.fields.iter().find(|(written, _)| is_slip(written, name)) {
            problems.push(node.problem(
                format!("field {written:?} does not exist; {name:?} is probably meant"),
                format!("rename it to {name:?}"),
            ));
        }
        None
    }

    /// A field that has to be there.
    pub(crate) fn required(&self, name: &str, next_step: &str, problems: &mut Problems) -> Option<Node<'a>> {
        let before = problems.found.len();
        let node = self.optional(name, problems);
        if node.is_none() && problems.found.len() == before {
            problems.push(self.node.problem(format!("field {name:?} is missing"), next_step));
        }
        node
    }

    fn matching(&self, name: &str) -> impl Iterator<Item = &(String, Node<'a>)> {
        self.fields.iter().filter(move |(written, _)| {
            written == name
                || (written.len() == name.len()
                    && written.as_bytes().first().map(u8::to_ascii_lowercase) == name.bytes().next()
                    && written.get(1..) == name.get(1..))
        })
    }
}

/// The items of a value that has to be a list.
pub(crate) fn list<'a>(node: &Node<'a>, what: &str, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
    is(node, what, Kind::List, problems).then(|| node.items())
}

/// A value that has to be a text and not empty.
pub(crate) fn text(node: &Node<'_>, what: &str, next_step: &str, problems: &mut Problems) -> Option<String> {
    let text = possibly_empty(node, what, problems)?;
    if text.trim().is_empty() {
        problems.push(node.problem(format!("{what} is empty"), next_step));
        return None;
    }
    Some(text)
}

/// An ARN, name or id: a text without white space, which copying tends to bring along.
pub(crate) fn identifier(
    node: &Node<'_>,
    what: &str,
    next_step: &str,
    problems: &mut Problems,
) -> Option<String> {
    let text = text(node, what, next_step, problems)?;
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        problems.push(node.problem(format!("{what} has white space in it"), next_step));
        return None;
    }
    Some(text)
}

/// A value that has to be a text; the empty text, which machines write for "not set", is `None`.
pub(crate) fn text_or_unset(node: &Node<'_>, what: &str, problems: &mut Problems) -> Option<String> {
    possibly_empty(node, what, problems).filter(|text| !text.is_empty())
}

/// A value that has to be `true` or `false`.
pub(crate) fn boolean(node: &Node<'_>, what: &str, problems: &mut Problems) -> Option<bool> {
    if is(node, what, Kind::Boolean, problems) {
        node.boolean()
    } else {
        None
    }
}

/// The name among `candidates` that was probably meant by `written`.
pub(crate) fn likely<'n>(written: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    candidates
        .into_iter()
        .filter(|candidate| is_slip(written, candidate))
        .min_by_key(|candidate| strsim::damerau_levenshtein(written, candidate))
}

fn possibly_empty(node: &Node<'_>, what: &str, problems: &mut Problems) -> Option<String> {
    if !is(node, what, Kind::Text, problems) {
        return None;
    }
    let text = node.text();
    if text.is_none() {
        problems.push(node.problem(
            format!("{what} has an escape that is no character"),
            "correct the \\u escape",
        ));
    }
    text
}

fn is(node: &Node<'_>, what: &str, wanted: Kind, problems: &mut Problems) -> bool {
    let found = node.kind();
    if found == wanted {
        return true;
    }
    let is_intrinsic = found == Kind::Object
        && node.fields().is_some_and(|fields| {
            fields
                .iter()
                .any(|(name, _)| name == "Ref" || name.starts_with("Fn::"))
        });
    let next_step = if is_intrinsic {
        "write the value itself: CloudFormation functions have no meaning here".to_owned()
    } else {
        format!("write {wanted}")
    };
    problems.push(node.problem(format!("{what} is {found}, not {wanted}"), next_step));
    false
}

/// Whether somebody who meant `name` may have written `written`: other capitals or separators, or about one letter
/// in five wrong.
fn is_slip(written: &str, name: &str) -> bool {
    let (written, name) = (letters(written), letters(name));
    let limit = (name.len() / 5).max(1);
    // The distance takes time in proportion to both lengths, and field names can be as long as the document.
    written.len().abs_diff(name.len()) <= limit && strsim::damerau_levenshtein(&written, &name) <= limit
}

fn letters(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
