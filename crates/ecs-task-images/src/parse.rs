//! From a text to a task.

use ecs_registry_auth::Origin;

use crate::document::Document;
use crate::object::Problems;
use crate::shape::{self, Shape};
use crate::{TaskError, TaskImages, syntax, task};

/// Reads a document of any supported [shape](crate#shapes).
///
/// `origin` is where the text was read from, for messages: [`Origin::file`], or words such as `standard input`.
/// A byte order mark is accepted. Nothing is opened and nobody is asked.
///
/// # Errors
///
/// [`TaskError`] with everything that is wrong, each with its line. An image that is no reference is not among it: it
/// is an error of [its container](crate::ContainerImage::reference).
///
/// ```
/// use ecs_registry_auth::Origin;
///
/// let origin = Origin::file("task.json");
/// let error = ecs_task_images::parse("{\n  \"containerDefinitions\": [{\"image\": \"nginx\"}]\n}", &origin).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "task.json:2: field \"name\" is missing (at /containerDefinitions/0)"
/// );
/// ```
pub fn parse(text: &str, origin: &Origin) -> Result<TaskImages, TaskError> {
    let document = Document::new(text.strip_prefix('\u{feff}').unwrap_or(text), origin);
    let root = document
        .root()
        .map_err(|error| syntax::explain(&document, &error))?;
    let mut problems = Problems::default();
    let mut notes = Problems::default();
    let task = shape::detect(&root, &mut problems).map(|shape| match shape {
        Shape::Definition(definition) => task::definition(&definition, origin, &mut problems, &mut notes),
        Shape::Payload(payload) => task::payload(&payload, origin, &mut problems, &mut notes),
    });
    match (task, problems.into_found()) {
        (Some(mut task), found) if found.is_empty() => {
            task.notes = notes.into_found();
            Ok(task)
        }
        // A document without a shape has a problem that says so.
        (_, found) => Err(TaskError::new(found)),
    }
}

/// [`parse`] for bytes, as they come from a file or a pipe.
///
/// # Errors
///
/// As [`parse`]; and when the bytes are not UTF-8, with what they are if that can be told.
pub fn parse_bytes(bytes: &[u8], origin: &Origin) -> Result<TaskImages, TaskError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, origin),
        Err(error) => Err(syntax::not_utf8(bytes, error.valid_up_to(), origin).into()),
    }
}
