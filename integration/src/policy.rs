//! As much of IAM's evaluation of policies as it takes to hold a policy against requests.
//!
//! Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// An identity's policy. Only what an execution role's policy is made of is understood; anything else is an error, so that
/// nothing is allowed because it was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// One action on one resource, allowed under all of the conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    action: String,
    resource: String,
    /// Key, whether the values are patterns, values.
    conditions: Vec<(String, bool, Vec<String>)>,
}

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    action: String,
    resource: String,
    context: BTreeMap<String, String>,
}

impl Deed {
    /// An action, such as `kms:Decrypt`, on the ARN of a resource, or on `*` where the action knows no resources.
    #[must_use]
    pub fn new(action: &str, resource: &str) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
        }
    }

    /// With the value of a condition key.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_ascii_lowercase(), value.to_owned());
        self
    }
}

impl Policy {
    /// From a policy document.
    ///
    /// # Errors
    /// It is none, or has something that is not understood here.
    pub fn parse(document: &Value) -> Result<Self> {
        ensure!(
            document["Version"] == "2012-10-17",
            "no policy document: {document}"
        );
        let statements = document["Statement"].as_array().context("no statements")?;
        let mut rules = Vec::new();
        for statement in statements {
            rules.extend(rules_of(statement).with_context(|| format!("in {statement}"))?);
        }
        Ok(Self { rules })
    }

    /// From a single statement.
    ///
    /// # Errors
    /// It is none, or has something that is not understood here.
    pub fn of_statement(statement: &Value) -> Result<Self> {
        Ok(Self {
            rules: rules_of(statement).with_context(|| format!("in {statement}"))?,
        })
    }

    /// Whether it is allowed.
    #[must_use]
    pub fn allows(&self, deed: &Deed) -> bool {
        self.rules.iter().any(|rule| rule.allows(deed))
    }

    /// What of the policy none of these deeds needs: every pair of action and resource without which all of them
    /// would still be allowed.
    #[must_use]
    pub fn superfluous(&self, deeds: &[Deed]) -> Vec<String> {
        (0..self.rules.len())
            .filter(|left_out| {
                let mut rules = self.rules.clone();
                rules.remove(*left_out);
                let rest = Self { rules };
                deeds.iter().all(|deed| rest.allows(deed) || !self.allows(deed))
            })
            .map(|index| format!("{} on {}", self.rules[index].action, self.rules[index].resource))
            .collect()
    }
}

impl Rule {
    fn allows(&self, deed: &Deed) -> bool {
        matches(
            &self.action.to_ascii_lowercase(),
            &deed.action.to_ascii_lowercase(),
        ) && matches(&self.resource, &deed.resource)
            && self.conditions.iter().all(|(key, are_patterns, values)| {
                // A key that the request does not have fails the condition.
                deed.context.get(&key.to_ascii_lowercase()).is_some_and(|actual| {
                    values.iter().any(|value| match are_patterns {
                        true => matches(value, actual),
                        false => value == actual,
                    })
                })
            })
    }
}

fn rules_of(statement: &Value) -> Result<Vec<Rule>> {
    let fields = statement.as_object().context("no object")?;
    for field in fields.keys() {
        ensure!(
            ["Sid", "Effect", "Action", "Resource", "Condition"].contains(&field.as_str()),
            "{field} is not understood"
        );
    }
    ensure!(statement["Effect"] == "Allow", "only Allow is understood");
    let mut conditions = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let are_patterns = match operator.as_str() {
            "StringEquals" => false,
            "StringLike" | "ArnLike" => true,
            _ => bail!("condition {operator} is not understood"),
        };
        for (key, values) in keys.as_object().context("a condition without keys")? {
            conditions.push((key.clone(), are_patterns, texts(values)?));
        }
    }
    let mut rules = Vec::new();
    for action in texts(&statement["Action"])? {
        for resource in texts(&statement["Resource"])? {
            rules.push(Rule {
                action: action.clone(),
                resource,
                conditions: conditions.clone(),
            });
        }
    }
    Ok(rules)
}

/// One text or a list of them.
fn texts(value: &Value) -> Result<Vec<String>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    let texts: Option<Vec<String>> = list.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    let texts = texts.with_context(|| format!("{value} is neither a text nor a list of texts"))?;
    ensure!(!texts.is_empty(), "an empty list");
    Ok(texts)
}

/// `*` is any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let tails = text.char_indices().map(|(index, _)| index).chain([text.len()]);
            tails
                .into_iter()
                .any(|index| matches(rest.as_str(), &text[index..]))
        }
        Some(wanted) => {
            let mut found = text.chars();
            found
                .next()
                .is_some_and(|character| wanted == '?' || wanted == character)
                && matches(rest.as_str(), found.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:login-AbCdEf";

    fn policy(statement: &Value) -> Result<Policy> {
        Policy::parse(&json!({"Version": "2012-10-17", "Statement": [statement]}))
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("x-??????", "x-AbCdEf", true),
            ("x-??????", "x-AbCdE", false),
            ("x-??????", "x-y-AbCdEf", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} and {text}");
        }
    }

    #[test]
    fn action_resource_and_every_condition_have_to_match() -> Result<()> {
        let policy = policy(&json!({
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": ["arn:aws:kms:eu-west-1:222222222222:key/k"],
            "Condition": {
                "StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:SecretARN": ["arn:aws:secretsmanager:*:login-??????"]},
            },
        }))?;
        let key = "arn:aws:kms:eu-west-1:222222222222:key/k";
        let via = "secretsmanager.eu-west-1.amazonaws.com";
        let right = Deed::new("kms:Decrypt", key)
            .with("kms:ViaService", via)
            .with("kms:EncryptionContext:SecretARN", SECRET);
        assert!(policy.allows(&right));
        for wrong in [
            Deed {
                action: "kms:Encrypt".into(),
                ..right.clone()
            },
            Deed {
                resource: "arn:aws:kms:eu-west-1:222222222222:key/other".into(),
                ..right.clone()
            },
            right
                .clone()
                .with("kms:ViaService", "ssm.eu-west-1.amazonaws.com"),
            Deed::new("kms:Decrypt", key).with("kms:ViaService", via),
        ] {
            assert!(!policy.allows(&wrong), "{wrong:?}");
        }
        Ok(())
    }

    #[test]
    fn what_no_deed_needs_is_superfluous() -> Result<()> {
        let policy = policy(&json!({
            "Effect": "Allow",
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Resource": "*",
        }))?;
        let pulled = Deed::new(
            "ecr:BatchGetImage",
            "arn:aws:ecr:us-east-1:111111111111:repository/app",
        );
        assert_eq!(
            policy.superfluous(std::slice::from_ref(&pulled)),
            ["ecr:GetDownloadUrlForLayer on *"]
        );
        let layer = Deed::new("ecr:GetDownloadUrlForLayer", "*");
        assert!(policy.superfluous(&[pulled, layer]).is_empty());
        Ok(())
    }

    #[test]
    fn what_is_not_understood_allows_nothing() {
        for statement in [
            json!({"Effect": "Deny", "Action": "a:B", "Resource": "*"}),
            json!({"Effect": "Allow", "NotAction": "a:B", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {"Null": {"a:k": "true"}}}),
            json!({"Effect": "Allow", "Action": [], "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "a:B"}),
        ] {
            assert!(policy(&statement).is_err(), "{statement}");
        }
    }
}
