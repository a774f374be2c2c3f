//! Choosing containers by their names.

use crate::object::likely;
use crate::{ContainerImage, Problem, TaskError, TaskImages};

impl TaskImages {
    /// The containers of these names, in the order of the document; all of them if no name is given.
    ///
    /// # Errors
    ///
    /// [`TaskError`] with every name that no container has, the names there are, and the one that was probably meant.
    ///
    /// ```
    /// use ecs_registry_auth::Origin;
    ///
    /// let document = r#"{"containerDefinitions": [{"name": "app", "image": "busybox"}]}"#;
    /// let task = ecs_task_images::parse(document, &Origin::file("task.json"))?;
    /// assert_eq!(task.select::<&str>(&[])?.len(), 1);
    /// let error = task.select(&["ap"]).unwrap_err();
    /// assert_eq!(error.problems()[0].next_step(), "did you mean \"app\"?");
    /// # Ok::<(), ecs_task_images::TaskError>(())
    /// ```
    pub fn select<N: AsRef<str>>(&self, names: &[N]) -> Result<Vec<&ContainerImage>, TaskError> {
        let known = || self.containers.iter().map(|container| container.name.as_str());
        let unknown = names
            .iter()
            .map(AsRef::as_ref)
            .filter(|name| !known().any(|other| other == *name));
        let unknown = unknown.map(|name| {
            let there_are: Vec<String> = known().map(|other| format!("{other:?}")).collect();
            let next_step = match likely(name, known()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("choose among {}", there_are.join(", ")),
            };
            Problem::new(
                self.origin.clone(),
                format!(
                    "no container is named {name:?}; there are {}",
                    there_are.join(", ")
                ),
                next_step,
            )
        });
        let problems: Vec<Problem> = unknown.collect();
        if !problems.is_empty() {
            return Err(TaskError::new(problems));
        }
        let selected = |container: &&ContainerImage| {
            names.is_empty() || names.iter().any(|name| name.as_ref() == container.name)
        };
        Ok(self.containers.iter().filter(selected).collect())
    }
}
