//! Tasks: as the ECS API defines them and as the control plane sends them to an agent.

use ecs_registry_auth::Origin;

use crate::document::Node;
use crate::object::{Object, Problems, identifier, text};
use crate::{Platform, TaskImages, container, credential};

const ROLE_STEP: &str = "write the role's ARN, or remove the field";

/// A task definition, as `register-task-definition` takes it and, unwrapped, `describe-task-definition` returns it.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>.
pub(crate) fn definition(
    object: &Object<'_>,
    origin: &Origin,
    problems: &mut Problems,
    notes: &mut Problems,
) -> TaskImages {
    let mut task = header(object, "taskDefinitionArn", origin, problems);
    task.platform = object
        .optional("runtimePlatform", problems)
        .and_then(|node| platform(&node, problems));
    let field = "containerDefinitions";
    if let Some(containers) = object.required(field, crate::shape::DESCRIBE, problems) {
        task.containers = container::read_all(&containers, field, problems, notes);
    }
    task
}

/// A task of a control plane payload.
pub(crate) fn payload(
    object: &Object<'_>,
    origin: &Origin,
    problems: &mut Problems,
    notes: &mut Problems,
) -> TaskImages {
    let mut task = header(object, "arn", origin, problems);
    if let Some(credentials) = object
        .optional("executionRoleCredentials", problems)
        .and_then(|node| Object::read(&node, "field \"executionRoleCredentials\"", problems))
    {
        let mut field = |name: &str, next_step: &str| {
            credentials
                .optional(name, problems)
                .and_then(|node| identifier(&node, &format!("field {name:?}"), next_step, problems))
        };
        task.execution_role_arn = field("roleArn", ROLE_STEP).or(task.execution_role_arn);
        task.execution_credentials_id = field("credentialsId", "write the id, or remove the field");
    }
    let field = "containers";
    if let Some(containers) = object.required(field, "describe at least one container", problems) {
        task.containers = container::read_all(&containers, field, problems, notes);
    }
    task
}

/// What both shapes have beside their containers: role, family and ARN, and no credential.
fn header(object: &Object<'_>, arn_field: &str, origin: &Origin, problems: &mut Problems) -> TaskImages {
    let mut task = TaskImages::new(origin.clone());
    credential::reject_beside_containers(object, problems);
    task.execution_role_arn = object
        .optional("executionRoleArn", problems)
        .and_then(|role| identifier(&role, "field \"executionRoleArn\"", ROLE_STEP, problems));
    task.family = object.get("family", problems).and_then(|family| {
        text(
            &family,
            "field \"family\"",
            "write the family's name, or remove the field",
            problems,
        )
    });
    if let Some(node) = object.get(arn_field, problems) {
        let what = format!("field {arn_field:?}");
        if let Some(arn) = identifier(&node, &what, "write the whole ARN, or remove the field", problems) {
            match region_and_account(&arn) {
                Some((region, account)) => {
                    task.region = Some(region.to_owned());
                    task.account = Some(account.to_owned());
                    task.arn = Some(arn);
                }
                None => problems.push(node.problem(
                    format!("{what} is not an ARN of Amazon ECS"),
                    "write arn:PARTITION:ecs:REGION:ACCOUNT:RESOURCE, or remove the field",
                )),
            }
        }
    }
    task
}

/// Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
fn region_and_account(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let is_ecs = parts.next()? == "arn" && !parts.next()?.is_empty() && parts.next()? == "ecs";
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_ecs && !region.is_empty() && is_account && !resource.is_empty()).then_some((region, account))
}

/// `None` also where the document leaves the choice to the instance: an operating system that runs on either
/// architecture.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html>.
fn platform(node: &Node<'_>, problems: &mut Problems) -> Option<Platform> {
    let object = Object::read(node, "field \"runtimePlatform\"", problems)?;
    let os_step = "write \"LINUX\" or one of the \"WINDOWS_SERVER_...\" families";
    let os = object
        .optional("operatingSystemFamily", problems)
        .and_then(|node| {
            let family = text(&node, "field \"operatingSystemFamily\"", os_step, problems)?;
            match family.as_str() {
                "LINUX" => Some("linux"),
                windows if windows.starts_with("WINDOWS_") => Some("windows"),
                _ => {
                    problems.push(node.problem("field \"operatingSystemFamily\" is unknown", os_step));
                    None
                }
            }
        });
    let architecture_step = "write \"X86_64\" or \"ARM64\"";
    let architecture = object.optional("cpuArchitecture", problems).and_then(|node| {
        match text(&node, "field \"cpuArchitecture\"", architecture_step, problems)?.as_str() {
            "X86_64" => Some("amd64"),
            "ARM64" => Some("arm64"),
            _ => {
                problems.push(node.problem("field \"cpuArchitecture\" is unknown", architecture_step));
                None
            }
        }
    });
    match (os, architecture) {
        // ECS runs Windows containers on x86-64 only.
        (Some(os @ "windows"), None) => Some(Platform {
            os,
            architecture: "amd64",
        }),
        (os, Some(architecture)) => Some(Platform {
            os: os.unwrap_or("linux"),
            architecture,
        }),
        (_, None) => None,
    }
}
