//! One row per mistake: the document, its message, and how the next step starts.

use ecs_registry_auth::{Diagnosis, ErrorClass, Origin};

use crate::parse;

fn check(rows: &[(&str, &str, &str)]) {
    for (document, message, next_step) in rows {
        let error = parse(document).expect_err(document);
        assert_eq!(error.to_string(), *message, "{document}");
        let found = error.problems()[0].next_step();
        assert!(found.starts_with(next_step), "{document}: {found}");
    }
}

/// A definition with one container of these fields, on its third line.
fn container(fields: &str) -> String {
    format!("{{\n\"containerDefinitions\": [\n{{{fields}}}\n]}}")
}

#[test]
fn texts_that_are_not_json() {
    check(&[
        ("", "task.json: the document is empty", "pass a task definition"),
        (
            " \n",
            "task.json: the document is empty",
            "pass a task definition",
        ),
        (
            "# web\nfamily: web\ncontainerDefinitions:\n- name: app\n",
            "task.json:1: the document is YAML, not JSON",
            "convert it to JSON",
        ),
        (
            "---\n",
            "task.json:1: the document is YAML, not JSON",
            "convert it",
        ),
        (
            "Description: web\nResources:\n  Task:\n    Type: AWS::ECS::TaskDefinition\n",
            "task.json:1: the document is a CloudFormation template in YAML, not JSON",
            "deploy it",
        ),
        (
            "<!doctype html>",
            "task.json:1: the document is HTML or XML, not JSON",
            "pass a",
        ),
        (
            "resource \"aws_ecs_task_definition\" \"web\" {\n}\n",
            "task.json:1: the document is Terraform code, not JSON",
            "pass a",
        ),
        (
            "Unable to locate credentials",
            "task.json:1: the document is not JSON",
            "pass a",
        ),
        (
            "{\n  \"family\": \"web\",\n",
            "task.json:3: the JSON ends before it is complete",
            "copy the whole document",
        ),
        (
            "{\n  \"family\": \"web\",\n}",
            "task.json:3: not JSON, column 1: key must be a string",
            "remove the comma",
        ),
        (
            "{\n  \"containers\": [1, ]\n}",
            "task.json:2: not JSON, column 21: expected value",
            "remove the comma",
        ),
        (
            "{\n  'family': 'web'\n}",
            "task.json:2: not JSON, column 3: key must be a string",
            "write double quotes",
        ),
        (
            "{\n  // web\n  \"family\": \"web\"\n}",
            "task.json:2: not JSON, column 3: key must be a string",
            "remove the comment",
        ),
        (
            "{}\n{}",
            "task.json:2: not JSON, column 1: trailing characters",
            "pass one document",
        ),
    ]);
}

