//! What a container says about its registry's credential.

use crate::document::{Kind, Node};
use crate::object::{Object, Problems, boolean, identifier, text, text_or_unset};
use crate::{CredentialRequirement, Problem};

const SECRET_STEP: &str =
    "write the ARN of a Secrets Manager secret that holds {\"username\": \"...\", \"password\": \"...\"}";

/// `None` if what stands there cannot be used; the problems say why.
pub(crate) fn read(container: &Object<'_>, problems: &mut Problems) -> Option<CredentialRequirement> {
    reject(
        container,
        &["credentialsParameter", "asmAuthData", "ecrAuthData"],
        "stands directly in the container",
        "move it into \"repositoryCredentials\", or \"registryAuthentication\" in a control plane payload",
        problems,
    );
    let of_definition = container.optional("repositoryCredentials", problems);
    let of_payload = container.optional("registryAuthentication", problems);
    match (of_definition, of_payload) {
        (None, None) => Some(CredentialRequirement::None),
        (Some(node), None) => repository_credentials(&node, problems),
        (None, Some(node)) => registry_authentication(&node, problems),
        (Some(_), Some(node)) => {
            problems.push(node.problem(
                "both \"repositoryCredentials\" and \"registryAuthentication\" are set",
                "keep the one that is meant",
            ));
            None
        }
    }
}

/// A credential that belongs to no container would be overlooked, and the pull would be anonymous.
pub(crate) fn reject_beside_containers(task: &Object<'_>, problems: &mut Problems) {
    reject(
        task,
        &[
            "repositoryCredentials",
            "registryAuthentication",
            "credentialsParameter",
        ],
        "stands beside the containers",
        "move it into each container that needs it",
        problems,
    );
}

fn reject(object: &Object<'_>, fields: &[&str], how: &str, next_step: &str, problems: &mut Problems) {
    for field in fields {
        if let Some(node) = object.get(field, problems) {
            problems.push(node.problem(format!("field {field:?} {how}"), next_step));
        }
    }
}

fn repository_credentials(node: &Node<'_>, problems: &mut Problems) -> Option<CredentialRequirement> {
    if node.kind() == Kind::Text {
        problems.push(node.problem(
            "field \"repositoryCredentials\" is a text, not an object",
            "write {\"credentialsParameter\": \"ARN of the secret\"}",
        ));
        return None;
    }
    let object = Object::read(node, "field \"repositoryCredentials\"", problems)?;
    if let Some(plain) = plain_text_field(&object) {
        problems.push(node.problem(
            format!("field \"repositoryCredentials\" holds {plain:?} itself, not the name of a secret"),
            "put user name and password into a Secrets Manager secret, write its ARN as \"credentialsParameter\", \
             and change the password: task definitions are readable by many",
        ));
        return None;
    }
    let parameter = object.required("credentialsParameter", SECRET_STEP, problems)?;
    secret(&parameter, None, problems)
}

fn registry_authentication(node: &Node<'_>, problems: &mut Problems) -> Option<CredentialRequirement> {
    let object = Object::read(node, "field \"registryAuthentication\"", problems)?;
    let step = "write \"asm\" or \"ecr\"";
    let kind_node = object.required("type", step, problems)?;
    match text(&kind_node, "field \"type\"", step, problems)?.as_str() {
        "asm" => {
            let data = data(&object, "asmAuthData", problems)?;
            let parameter = data.required("credentialsParameter", SECRET_STEP, problems)?;
            let region = data
                .optional("region", problems)
                .and_then(|region| text_or_unset(&region, "field \"region\"", problems));
            secret(&parameter, region, problems)
        }
        "ecr" => ecr(&data(&object, "ecrAuthData", problems)?, problems),
        _ => {
            problems.push(kind_node.problem("field \"type\" is neither \"asm\" nor \"ecr\"", step));
            None
        }
    }
}

fn data<'a>(object: &Object<'a>, field: &str, problems: &mut Problems) -> Option<Object<'a>> {
    let node = object.required(field, "add the data that belongs to the type", problems)?;
    Object::read(&node, &format!("field {field:?}"), problems)
}

