//! Needs in, policies out.

use serde_json::{Value, json};

use super::*;

mod owners;

const ROLE: &str = "arn:aws:iam::111111111111:role/execution";
const WHOLE: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:registry-AbCdEf";
const FOREIGN: &str = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf";
const KEY_ID: &str = "11111111-2222-3333-4444-555555555555";

fn secret(id: &str) -> PolicyInput {
    PolicyInput::secret("web", id)
        .with_role(ROLE)
        .with_key(SecretKey::AwsManaged)
}

fn image(name: &str) -> PolicyInput {
    PolicyInput::image("web", name.parse().unwrap()).with_role(ROLE)
}

fn customer(key: &str) -> SecretKey {
    SecretKey::Customer(key.to_owned())
}

fn statements(inputs: &[PolicyInput]) -> Value {
    serde_json::to_value(least_privilege(inputs).role.statements).unwrap()
}

fn read(arns: &[&str]) -> Value {
    json!({
        "Sid": "ReadRegistrySecrets", "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
        "Resource": arns,
    })
}

fn gaps(advice: &PolicyAdvice) -> Vec<String> {
    advice
        .notes
        .iter()
        .filter(|note| note.kind == NoteKind::Gap)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn each_way_to_name_a_secret_has_its_resource() {
    let partial = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:registry";
    for (input, resource) in [
        (secret(WHOLE), WHOLE.to_owned()),
        (secret(&format!("{WHOLE}:login::")), WHOLE.to_owned()),
        (secret(partial), format!("{partial}-??????")),
        (
            secret("registry").with_region("eu-west-1"),
            format!("{partial}-??????"),
        ),
        (
            secret("team/registry")
                .with_region("eu-west-1")
                .with_account("333333333333"),
            "arn:aws:secretsmanager:eu-west-1:333333333333:secret:team/registry-??????".to_owned(),
        ),
    ] {
        let shown = format!("{input:?}");
        assert_eq!(statements(&[input]), json!([read(&[&resource])]), "{shown}");
    }
}

#[test]
fn every_partition_has_its_own_arns_and_service_names() {
    for (partition, region, suffix) in [
        ("aws", "eu-west-1", "amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-iso", "us-iso-east-1", "c2s.ic.gov"),
        ("aws-iso-b", "us-isob-east-1", "sc2s.sgov.gov"),
        ("aws-iso-e", "eu-isoe-west-1", "cloud.adc-e.uk"),
        ("aws-iso-f", "us-isof-south-1", "csp.hci.ic.gov"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ] {
        let role = format!("arn:{partition}:iam::111111111111:role/execution");
        let inputs = [
            PolicyInput::secret("web", "registry")
                .with_role(&role)
                .with_region(region)
                .with_key(customer(KEY_ID)),
            PolicyInput::image(
                "side",
                format!("111111111111.dkr.ecr.{region}.{suffix}/team/app")
                    .parse()
                    .unwrap(),
            )
            .with_role(&role),
        ];
        let secret = format!("arn:{partition}:secretsmanager:{region}:111111111111:secret:registry-??????");
        assert_eq!(
            statements(&inputs),
            json!([
                {"Sid": "EcrLogin", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
                {
                    "Sid": "EcrPull", "Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                    "Resource": [format!("arn:{partition}:ecr:{region}:111111111111:repository/team/app")],
                },
                read(&[&secret]),
                {
                    "Sid": "DecryptRegistrySecrets", "Effect": "Allow", "Action": ["kms:Decrypt"],
                    "Resource": [format!("arn:{partition}:kms:{region}:111111111111:key/{KEY_ID}")],
                    "Condition": {
                        "StringEquals": {"kms:ViaService": [format!("secretsmanager.{region}.{suffix}")]},
                        "StringLike": {"kms:EncryptionContext:SecretARN": [secret]},
                    },
                },
            ]),
            "{partition}"
        );
        assert!(least_privilege(&inputs).owners.is_empty(), "{partition}");
    }
}

#[test]
fn each_form_of_a_key_is_named_as_policies_can() {
    let arn = format!("arn:aws:kms:eu-west-1:111111111111:key/{KEY_ID}");
    let all = "arn:aws:kms:eu-west-1:111111111111:key/*";
    for (key, resource, alias) in [
        (arn.as_str(), arn.as_str(), None),
        (KEY_ID, &arn, None),
        ("alias/registry", all, Some("alias/registry")),
        (
            "arn:aws:kms:eu-west-1:111111111111:alias/team/registry",
            all,
            Some("alias/team/registry"),
        ),
    ] {
        let advice = least_privilege(&[secret(WHOLE).with_key(customer(key))]);
        let decrypt = &advice.role.statements[1];
        assert_eq!(decrypt.resources, [resource], "{key}");
        assert_eq!(
            decrypt
                .conditions
                .get("ForAnyValue:StringEquals")
                .map(|keys| keys["kms:ResourceAliases"].clone()),
            alias.map(|alias| vec![alias.to_owned()]),
            "{key}"
        );
        assert_eq!(
            decrypt.conditions["StringEquals"]["kms:EncryptionContext:SecretARN"],
            [WHOLE],
            "{key}"
        );
        assert!(
            advice.is_complete() && advice.notes.len() == usize::from(alias.is_some()),
            "{key}"
        );
    }
    for broken in [
        "alias/",
        "key/with spaces",
        "arn:aws:iam::111111111111:role/x",
        "arn:aws:kms:*",
    ] {
        let advice = least_privilege(&[secret(WHOLE).with_key(customer(broken))]);
        assert_eq!(advice.role.statements.len(), 1, "{broken}");
        assert!(gaps(&advice)[0].contains("not one of KMS"), "{broken}");
    }
}

#[test]
fn only_customer_keys_need_decrypt() {
    for (id, key) in [
        (None, SecretKey::AwsManaged),
        (Some("alias/aws/secretsmanager"), SecretKey::AwsManaged),
        (
            Some("arn:aws:kms:eu-west-1:111111111111:alias/aws/secretsmanager"),
            SecretKey::AwsManaged,
        ),
        (Some(KEY_ID), customer(KEY_ID)),
    ] {
        assert_eq!(SecretKey::from_kms_key_id(id), key);
    }
    assert_eq!(least_privilege(&[secret(WHOLE)]).role.statements.len(), 1);
    let unknown = least_privilege(&[secret(WHOLE).with_key(SecretKey::Unknown)]);
    assert_eq!(unknown.role.statements.len(), 1);
    assert!(unknown.is_complete());
    assert!(unknown.notes[0].text.contains("kms:Decrypt"), "{unknown}");
}

#[test]
fn secrets_are_grouped_by_key_and_region() {
    let other_region = WHOLE.replace("eu-west-1", "us-east-1");
    let second = WHOLE.replace("registry", "another");
    let multi_region = "arn:aws:kms:eu-west-1:111111111111:key/mrk-0";
    let advice = least_privilege(&[
        secret(WHOLE).with_key(customer(multi_region)),
        secret(&other_region).with_key(customer("mrk-0")),
        secret(&second).with_key(customer("mrk-0")),
    ]);
    let decrypt: Vec<_> = advice.role.statements[1..]
        .iter()
        .map(|statement| {
            let values = &statement.conditions["StringEquals"];
            (
                statement.sid.as_str(),
                values["kms:ViaService"][0].as_str(),
                values["kms:EncryptionContext:SecretARN"].clone(),
            )
        })
        .collect();
    assert_eq!(
        decrypt,
        [
            (
                "DecryptRegistrySecrets1",
                "secretsmanager.eu-west-1.amazonaws.com",
                vec![second, WHOLE.to_owned()]
            ),
            (
                "DecryptRegistrySecrets2",
                "secretsmanager.us-east-1.amazonaws.com",
                vec![other_region]
            ),
        ]
    );
}

#[test]
fn nothing_is_allowed_twice() {
    let partial = WHOLE.trim_end_matches("-AbCdEf");
    let inputs = [
        secret(WHOLE),
        secret(WHOLE),
        secret(partial).with_key(customer(KEY_ID)),
        secret("registry")
            .with_region("eu-west-1")
            .with_key(SecretKey::Unknown),
        image("111111111111.dkr.ecr.eu-west-1.amazonaws.com/app:v1"),
        image("111111111111.dkr.ecr-fips.eu-west-1.amazonaws.com/app:v2"),
        image("111111111111.dkr-ecr.eu-west-1.on.aws/app"),
    ];
    let advice = least_privilege(&inputs);
    let [login, pull, read, decrypt] = &advice.role.statements[..] else {
        panic!("{advice}");
    };
    assert_eq!(login.sid, "EcrLogin");
    assert_eq!(
        pull.resources,
        ["arn:aws:ecr:eu-west-1:111111111111:repository/app"]
    );
    assert_eq!(read.resources, [format!("{partial}-??????")]);
    assert_eq!(
        decrypt.conditions["StringLike"]["kms:EncryptionContext:SecretARN"],
        read.resources
    );
    let mut reversed = inputs;
    reversed.reverse();
    assert_eq!(least_privilege(&reversed), advice);
}

#[test]
fn a_name_that_cannot_be_placed_is_a_gap_and_no_statement() {
    let by_name = || PolicyInput::secret("web", "registry");
    for (input, missing) in [
        (by_name(), "region and account"),
        (by_name().with_region("eu-west-1"), "account"),
        (by_name().with_account("111111111111"), "region"),
        (by_name().with_role(ROLE), "region"),
    ] {
        let advice = least_privilege(&[input]);
        assert!(advice.role.is_empty());
        assert!(!advice.is_complete());
        assert!(
            gaps(&advice)[0].contains(&format!("task's {missing} is not known")),
            "{advice}"
        );
    }
}

#[test]
fn only_images_of_private_ecr_need_a_permission() {
    for name in [
        "nginx",
        "registry.example.com/team/app:v1",
        "public.ecr.aws/docker/library/nginx",
    ] {
        let advice = least_privilege(&[image(name)]);
        assert!(advice.role.is_empty() && advice.is_complete(), "{name}");
        assert_eq!(
            advice.to_string(),
            format!("execution role {ROLE} needs no permission for these images.\n")
        );
    }
    let with_token = statements(&[image("public.ecr.aws/docker/library/nginx").with_ecr_public_token()]);
    assert_eq!(
        with_token[0]["Action"],
        json!(["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"])
    );
    assert_eq!(statements(&[image("nginx").with_ecr_public_token()]), json!([]));
}

#[test]
fn a_pull_through_cache_is_a_hint_with_its_statement_and_not_part_of_the_policy() {
    let advice = least_privilege(&[image(
        "111111111111.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/nginx",
    )]);
    let json = serde_json::to_string(&advice.role).unwrap();
    assert!(!json.contains("BatchImportUpstreamImage"));
    let hint = advice.notes[0].to_string();
    for part in [
        "container \"web\": ",
        r#""Action":["ecr:BatchImportUpstreamImage","ecr:CreateRepository"]"#,
        r#""Resource":["arn:aws:ecr:eu-west-1:111111111111:repository/docker-hub/library/nginx"]"#,
    ] {
        assert!(hint.contains(part), "{hint}");
    }
    assert!(advice.is_complete());
}
