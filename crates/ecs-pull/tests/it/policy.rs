//! `ecs-pull policy`

use crate::support::Sandbox;

const DEFINITION: &str = r#"{"executionRoleArn": "arn:aws:iam::111111111111:role/execution", "containerDefinitions": [
    {"name": "app", "image": "registry.example.com/app", "repositoryCredentials":
     {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf"}}]}"#;
const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555";

#[test]
fn the_document_names_the_secret_and_its_key_exactly() {
    let sandbox = Sandbox::new();
    let definition = sandbox.file("task.json", DEFINITION);
    let run = sandbox.run([
        "--output",
        "json",
        "policy",
        "-f",
        definition.to_str().unwrap(),
        "--kms-key",
        KEY,
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let policy = run.json();
    assert_eq!(policy["Version"], "2012-10-17");
    let text = policy.to_string();
    for expected in [
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf",
        "kms:Decrypt",
        KEY,
        "secretsmanager.eu-west-1.amazonaws.com",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("ecr:"), "{text}");
}

#[test]
fn the_owner_of_a_secret_in_another_account_is_told_what_to_allow() {
    let sandbox = Sandbox::new();
    let definition = sandbox.file("task.json", DEFINITION);
    let run = sandbox.run(["policy", "-f", definition.to_str().unwrap(), "--kms-key", KEY]);
    assert!(
        run.stdout.contains("The owner of account 222222222222"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("arn:aws:iam::111111111111:role/execution"),
        "{}",
        run.stdout
    );
}
