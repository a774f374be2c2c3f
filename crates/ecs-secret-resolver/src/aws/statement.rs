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
        "Principal": {"AWS": principal(identity, "ARN of the caller")},
        "Action": action,
        "Resource": "*",
    });
    let owner = Arn::parse(resource)
        .map(|arn| format!(" (account {})", arn.account()))
        .unwrap_or_default();
    format!("let the owner of {resource}{owner} add to its resource policy: {statement}")
}

/// What has to be said for a role to be assumed, by whichever side AWS says is silent.
///
/// Within one account a trust policy that names the caller is enough; across accounts both sides have to allow it.
///
/// Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>.
pub(super) fn assume_role(identity: &Identity, said: &str) -> String {
    let caller = word_after(said, "User: ");
    // In a chain of roles, it need not be the last one that is refused.
    let role = word_after(said, "on resource: ")
        .filter(|resource| Arn::parse(resource).is_ok())
        .map_or_else(|| principal(identity, "ARN of the role"), str::to_owned);
    let own = || {
        let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role});
        format!(
            "add to a policy of {}: {statement}",
            caller.unwrap_or("the caller")
        )
    };
    let trust = || {
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"AWS": caller.unwrap_or("ARN of the caller")},
            "Action": "sts:AssumeRole",
        });
        format!(
            "execution roles trust only ecs-tasks.amazonaws.com: for local testing add to the trust policy of role {role}: \
             {statement}, or use the caller's own credentials instead of the role"
        )
    };
    if said.contains("no identity-based policy allows") {
        return own();
    }
    let account = |arn: &str| Arn::parse(arn).ok().map(|arn| arn.account().to_owned());
    let is_same_account = caller
        .and_then(account)
        .is_some_and(|own| account(&role) == Some(own));
    if is_same_account || said.contains("no resource-based policy allows") {
        return trust();
    }
    format!(
        "{}; and where the role does not trust the caller: {}",
        own(),
        trust()
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

/// The role of an identity, or a place for the reader to fill.
fn principal(identity: &Identity, unknown: &str) -> String {
    identity
        .current_role()
        .map_or_else(|| unknown.to_owned(), |role| role.to_string())
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

    #[test]
    fn a_role_is_allowed_by_the_side_that_is_silent() {
        const USER: &str = "arn:aws:iam::111111111111:user/dev";
        const OWN: &str = "arn:aws:iam::111111111111:role/own";
        const OTHER: &str = "arn:aws:iam::222222222222:role/other";
        const LAST: &str = "arn:aws:iam::333333333333:role/last";
        let identity = Identity::assume_role(crate::AssumeRole::new(LAST).unwrap());
        let said = |user: &str, role: &str, reason: &str| {
            format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}{reason}")
        };
        let by_identity = " because no identity-based policy allows the sts:AssumeRole action";
        let by_trust = " because no resource-based policy allows the sts:AssumeRole action";
        for (said, role, own, trust) in [
            (said(USER, OWN, ""), OWN, false, true),
            (said(USER, OWN, by_identity), OWN, true, false),
            (said(USER, OTHER, ""), OTHER, true, true),
            (said(USER, OTHER, by_identity), OTHER, true, false),
            (said(USER, OTHER, by_trust), OTHER, false, true),
            (
                format!("User: {USER} is not authorized to perform: sts:AssumeRole"),
                LAST,
                true,
                true,
            ),
            ("no".to_owned(), LAST, true, true),
        ] {
            let step = assume_role(&identity, &said);
            let for_caller = format!(r#"{{"Action":"sts:AssumeRole","Effect":"Allow","Resource":"{role}"}}"#);
            assert_eq!(step.contains(&for_caller), own, "{said}: {step}");
            let for_role = format!("to the trust policy of role {role}: {{");
            assert_eq!(step.contains(&for_role), trust, "{said}: {step}");
            let is_known = said.contains(USER);
            assert_eq!(
                step.contains(&format!("add to a policy of {USER}: {{")),
                own && is_known,
                "{said}: {step}"
            );
            let principal = format!(r#""Principal":{{"AWS":"{USER}"}}"#);
            assert_eq!(step.contains(&principal), trust && is_known, "{said}: {step}");
        }
    }
}