#[test]
fn bytes_that_are_not_utf_8() {
    let origin = Origin::file("task.json");
    for (bytes, message) in [
        (
            &b"\xff\xfe{\0}\0"[..],
            "task.json: the document is UTF-16, not UTF-8",
        ),
        (
            b"{\n\"family\": \"caf\xe9\"}",
            "task.json:2: the document is not UTF-8",
        ),
    ] {
        let error = ecs_task_images::parse_bytes(bytes, &origin).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn documents_of_another_kind() {
    check(&[
        (
            "[]",
            "task.json:1: the document is a list, not an object",
            "write a list of",
        ),
        (
            "\"web\"",
            "task.json:1: the document is a text, not an object",
            "write an object",
        ),
        (
            "{}",
            "task.json:1: field \"containerDefinitions\" is missing",
            "pass a task definition",
        ),
        (
            "{\"family\": \"web\",\n\"containerDefinition\": []}",
            "task.json:2: field \"containerDefinition\" does not exist; \"containerDefinitions\" is probably meant \
             (at /containerDefinition)",
            "rename it to \"containerDefinitions\"",
        ),
        (
            "{\"task_definition\": {}}",
            "task.json:1: field \"task_definition\" does not exist; \"taskDefinition\" is probably meant \
             (at /task_definition)",
            "rename it",
        ),
        (
            "{\"cluster\": \"a\", \"taskDefinition\": \"web:3\"}",
            "task.json:1: field \"taskDefinition\" only names a task definition (at /taskDefinition)",
            "pass a task definition",
        ),
        (
            "{\"Resources\": {}}",
            "task.json:1: the document is a CloudFormation template, not a task definition",
            "deploy it",
        ),
        (
            "{\"jobDefinitionName\": \"job\", \"containerProperties\": {}}",
            "task.json:1: the document is a job definition of AWS Batch, not a task definition",
            "pass the ECS task definition",
        ),
        (
            "{\"tasks\": [{\"taskDefinitionArn\": \"a\", \"containers\": [{\"name\": \"app\", \"image\": \"b\"}]}]}",
            "task.json:1: the document is what `aws ecs describe-tasks` prints, which leaves the credentials out \
             (at /tasks/0)",
            "pass the task's definition",
        ),
        (
            "{\"tasks\": [{}, {}]}",
            "task.json:1: field \"tasks\" holds 2 tasks (at /tasks)",
            "pass one task at a time",
        ),
        (
            "{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"spec\": {\"containers\": []}}",
            "task.json:1: the document is a Kubernetes object, not a task definition",
            "pass a task definition",
        ),
    ]);
}

#[test]
fn fields_of_the_task() {
    let task = |fields: &str| {
        format!("{{{fields},\n\"containerDefinitions\": [{{\"name\": \"app\", \"image\": \"busybox\"}}]}}")
    };
    for (fields, message) in [
        (
            "\"executionRoleArn\": \"\"",
            "field \"executionRoleArn\" is empty (at /executionRoleArn)",
        ),
        (
            "\"executionRoleArn\": {\"Fn::GetAtt\": [\"Role\", \"Arn\"]}",
            "field \"executionRoleArn\" is an object, not a text (at /executionRoleArn)",
        ),
        (
            "\"executionRoleArn\": \"arn:aws:iam::111111111111:role/web\\n\"",
            "field \"executionRoleArn\" has white space in it (at /executionRoleArn)",
        ),
        (
            "\"executionRole\": \"web\"",
            "field \"executionRole\" does not exist; \"executionRoleArn\" is probably meant (at /executionRole)",
        ),
        (
            "\"family\": 7",
            "field \"family\" is a number, not a text (at /family)",
        ),
        (
            "\"taskDefinitionArn\": \"web:7\"",
            "field \"taskDefinitionArn\" is not an ARN of Amazon ECS (at /taskDefinitionArn)",
        ),
        (
            "\"runtimePlatform\": {\"cpuArchitecture\": \"arm\"}",
            "field \"cpuArchitecture\" is unknown (at /runtimePlatform/cpuArchitecture)",
        ),
        (
            "\"runtimePlatform\": {\"operatingSystemFamily\": \"DARWIN\"}",
            "field \"operatingSystemFamily\" is unknown (at /runtimePlatform/operatingSystemFamily)",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"registry\"}",
            "field \"repositoryCredentials\" stands beside the containers (at /repositoryCredentials)",
        ),
        (
            "\"credentialsParameter\": \"registry\"",
            "field \"credentialsParameter\" stands beside the containers (at /credentialsParameter)",
        ),
    ] {
        let error = parse(&task(fields)).expect_err(fields);
        assert_eq!(error.to_string(), format!("task.json:1: {message}"));
    }
}

#[test]
fn containers_that_cannot_be_read() {
    for (fields, message) in [
        (
            "",
            "field \"name\" is missing (at /containerDefinitions/0)\ntask.json:3: field \"image\" is missing (at /containerDefinitions/0)",
        ),
        (
            "\"name\": \"app\"",
            "container \"app\": field \"image\" is missing (at /containerDefinitions/0)",
        ),
        (
            "\"name\": \"app\", \"image\": \" \"",
            "container \"app\": field \"image\" is empty (at /containerDefinitions/0/image)",
        ),
        (
            "\"name\": \"app\", \"image\": null",
            "container \"app\": field \"image\" is missing (at /containerDefinitions/0)",
        ),
        (
            "\"name\": \"app\", \"image\": 7",
            "container \"app\": field \"image\" is a number, not a text (at /containerDefinitions/0/image)",
        ),
        (
            "\"name\": \"app\", \"image\": {\"Ref\": \"Image\"}",
            "container \"app\": field \"image\" is an object, not a text (at /containerDefinitions/0/image)",
        ),
        (
            "\"name\": \"app\", \"image\": \"a\", \"Image\": \"b\"",
            "container \"app\": field \"image\" is written twice (at /containerDefinitions/0/Image)",
        ),
        (
            "\"name\": \"\", \"image\": \"a\"",
            "the container's name is empty (at /containerDefinitions/0/name)",
        ),
        (
            "\"name\": \"app\", \"image\": \"\\ud800\"",
            "container \"app\": field \"image\" has an escape that is no character (at /containerDefinitions/0/image)",
        ),
        (
            "\"\\ud800\": 1, \"name\": \"app\", \"image\": \"a\"",
            "a container has a field name with an escape that is no character (at /containerDefinitions/0)",
        ),
        (
            "\"name\": \"app\", \"image\": \"a\", \"essential\": \"true\"",
            "container \"app\": field \"essential\" is a text, not true or false (at /containerDefinitions/0/essential)",
        ),
    ] {
        let error = parse(&container(fields)).expect_err(fields);
        assert_eq!(error.to_string(), format!("task.json:3: {message}"));
    }
    check(&[
        (
            "{\"containerDefinitions\": []}",
            "task.json:1: field \"containerDefinitions\" is an empty list (at /containerDefinitions)",
            "describe at least one container",
        ),
        (
            "{\"containerDefinitions\": {\"app\": {\"image\": \"a\"}}}",
            "task.json:1: field \"containerDefinitions\" is an object, not a list (at /containerDefinitions)",
            "write a list",
        ),
        (
            "{\"containerDefinitions\": [\"app\"]}",
            "task.json:1: a container is a text, not an object (at /containerDefinitions/0)",
            "write an object",
        ),
        (
            "{\"containerDefinitions\": [{\"name\": \"app\", \"image\": \"a\"},\n{\"name\": \"app\", \"image\": \"b\"}]}",
            "task.json:2: container name \"app\" is already taken at task.json:1 (at /containerDefinitions/1)",
            "give every container a name",
        ),
    ]);
}

#[test]
fn credentials_that_cannot_be_used() {
    const PLAIN: &str = "put user name and password into a Secrets Manager secret";
    for (field, message, next_step) in [
        (
            "\"repositoryCredentials\": {}",
            "field \"credentialsParameter\" is missing (at …/repositoryCredentials)",
            "write the ARN of a Secrets Manager secret",
        ),
        (
            "\"repositoryCredentials\": \"arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf\"",
            "field \"repositoryCredentials\" is a text, not an object (at …/repositoryCredentials)",
            "write {\"credentialsParameter\"",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"\"}",
            "field \"credentialsParameter\" is empty (at …/repositoryCredentials/credentialsParameter)",
            "write the ARN",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": null}",
            "field \"credentialsParameter\" is missing (at …/repositoryCredentials)",
            "write the ARN",
        ),
        (
            "\"repositoryCredentials\": {\"credentialParameter\": \"registry\"}",
            "field \"credentialParameter\" does not exist; \"credentialsParameter\" is probably meant \
             (at …/repositoryCredentials/credentialParameter)",
            "rename it",
        ),
        (
            "\"repositoryCredentials\": {\"username\": \"alice\", \"password\": \"hunter2\"}",
            "field \"repositoryCredentials\" holds \"username\" itself, not the name of a secret \
             (at …/repositoryCredentials)",
            PLAIN,
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"{\\\"username\\\": \\\"alice\\\"}\"}",
            "field \"credentialsParameter\" is neither the ARN nor the name of a secret: it looks like the credential \
             itself (at …/repositoryCredentials/credentialsParameter)",
            "put it into a Secrets Manager secret",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"alice:hunter2\"}",
            "field \"credentialsParameter\" is neither the ARN nor the name of a secret: it looks like the credential \
             itself (at …/repositoryCredentials/credentialsParameter)",
            "put it into a Secrets Manager secret",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"my secret\"}",
            "field \"credentialsParameter\" is neither the ARN nor the name of a secret \
             (at …/repositoryCredentials/credentialsParameter)",
            "write the ARN",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"${SECRET_ARN}\"}",
            "field \"credentialsParameter\" still holds a placeholder \
             (at …/repositoryCredentials/credentialsParameter)",
            "fill in",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"arn:aws:ssm:eu-west-1:111111111111:parameter/a\"}",
            "field \"credentialsParameter\" names a parameter of Systems Manager \
             (at …/repositoryCredentials/credentialsParameter)",
            "store the credential in AWS Secrets Manager",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"arn:aws:secretsmanager:eu-west-1:111111111111:secret:a \"}",
            "field \"credentialsParameter\" has white space in it (at …/repositoryCredentials/credentialsParameter)",
            "remove the white space",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"arn:aws:s3:::bucket/key\"}",
            "field \"credentialsParameter\" is an ARN, but not one of Secrets Manager \
             (at …/repositoryCredentials/credentialsParameter)",
            "write the ARN",
        ),
        (
            "\"repositoryCredential\": {\"credentialsParameter\": \"registry\"}",
            "field \"repositoryCredential\" does not exist; \"repositoryCredentials\" is probably meant \
             (at …/repositoryCredential)",
            "rename it",
        ),
        (
            "\"registryCredentials\": {\"credentialsParameter\": \"registry\"}",
            "field \"registryCredentials\" does not exist; \"repositoryCredentials\" is probably meant \
             (at …/registryCredentials)",
            "rename it",
        ),
        (
            "\"repositoryCredentials\": {\"credentialsParameter\": \"a\"}, \"registryAuthentication\": {\"type\": \"asm\"}",
            "both \"repositoryCredentials\" and \"registryAuthentication\" are set (at …/registryAuthentication)",
            "keep the one",
        ),
        (
            "\"credentialsParameter\": \"registry\"",
            "field \"credentialsParameter\" stands directly in the container (at …/credentialsParameter)",
            "move it into \"repositoryCredentials\"",
        ),
        (
            "\"registryAuthentication\": {\"asmAuthData\": {}}",
            "field \"type\" is missing (at …/registryAuthentication)",
            "write \"asm\" or \"ecr\"",
        ),
        (
            "\"registryAuthentication\": {\"type\": \"basic\"}",
            "field \"type\" is neither \"asm\" nor \"ecr\" (at …/registryAuthentication/type)",
            "write \"asm\"",
        ),
        (
            "\"registryAuthentication\": {\"type\": \"asm\", \"ecrAuthData\": {}}",
            "field \"asmAuthData\" is missing (at …/registryAuthentication)",
            "add the data",
        ),
    ] {
        let document = container(&format!("\"name\": \"app\", \"image\": \"busybox\", {field}"));
        let error = parse(&document).expect_err(field);
        let message = message.replace('…', "/containerDefinitions/0");
        assert_eq!(
            error.to_string(),
            format!("task.json:3: container \"app\": {message}")
        );
        let found = error.problems()[0].next_step();
        assert!(found.starts_with(next_step), "{field}: {found}");
    }
}

#[test]
fn everything_is_reported_at_once() {
    let document = "{\n\"executionRoleArn\": 1,\n\"containers\": [\n{\"name\": \"a\"},\n\
        {\"name\": \"b\", \"image\": \"b\", \"registryAuthentication\": {\"type\": \"ecr\", \"ecrAuthData\": {\n}}}]}";
    let error = parse(document).unwrap_err();
    assert_eq!(
        error.to_string(),
        "task.json:2: field \"executionRoleArn\" is a number, not a text (at /executionRoleArn)\n\
         task.json:4: container \"a\": field \"image\" is missing (at /containers/0)\n\
         task.json:5: container \"b\": field \"registryId\" is missing (at /containers/1/registryAuthentication/ecrAuthData)\n\
         task.json:5: container \"b\": field \"region\" is missing (at /containers/1/registryAuthentication/ecrAuthData)"
    );
    let diagnosis = Diagnosis::from(&error);
    assert_eq!(diagnosis.class(), ErrorClass::Configuration);
    assert_eq!(diagnosis.message(), error.to_string().replace('\n', "; "));
    assert_eq!(diagnosis.next_step().unwrap().matches("; ").count(), 3);
}

#[test]
fn images_that_are_no_reference() {
    for (image, next_step) in [
        ("https://registry.example.com/app", "leave out the scheme"),
        ("registry.example.com/App", "write the repository in lower case"),
        ("registry.example.com/app:v1 ", "remove the white space"),
        ("<IMAGE1_NAME>", "fill in the placeholder"),
        ("app@sha256:0123", "copy the whole digest"),
        ("app@latest", "copy the whole digest"),
        ("app:v1:v2", "write the image as"),
    ] {
        let task = parse(&container(&format!("\"name\": \"app\", \"image\": \"{image}\""))).unwrap();
        let problem = task.containers[0].reference.as_ref().expect_err(image);
        assert_eq!(problem.container(), Some("app"));
        assert_eq!(problem.pointer(), Some("/containerDefinitions/0/image"));
        assert_eq!(problem.origin().to_string(), "task.json:3");
        assert!(problem.message().contains(image.trim()), "{problem}");
        assert!(
            problem.next_step().starts_with(next_step),
            "{image}: {}",
            problem.next_step()
        );
    }
}
