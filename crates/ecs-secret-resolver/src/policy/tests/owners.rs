//! Other accounts, other roles, and what is said about them.

use super::*;

#[test]
fn what_cannot_work_is_a_gap() {
    let of_china = WHOLE.replace("arn:aws:", "arn:aws-cn:");
    for (input, part) in [
        (secret("not a name"), "not a secret's name"),
        (secret(&of_china), "no policy reaches across"),
        (secret(FOREIGN), "which no other account can use"),
        (
            secret(FOREIGN).with_key(SecretKey::Unknown),
            "which one is not known",
        ),
        (
            secret(FOREIGN.trim_end_matches("-AbCdEf")).with_key(customer(KEY_ID)),
            "whole ARN",
        ),
        (secret(WHOLE).with_role("execution"), "not the ARN of a role"),
    ] {
        let advice = least_privilege(&[input]);
        assert!(
            gaps(&advice).iter().any(|gap| gap.contains(part)),
            "{part}: {advice}"
        );
        assert!(
            gaps(&advice)
                .iter()
                .all(|gap| gap.starts_with("missing: container \"web\": ")),
            "{advice}"
        );
    }
}

#[test]
fn an_arn_that_ends_in_a_word_may_lack_its_random_characters() {
    for (name, is_doubtful) in [
        ("prod-docker", true),
        ("prod-docker-AbCdEf", false),
        ("prod", false),
    ] {
        let advice = least_privilege(&[secret(&WHOLE.replace("registry-AbCdEf", name))]);
        let hint = format!("secret:{name} is taken for a whole ARN: if its name itself ends in \"docker\"");
        let is_told = advice
            .notes
            .iter()
            .any(|note| note.kind == NoteKind::Hint && note.to_string().contains(&hint));
        assert_eq!(is_told, is_doubtful, "{advice}");
    }
}

#[test]
fn owners_of_other_accounts_allow_the_role_and_nobody_else() {
    let key = format!("arn:aws:kms:eu-west-1:222222222222:key/{KEY_ID}");
    let advice = least_privilege(&[
        secret(FOREIGN).with_key(customer(&key)),
        image("333333333333.dkr.ecr.us-east-1.amazonaws.com/team/app"),
    ]);
    assert!(advice.is_complete(), "{advice}");
    assert_eq!(advice.role.statements.len(), 4, "the role needs both sides");
    let owners: Vec<Value> = advice
        .owners
        .iter()
        .map(|owner| {
            json!({
                "account": owner.account, "resource": owner.resource,
                "document": serde_json::to_value(owner.document()).unwrap()["Statement"][0],
            })
        })
        .collect();
    assert_eq!(
        json!(owners),
        json!([
            {"account": "222222222222", "resource": FOREIGN, "document": {
                "Sid": "ReadFromOtherAccount", "Effect": "Allow", "Principal": {"AWS": [ROLE]},
                "Action": ["secretsmanager:GetSecretValue"], "Resource": ["*"],
            }},
            {"account": "222222222222", "resource": key, "document": {
                "Sid": "DecryptForSecretsManager", "Effect": "Allow", "Principal": {"AWS": [ROLE]},
                "Action": ["kms:Decrypt"], "Resource": ["*"],
                "Condition": {"StringEquals": {
                    "kms:ViaService": ["secretsmanager.eu-west-1.amazonaws.com"],
                    "kms:EncryptionContext:SecretARN": [FOREIGN],
                }},
            }},
            {"account": "333333333333", "resource": "arn:aws:ecr:us-east-1:333333333333:repository/team/app", "document": {
                "Sid": "PullFromOtherAccount", "Effect": "Allow", "Principal": {"AWS": [ROLE]},
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            }},
        ])
    );
}

#[test]
fn a_key_of_another_account_needs_its_owner_even_for_a_secret_of_ones_own() {
    let key = format!("arn:aws:kms:eu-west-1:222222222222:key/{KEY_ID}");
    let advice = least_privilege(&[secret(WHOLE).with_key(customer(&key))]);
    let kinds: Vec<_> = advice
        .owners
        .iter()
        .map(|owner| (owner.kind, owner.resource.as_str()))
        .collect();
    assert_eq!(kinds, [(OwnedResource::Key, key.as_str())]);
    let by_alias = key.replace(&format!("key/{KEY_ID}"), "alias/shared");
    let advice = least_privilege(&[secret(WHOLE).with_key(customer(&by_alias))]);
    assert_eq!(advice.owners[0].resource, by_alias);
    assert!(
        !advice.owners[0]
            .statement
            .conditions
            .contains_key("ForAnyValue:StringEquals")
    );
}

#[test]
fn several_roles_and_large_policies_are_pointed_out() {
    let other = "arn:aws:iam::111111111111:role/other";
    let inputs: Vec<_> = (0..100)
        .map(|number| secret(&WHOLE.replace("registry", &format!("registry{number}"))))
        .chain([
            secret(FOREIGN).with_role(other).with_key(customer(KEY_ID)),
            secret(FOREIGN),
        ])
        .collect();
    let advice = least_privilege(&inputs);
    assert_eq!(advice.role_arns, [ROLE, other]);
    assert_eq!(
        advice.owners[0].statement.principal,
        Some(Principal::Aws(advice.role_arns.clone()))
    );
    let notes: Vec<String> = advice.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("2 execution roles")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.contains("at most 6144")),
        "{notes:?}"
    );
}

#[test]
fn the_text_for_people_explains_every_statement() {
    let text = least_privilege(&[
        secret(FOREIGN).with_key(customer(KEY_ID)),
        image("111111111111.dkr.ecr.eu-west-1.amazonaws.com/app"),
    ])
    .to_string();
    for part in [
        "The least policy of execution role arn:aws:iam::111111111111:role/execution:",
        "\"Version\": \"2012-10-17\"",
        "EcrLogin: a token of Amazon ECR",
        "EcrPull: manifests and layers of these repositories (web)",
        "ReadRegistrySecrets: the values of these secrets (web)",
        "DecryptRegistrySecrets: decryption of these secrets, by Secrets Manager alone (web)",
        &format!("The owner of account 222222222222 adds to the resource policy of secret {FOREIGN}:"),
        "The owner of account 222222222222 adds to the key policy of arn:aws:kms:eu-west-1:222222222222:key/",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
