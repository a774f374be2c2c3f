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

#[test]
fn a_control_planes_payload_says_in_which_region_a_secret_is_and_who_fetches_a_token() {
    let sandbox = Sandbox::new();
    let payload = r#"{"executionRoleCredentials": {"roleArn": "arn:aws:iam::111111111111:role/execution"}, "containers": [
        {"name": "app", "image": "registry.example.com/app", "registryAuthentication": {"type": "asm",
         "asmAuthData": {"credentialsParameter": "login", "region": "eu-west-1"}}},
        {"name": "role", "image": "111111111111.dkr.ecr.us-east-1.amazonaws.com/of-role", "registryAuthentication":
         {"type": "ecr", "ecrAuthData": {"registryId": "111111111111", "region": "us-east-1", "useExecutionRole": true}}},
        {"name": "instance", "image": "111111111111.dkr.ecr.us-east-1.amazonaws.com/of-instance",
         "registryAuthentication": {"type": "ecr", "ecrAuthData": {"registryId": "111111111111", "region": "us-east-1",
         "useExecutionRole": false}}}]}"#;
    let payload = sandbox.file("payload.json", payload);
    let sandbox = sandbox.with_variable("AWS_DEFAULT_REGION", "us-east-1");
    let file = payload.to_str().unwrap();
    let run = sandbox.run(["--output", "json", "policy", "-f", file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let policy = run.json().to_string();
    assert!(
        policy.contains("arn:aws:secretsmanager:eu-west-1:111111111111:secret:login-"),
        "{policy}"
    );
    assert!(
        policy.contains("arn:aws:ecr:us-east-1:111111111111:repository/of-role"),
        "{policy}"
    );
    assert!(!policy.contains("of-instance"), "{policy}");

    // What the instance's own role needs is told beside the document.
    let expected = "container \"instance\": the container instance fetches the token for this image";
    let text = sandbox.run(["policy", "-f", file]).stdout;
    for told in [&run.stderr, &text] {
        assert!(told.contains(expected), "{told}");
        assert!(
            told.contains("arn:aws:ecr:us-east-1:111111111111:repository/of-instance"),
            "{told}"
        );
    }
}

#[test]
fn a_token_of_ecr_public_is_part_of_the_policy_only_when_it_was_asked_for() {
    let sandbox = Sandbox::new();
    let run = |more: &[&str]| {
        let arguments = [
            "--output",
            "json",
            "policy",
            "public.ecr.aws/docker/library/nginx",
        ];
        let run = sandbox.run(arguments.iter().chain(more));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.json()["Statement"].clone()
    };
    assert_eq!(run(&[]), serde_json::json!([]));
    assert_eq!(
        run(&["--ecr-public-token"])[0]["Action"],
        serde_json::json!(["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"])
    );
}
