//! One container: its image, and what it says about credentials.

use std::collections::HashMap;

use ecs_registry_auth::{ImageReference, Origin};

use crate::document::Node;
use crate::object::{Object, Problems, boolean, list, text};
use crate::{ContainerImage, Problem, credential, image};

/// Reads a list of containers. `field` is the list's name.
pub(crate) fn read_all(
    node: &Node<'_>,
    field: &str,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Vec<ContainerImage> {
    let Some(items) = list(node, &format!("field {field:?}"), problems) else {
        return Vec::new();
    };
    if items.is_empty() {
        problems.push(node.problem(
            format!("field {field:?} is an empty list"),
            "describe at least one container",
        ));
    }
    let mut containers: Vec<ContainerImage> = Vec::new();
    let mut taken: HashMap<String, Origin> = HashMap::new();
    for item in items {
        let read = read(&item, problems, notes);
        problems.enter(None);
        notes.enter(None);
        let Some(container) = read else { continue };
        match taken.get(&container.name) {
            Some(other) => problems.push(item.problem(
                format!("container name {:?} is already taken at {other}", container.name),
                "give every container a name of its own",
            )),
            None => {
                taken.insert(container.name.clone(), container.origin.clone());
                containers.push(container);
            }
        }
    }
    containers
}

fn read(node: &Node<'_>, problems: &mut Problems, notes: &mut Problems) -> Option<ContainerImage> {
    let object = Object::read(node, "a container", problems)?;
    let name = object
        .required("name", "name the container", problems)
        .and_then(|name| text(&name, "the container's name", "name the container", problems));
    problems.enter(name.clone());
    notes.enter(name.clone());

    let image_node = object.required("image", IMAGE_STEP, problems);
    let written = image_node
        .as_ref()
        .and_then(|image| text(image, "field \"image\"", IMAGE_STEP, problems));
    let essential = object
        .optional("essential", problems)
        .is_none_or(|essential| boolean(&essential, "field \"essential\"", problems).unwrap_or(true));
    let credential = credential::read(&object, problems);
    credential::note_lookalikes(&object, credential.as_ref(), notes);

    let written = written?;
    let reference: Result<ImageReference, Problem> = ImageReference::parse(&written).map_err(|error| {
        let (message, next_step) = image::explain(&written, error.kind());
        image_node
            .as_ref()
            .unwrap_or(node)
            .problem(message, next_step)
            .with_container(problems.container())
    });
    Some(ContainerImage {
        name: name?,
        image: image::presentable(&written, &reference),
        reference,
        credential: credential?,
        essential,
        origin: node.origin(),
    })
}

const IMAGE_STEP: &str = "write the image as [host[:port]/]path[:tag][@digest]";