fn ecr(data: &Object<'_>, problems: &mut Problems) -> Option<CredentialRequirement> {
    let mut required = |field: &str, step: &str| {
        data.required(field, step, problems)
            .and_then(|node| identifier(&node, &format!("field {field:?}"), step, problems))
    };
    // Both are read before either may end the reading, so that both are reported.
    let registry_id = required("registryId", "write the 12 digits of the registry's account");
    let region = required("region", "write the region of the registry");
    let endpoint_override = data
        .optional("endpointOverride", problems)
        .and_then(|node| text_or_unset(&node, "field \"endpointOverride\"", problems));
    let use_execution_role = data
        .optional("useExecutionRole", problems)
        .is_some_and(|node| boolean(&node, "field \"useExecutionRole\"", problems).unwrap_or(false));
    Some(CredentialRequirement::Ecr {
        registry_id: registry_id?,
        region: region?,
        endpoint_override,
        use_execution_role,
        origin: data.node().origin(),
    })
}

fn secret(node: &Node<'_>, region: Option<String>, problems: &mut Problems) -> Option<CredentialRequirement> {
    let credentials_parameter = text(node, "field \"credentialsParameter\"", SECRET_STEP, problems)?;
    if let Some(problem) = not_a_secret_name(node, &credentials_parameter) {
        problems.push(problem);
        return None;
    }
    Some(CredentialRequirement::RepositoryCredentials {
        credentials_parameter,
        region,
        origin: node.origin(),
    })
}

/// Texts that cannot name a secret, and what they look like. The rest is for whoever asks for the secret.
///
/// Rule: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html> (`Name`).
fn not_a_secret_name(node: &Node<'_>, written: &str) -> Option<Problem> {
    let problem =
        |what: &str, step: &str| Some(node.problem(format!("field \"credentialsParameter\" {what}"), step));
    if ["${", "$(", "{{", "<"].iter().any(|mark| written.contains(mark)) {
        return problem(
            "still holds a placeholder",
            "fill in the placeholder: the tool that deploys this document does that before it registers it",
        );
    }
    if let Some(rest) = written.strip_prefix("arn:") {
        let service = rest.split(':').nth(1).unwrap_or_default();
        if service == "ssm" {
            return problem(
                "names a parameter of Systems Manager",
                "store the credential in AWS Secrets Manager: ECS reads registry credentials from there only",
            );
        }
        if service != "secretsmanager" {
            return problem("is an ARN, but not one of Secrets Manager", SECRET_STEP);
        }
        if written.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return problem("has white space in it", "remove the white space");
        }
        return None;
    }
    let is_name = written
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte));
    if is_name {
        return None;
    }
    if written.trim_start().starts_with('{') || written.contains(':') {
        return problem(
            "is neither the ARN nor the name of a secret: it looks like the credential itself",
            "put it into a Secrets Manager secret, write the secret's ARN here, and change the password: task \
             definitions are readable by many",
        );
    }
    problem("is neither the ARN nor the name of a secret", SECRET_STEP)
}

fn plain_text_field<'o>(object: &'o Object<'_>) -> Option<&'o str> {
    object.names().find(|name| {
        ["username", "user", "password", "auth", "token", "identitytoken"]
            .contains(&name.to_ascii_lowercase().as_str())
    })
}

/// Names of secrets and variables that are probably meant for the registry, in lower-case letters only.
const LOOKALIKES: [&str; 8] = [
    "repositorycredentials",
    "credentialsparameter",
    "registrycredentials",
    "registrypassword",
    "dockerpassword",
    "dockerauthconfig",
    "imagepullsecret",
    "ecsengineauth",
];

/// A container without a credential of its own that hands what looks like one to the running program.
pub(crate) fn note_lookalikes(
    container: &Object<'_>,
    credential: Option<&CredentialRequirement>,
    notes: &mut Problems,
) {
    if credential != Some(&CredentialRequirement::None) {
        return;
    }
    // These fields do not matter to a pull, so neither does what is wrong with them.
    let mut ignored = Problems::default();
    for field in ["secrets", "environment"] {
        let entries = container.get(field, &mut ignored).map(|node| node.items());
        for entry in entries.unwrap_or_default() {
            let Some(name) = Object::read(&entry, field, &mut ignored)
                .and_then(|object| object.get("name", &mut ignored))
                .and_then(|name| name.text())
            else {
                continue;
            };
            let letters: String = name
                .chars()
                .filter(char::is_ascii_alphabetic)
                .map(|letter| letter.to_ascii_lowercase())
                .collect();
            if LOOKALIKES.iter().any(|lookalike| letters.contains(lookalike)) {
                notes.push(entry.problem(
                    format!(
                        "{name:?} in {field:?} reaches the running container and not the pull of its image"
                    ),
                    "if the registry asks for it, write the secret's ARN as \
                     \"repositoryCredentials\": {\"credentialsParameter\": ...}",
                ));
            }
        }
    }
}
