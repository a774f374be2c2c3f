//! Who may assume an execution role.

use super::{PolicyDocument, Principal, Statement};

/// The trust policy of an execution role: Amazon ECS, and for local use the callers (ARNs of roles, users or
/// accounts), who then have to give the external id if there is one.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>.
///
/// ```
/// let document = ecs_secret_resolver::policy::trust_policy(&["arn:aws:iam::111111111111:user/alice"], Some("local"));
/// assert_eq!(document.statements.len(), 2);
/// ```
#[must_use]
pub fn trust_policy(callers: &[&str], external_id: Option<&str>) -> PolicyDocument {
    let assume = |sid, principal| Statement::allow(sid, ["sts:AssumeRole"]).of(principal);
    let tasks = Principal::Service(vec!["ecs-tasks.amazonaws.com".to_owned()]);
    let mut statements = vec![assume("EcsTasks", tasks)];
    if !callers.is_empty() {
        let mut callers: Vec<String> = callers.iter().map(|&caller| caller.to_owned()).collect();
        callers.sort();
        callers.dedup();
        let local = assume("LocalCallers", Principal::Aws(callers));
        statements.push(match external_id {
            Some(external_id) => local.when("StringEquals", "sts:ExternalId", [external_id]),
            None => local,
        });
    }
    PolicyDocument::new(statements)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::trust_policy;

    #[test]
    fn a_role_for_ecs_alone_trusts_only_ecs() {
        let document = serde_json::to_value(trust_policy(&[], Some("unused"))).unwrap();
        assert_eq!(
            document["Statement"],
            json!([{
                "Sid": "EcsTasks", "Effect": "Allow", "Principal": {"Service": ["ecs-tasks.amazonaws.com"]},
                "Action": ["sts:AssumeRole"],
            }])
        );
    }

    #[test]
    fn callers_have_to_give_the_external_id() {
        let callers = [
            "arn:aws:iam::111111111111:user/b",
            "arn:aws:iam::111111111111:user/a",
        ];
        let document = serde_json::to_value(trust_policy(&callers, Some("local"))).unwrap();
        assert_eq!(
            document["Statement"][1],
            json!({
                "Sid": "LocalCallers", "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:user/a", "arn:aws:iam::111111111111:user/b"]},
                "Action": ["sts:AssumeRole"],
                "Condition": {"StringEquals": {"sts:ExternalId": ["local"]}},
            })
        );
    }
}
