//! Choosing containers by name.

use ecs_registry_auth::{Diagnosis, ErrorClass};
use ecs_task_images::TaskImages;

fn task() -> TaskImages {
    crate::parse(include_str!("../vectors/register.json")).unwrap()
}

fn names(task: &TaskImages, names: &[&str]) -> Vec<String> {
    let selected = task.select(names).unwrap();
    selected
        .into_iter()
        .map(|container| container.name.clone())
        .collect()
}

#[test]
fn no_name_is_all_containers() {
    assert_eq!(names(&task(), &[]), ["app", "proxy", "log"]);
}

#[test]
fn containers_keep_the_order_of_the_document_and_come_once() {
    assert_eq!(names(&task(), &["log", "app", "log"]), ["app", "log"]);
}

#[test]
fn unknown_names_are_reported_together_with_those_there_are() {
    let error = task().select(&["app", "prxy", "database"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "task.json: no container is named \"prxy\"; there are \"app\", \"proxy\", \"log\"\n\
         task.json: no container is named \"database\"; there are \"app\", \"proxy\", \"log\""
    );
    assert_eq!(error.problems()[0].next_step(), "did you mean \"proxy\"?");
    assert_eq!(
        error.problems()[1].next_step(),
        "choose among \"app\", \"proxy\", \"log\""
    );
    assert_eq!(Diagnosis::from(error).class(), ErrorClass::Configuration);
}
