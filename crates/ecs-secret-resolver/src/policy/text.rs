//! Policies for people.

use std::fmt;

use super::{NoteKind, OwnedResource, OwnerStatement, PolicyAdvice, PolicyDocument, PolicyNote};

impl OwnedResource {
    fn policy(self) -> &'static str {
        match self {
            Self::Secret => "the resource policy of secret",
            Self::Key => "the key policy of",
            Self::Repository => "the repository policy of",
        }
    }
}

impl OwnerStatement {
    /// The statement as a document of its own, for what has no policy yet. A key always has one.
    #[must_use]
    pub fn document(&self) -> PolicyDocument {
        PolicyDocument::new(vec![self.statement.clone()])
    }
}

/// For a line such as "container web: …".
impl fmt::Display for PolicyNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoteKind::Gap => "missing: ",
            NoteKind::Hint => "",
        };
        formatter.write_str(kind)?;
        if let Some(container) = &self.container {
            write!(formatter, "container {container:?}: ")?;
        }
        formatter.write_str(&self.text)
    }
}

impl fmt::Display for PolicyAdvice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match &self.role_arns[..] {
            [] => "the execution role".to_owned(),
            [role] => format!("execution role {role}"),
            roles => format!("execution roles {}", roles.join(", ")),
        };
        if self.role.is_empty() {
            writeln!(formatter, "{whose} needs no permission for these images.")?;
        } else {
            writeln!(formatter, "The least policy of {whose}:\n\n{}\n", self.role)?;
            for reason in &self.reasons {
                writeln!(
                    formatter,
                    "{}: {} ({})",
                    reason.sid,
                    reason.purpose,
                    reason.containers.join(", ")
                )?;
            }
        }
        for owner in &self.owners {
            write!(
                formatter,
                "\nThe owner of account {} adds to {} {}:\n\n",
                owner.account,
                owner.kind.policy(),
                owner.resource
            )?;
            let json = serde_json::to_string_pretty(&owner.statement).map_err(|_| fmt::Error)?;
            writeln!(formatter, "{json}")?;
        }
        if !self.notes.is_empty() {
            writeln!(formatter)?;
        }
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        Ok(())
    }
}
