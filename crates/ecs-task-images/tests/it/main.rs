//! Documents in, tasks or problems out.

#![expect(clippy::unwrap_used, reason = "what a test's helper cannot do fails the test")]

mod accepted;
mod properties;
mod rejected;
mod select;

use ecs_registry_auth::Origin;
use ecs_task_images::{TaskError, TaskImages};

/// A document that was read from `task.json`.
fn parse(document: &str) -> Result<TaskImages, TaskError> {
    ecs_task_images::parse(document, &Origin::file("task.json"))
}
