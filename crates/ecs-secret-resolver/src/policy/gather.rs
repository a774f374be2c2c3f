//! What the kinds of needs add their statements to.

use std::collections::BTreeSet;

use super::{NoteKind, OwnedResource, OwnerStatement, PolicyInput, PolicyNote, Reason, Statement};
use crate::Arn;

#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) roles: BTreeSet<String>,
    pub(super) statements: Vec<Statement>,
    pub(super) reasons: Vec<Reason>,
    pub(super) owners: Vec<OwnerStatement>,
    pub(super) notes: Vec<PolicyNote>,
}

/// Who needs the same thing.
#[derive(Debug, Default, Clone)]
pub(super) struct Users {
    pub(super) containers: BTreeSet<String>,
    pub(super) roles: BTreeSet<Role>,
}

/// An execution role and its account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) account: String,
}

impl Users {
    pub(super) fn add(&mut self, container: &str, role: Option<&Role>) {
        self.containers.insert(container.to_owned());
        self.roles.extend(role.cloned());
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.containers.extend(other.containers);
        self.roles.extend(other.roles);
    }

    /// The roles whose own policy does not suffice for what this account owns.
    pub(super) fn roles_outside(&self, account: &str) -> Vec<String> {
        self.roles
            .iter()
            .filter(|role| role.account != account)
            .map(|role| role.arn.clone())
            .collect()
    }
}

impl Gathered {
    /// The role of an input; one that is not the ARN of a role is noted.
    pub(super) fn role(&mut self, input: &PolicyInput) -> Option<Role> {
        let written = input.role.as_deref()?;
        let role = Arn::parse(written).ok().filter(|arn| {
            arn.service() == "iam" && arn.resource().starts_with("role/") && !arn.account().is_empty()
        });
        match role {
            Some(arn) => {
                self.roles.insert(written.to_owned());
                Some(Role {
                    arn: written.to_owned(),
                    account: arn.account().to_owned(),
                })
            }
            None => {
                self.gap(
                    &input.container,
                    format!(
                        "{} is not the ARN of a role: it cannot be told which accounts are others",
                        crate::arn::shown(written)
                    ),
                );
                None
            }
        }
    }

    pub(super) fn allow(
        &mut self,
        statement: Statement,
        purpose: &'static str,
        containers: BTreeSet<String>,
    ) {
        self.reasons.push(Reason {
            sid: statement.sid.clone(),
            purpose,
            containers: containers.into_iter().collect(),
        });
        self.statements.push(statement);
    }

    pub(super) fn owner(&mut self, account: &str, kind: OwnedResource, resource: &str, statement: Statement) {
        self.owners.push(OwnerStatement {
            account: account.to_owned(),
            kind,
            resource: resource.to_owned(),
            statement,
        });
    }

    pub(super) fn gap(&mut self, container: &str, text: String) {
        self.note(NoteKind::Gap, container, text);
    }

    pub(super) fn hint(&mut self, container: &str, text: String) {
        self.note(NoteKind::Hint, container, text);
    }

    fn note(&mut self, kind: NoteKind, container: &str, text: String) {
        self.notes.push(PolicyNote {
            kind,
            container: Some(container.to_owned()),
            text,
        });
    }
}
