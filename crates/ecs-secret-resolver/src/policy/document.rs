//! IAM's policy documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A policy document, with IAM's field names in its JSON.
///
/// Lists are always written as lists, also those of one element, so that equal policies are equal texts.
///
/// Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.
///
/// ```
/// use ecs_secret_resolver::policy::{PolicyDocument, Statement};
///
/// let statement = Statement::allow("EcrLogin", ["ecr:GetAuthorizationToken"]).on(["*"]);
/// assert_eq!(
///     serde_json::to_string(&PolicyDocument::new(vec![statement]))?,
///     r#"{"Version":"2012-10-17","Statement":[{"Sid":"EcrLogin","Effect":"Allow","Action":["ecr:GetAuthorizationToken"],"Resource":["*"]}]}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct PolicyDocument {
    /// The version of the policy language: `2012-10-17`.
    pub version: String,
    /// The statements, in the order in which they are best read. None means that no permission is needed; IAM does
    /// not take such a document.
    #[serde(rename = "Statement")]
    pub statements: Vec<Statement>,
}

impl PolicyDocument {
    /// A document of the current policy language.
    #[must_use]
    pub fn new(statements: Vec<Statement>) -> Self {
        Self {
            version: "2012-10-17".to_owned(),
            statements,
        }
    }

    /// Whether it allows nothing, because nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// As indented JSON.
impl fmt::Display for PolicyDocument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&json)
    }
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Statement {
    /// What it is for: letters and digits, unique in its document.
    pub sid: String,
    /// Always `Allow` in what this crate writes.
    pub effect: Effect,
    /// Whom it is for; absent in the policy of a role, which is for that role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The actions, for example `secretsmanager:GetSecretValue`.
    #[serde(rename = "Action")]
    pub actions: Vec<String>,
    /// The ARNs that the actions may touch, with `?` and `*` as wildcards; empty in a trust policy.
    #[serde(default, rename = "Resource", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Operator, then condition key, then the values of which one has to match.
    #[serde(default, rename = "Condition", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Effect {
    /// It gives the permission.
    Allow,
    /// It takes the permission, whatever other statements give.
    Deny,
}

/// Whom a statement of a resource's or a role's own policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Principal {
    /// Roles, users and accounts by their ARNs.
    #[serde(rename = "AWS")]
    Aws(Vec<String>),
    /// AWS services by their principal names.
    Service(Vec<String>),
}

impl Statement {
    /// A statement that allows these actions, on nothing yet.
    #[must_use]
    pub fn allow<'a>(sid: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: Effect::Allow,
            principal: None,
            actions: actions.into_iter().map(str::to_owned).collect(),
            resources: Vec::new(),
            conditions: BTreeMap::new(),
        }
    }

    /// On these resources.
    #[must_use]
    pub fn on(mut self, resources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.resources = resources.into_iter().map(Into::into).collect();
        self
    }

    /// For this principal.
    #[must_use]
    pub fn of(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Only where the condition key has one of these values, compared by this operator.
    #[must_use]
    pub fn when(
        mut self,
        operator: &str,
        key: &str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.conditions
            .entry(operator.to_owned())
            .or_default()
            .insert(key.to_owned(), values.into_iter().map(Into::into).collect());
        self
    }
}

/// As JSON on one line, for a message.
impl fmt::Display for Statement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_document_is_read_back_as_it_was_written() {
        let document = PolicyDocument::new(vec![
            Statement::allow("One", ["a:B", "a:C"])
                .of(Principal::Aws(vec![
                    "arn:aws:iam::111111111111:role/r".to_owned(),
                ]))
                .on(["arn:aws:a:::x", "arn:aws:a:::y"])
                .when("StringEquals", "k:One", ["1"])
                .when("StringEquals", "k:Two", ["2", "3"])
                .when("StringLike", "k:Three", ["4*"]),
            Statement::allow("Two", ["sts:AssumeRole"])
                .of(Principal::Service(vec!["x.amazonaws.com".to_owned()])),
        ]);
        let text = document.to_string();
        assert_eq!(serde_json::from_str::<PolicyDocument>(&text).unwrap(), document);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            json["Statement"][0]["Principal"]["AWS"][0],
            "arn:aws:iam::111111111111:role/r"
        );
        assert_eq!(json["Statement"][0]["Condition"]["StringEquals"]["k:Two"][1], "3");
        assert!(json["Statement"][1].get("Resource").is_none());
        assert!(json["Statement"][1].get("Condition").is_none());
    }
}
