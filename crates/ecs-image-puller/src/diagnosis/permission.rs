//! The permission that Amazon ECR misses, and the statement that gives it.

use serde_json::json;

/// What Amazon ECR said of a denied action.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Permission<'a> {
    /// ARN of who was denied.
    principal: &'a str,
    action: &'a str,
    resource: Option<&'a str>,
}

impl<'a> Permission<'a> {
    /// Finds "User: ARN is not authorized to perform: ACTION on resource: ARN" in what was said.
    pub(super) fn denied(said: &'a str) -> Option<Self> {
        let (before, after) = said.split_once(" is not authorized to perform: ")?;
        let principal = before
            .rsplit_once("User: ")
            .map_or(before, |(_, principal)| principal);
        let word = |text: &'a str| {
            text.split_whitespace()
                .next()
                .map(|word| word.trim_end_matches(['.', ',']))
        };
        let resource = after
            .split_once(" on resource: ")
            .and_then(|(_, resource)| word(resource));
        Some(Self {
            principal: word(principal)?,
            action: word(after)?,
            resource: resource.filter(|resource| *resource == "*" || resource.starts_with("arn:")),
        })
    }

    /// To whom which statement has to be added.
    ///
    /// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/security_iam_id-based-policy-examples.html>.
    pub(super) fn next_step(&self) -> String {
        let statement = json!({
            "Effect": "Allow",
            "Action": self.action,
            "Resource": self.resource.unwrap_or("*"),
        });
        format!(
            "add this statement to the policy of {}: {statement}",
            self.holder()
        )
    }

    /// The role behind a session, else who was named.
    fn holder(&self) -> String {
        match self.principal.split_once(":assumed-role/") {
            Some((_, role)) => format!("role {}", role.split('/').next().unwrap_or(role)),
            None => self.principal.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Permission;

    #[test]
    fn the_statement_names_role_action_and_resource() {
        for (said, expected) in [
            (
                "denied: User: arn:aws:sts::111111111111:assumed-role/execution/task is not authorized to perform: \
                 ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111111111111:repository/team/app because no \
                 identity-based policy allows the ecr:BatchGetImage action",
                "add this statement to the policy of role execution: {\"Action\":\"ecr:BatchGetImage\",\
                 \"Effect\":\"Allow\",\"Resource\":\"arn:aws:ecr:eu-west-1:111111111111:repository/team/app\"}",
            ),
            (
                "User: arn:aws-cn:iam::111111111111:user/operator is not authorized to perform: \
                 ecr:GetAuthorizationToken on resource: *",
                "add this statement to the policy of arn:aws-cn:iam::111111111111:user/operator: \
                 {\"Action\":\"ecr:GetAuthorizationToken\",\"Effect\":\"Allow\",\"Resource\":\"*\"}",
            ),
        ] {
            let permission = Permission::denied(said).unwrap();
            assert_eq!(permission.next_step(), expected);
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        for said in [
            "",
            "denied: requested access to the resource is denied",
            "is not authorized to perform: ",
        ] {
            assert_eq!(Permission::denied(said), None, "{said}");
        }
    }
}
