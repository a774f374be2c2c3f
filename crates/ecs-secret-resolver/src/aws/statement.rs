//! The policy statements that diagnoses ask for.

use serde_json::json;

use crate::{Arn, Identity};

/// The word after a marker in one of AWS's sentences.
pub(super) fn word_after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(marker)?;
    let word = after.split_whitespace().next()?.trim_end_matches(['.', ',']);
    (!word.is_empty()).then_some(word)
}

/// A statement for the identity's own policy.
pub(crate) fn identity_policy(identity: &Identity, action: &str, resource: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    format!("add to a policy of {identity}: {statement}")
}

/// A statement for the resource's own policy, in the account of its owner.
pub(super) fn resource_policy(identity: &Identity, action: &str, resource: &str) -> String {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": principal(identity)},
        "Action": action,
        "Resource": "*",
    });
    let owner = Arn::parse(resource)
        .map(|arn| format!(" (account {})", arn.account()))
        .unwrap_or_default();
    format!("let the owner of {resource}{owner} add to its resource policy: {statement}")
}

/// A statement for the trust policy of a role.
pub(super) fn trust(identity: &Identity, caller: Option<&str>) -> String {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": caller.unwrap_or("ARN of the caller")},
        "Action": "sts:AssumeRole",
    });
    format!(
        "execution roles trust only ecs-tasks.amazonaws.com: for local testing add to the trust policy of {identity}: \
         {statement}, or use the caller's own credentials instead of the role"
    )
}

/// What both sides of a KMS key have to say, as long as the key itself is not known.
pub(crate) fn kms(identity: &Identity, region: &str, secret: &str) -> String {
    let account = Arn::parse(secret).map(|arn| arn.account().to_owned()).ok();
    let statement = json!({
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "ARN of the secret's KMS key",
        "Condition": {"StringEquals": {
            "kms:ViaService": format!(
                "secretsmanager.{region}.{}", crate::Partition::of_region(region).dns_suffix()
            ),
        }},
    });
    let across = account.is_some_and(|account| identity.account().is_some_and(|own| own != account));
    let more = if across {
        "; the secret is in another account: its key must be a customer-managed one whose key policy allows the role, \
         because aws/secretsmanager cannot be shared"
    } else {
        ""
    };
    format!("add to a policy of {identity}: {statement}{more}")
}

fn principal(identity: &Identity) -> String {
    identity
        .current_role()
        .map_or_else(|| "ARN of the caller".to_owned(), |role| role.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_sentence_are_found() {
        let said = "User: arn:x is not authorized to perform: a:B on resource: arn:y because of z";
        assert_eq!(word_after(said, "User: "), Some("arn:x"));
        assert_eq!(word_after(said, "not authorized to perform: "), Some("a:B"));
        assert_eq!(word_after("on resource: arn:y.", "on resource: "), Some("arn:y"));
        assert_eq!(word_after("on resource: ", "on resource: "), None);
        assert_eq!(word_after("", "User: "), None);
    }
}
