//! Which of the shapes a document has. A further shape is a variant here and a reader beside [`task`](crate::task).

use crate::document::{Kind, Node};
use crate::object::{Object, Problems, likely, list};

/// How to get a document that can be read.
pub(crate) const DESCRIBE: &str =
    "pass a task definition, as `aws ecs describe-task-definition --task-definition NAME` prints it";

/// What a document describes, unwrapped.
#[derive(Debug)]
pub(crate) enum Shape<'a> {
    /// A task definition.
    Definition(Object<'a>),
    /// A task as the control plane describes it to an agent.
    Payload(Object<'a>),
}

/// The document's shape; `None` with a problem when it has none.
pub(crate) fn detect<'a>(root: &Node<'a>, problems: &mut Problems) -> Option<Shape<'a>> {
    if root.kind() == Kind::List {
        problems.push(root.problem(
            "the document is a list, not an object",
            "write a list of containers as {\"containerDefinitions\": [...]}, with the execution role beside it",
        ));
        return None;
    }
    let object = Object::read(root, "the document", problems)?;
    if object.has("taskDefinition") {
        let wrapped = object.get("taskDefinition", problems)?;
        if wrapped.kind() == Kind::Text {
            problems.push(wrapped.problem("field \"taskDefinition\" only names a task definition", DESCRIBE));
            return None;
        }
        let definition = Object::read(&wrapped, "field \"taskDefinition\"", problems)?;
        return Some(Shape::Definition(definition));
    }
    if object.has("containerDefinitions") {
        return Some(Shape::Definition(object));
    }
    if let Some((what, next_step)) = foreign(&object) {
        problems.push(root.problem(
            format!("the document is {what}, not a task definition"),
            next_step,
        ));
        return None;
    }
    if object.has("tasks") {
        return only_task(&object, problems).map(Shape::Payload);
    }
    if object.has("containers") {
        return Some(Shape::Payload(object));
    }
    if object
        .names()
        .any(|name| likely(name, ["taskDefinition"]).is_some())
    {
        object.required("taskDefinition", DESCRIBE, problems);
        return None;
    }
    // Its reader says what is missing.
    Some(Shape::Definition(object))
}

/// The task of a payload message. Roles differ from task to task, so only one can be answered for.
fn only_task<'a>(message: &Object<'a>, problems: &mut Problems) -> Option<Object<'a>> {
    let node = message.get("tasks", problems)?;
    let tasks = list(&node, "field \"tasks\"", problems)?;
    let [task] = tasks.as_slice() else {
        problems.push(node.problem(
            format!("field \"tasks\" holds {} tasks", tasks.len()),
            "pass one task at a time",
        ));
        return None;
    };
    let task = Object::read(task, "the task", problems)?;
    if task.has("taskDefinitionArn") || task.has("lastStatus") {
        // It names images but not their credentials: pulling from it would be an anonymous pull.
        problems.push(task.node().problem(
            "the document is what `aws ecs describe-tasks` prints, which leaves the credentials out",
            "pass the task's definition, as `aws ecs describe-task-definition` prints it",
        ));
        return None;
    }
    Some(task)
}

/// Other documents that name images, by a field that gives them away.
fn foreign(object: &Object<'_>) -> Option<(&'static str, &'static str)> {
    let batch = (
        "a job definition of AWS Batch",
        "pass the ECS task definition that Batch registered for it",
    );
    let template = (
        "a CloudFormation template",
        "deploy it, and pass what `aws ecs describe-task-definition` prints of its task definition",
    );
    [
        ("AWSTemplateFormatVersion", template),
        ("Resources", template),
        ("jobDefinitions", batch),
        ("jobDefinitionName", batch),
        ("containerProperties", batch),
        ("ecsProperties", batch),
        ("nodeProperties", batch),
        (
            "taskDefinitionArns",
            ("a list of task definitions' names", DESCRIBE),
        ),
        ("services", ("a list of services or a compose file", DESCRIBE)),
        ("apiVersion", ("a Kubernetes object", DESCRIBE)),
        ("auths", ("Docker's configuration of credentials", DESCRIBE)),
    ]
    .into_iter()
    .find_map(|(field, answer)| object.has(field).then_some(answer))
}
