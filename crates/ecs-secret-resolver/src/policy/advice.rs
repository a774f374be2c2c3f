//! Policies from needs.

use super::gather::Gathered;
use super::{PolicyDocument, PolicyInput, Statement, images, secrets};

/// What an execution role needs and who has to allow it.
///
/// Its `Display` is for people: the policy, why each statement is there, and what the owners of other accounts have to
/// add.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyAdvice {
    /// The execution roles that were named, sorted. More than one share this advice, although each may need less.
    pub role_arns: Vec<String>,
    /// The least policy of the execution role.
    pub role: PolicyDocument,
    /// Why each statement of that policy is there, in its order.
    pub reasons: Vec<Reason>,
    /// What other accounts have to allow, sorted by account and resource.
    pub owners: Vec<OwnerStatement>,
    /// What could not be turned into a statement, and what is worth knowing.
    pub notes: Vec<PolicyNote>,
}

impl PolicyAdvice {
    /// Whether every need became a statement.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.notes.iter().all(|note| note.kind != NoteKind::Gap)
    }
}

/// Why a statement is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The statement.
    pub sid: String,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// The containers that need it, sorted.
    pub containers: Vec<String>,
}

/// A statement that the owner of another account has to add.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerStatement {
    /// The twelve digits of the owner's account.
    pub account: String,
    /// The kind of policy.
    pub kind: OwnedResource,
    /// The ARN of what the policy is attached to. That of a secret ends in `-??????` where its random suffix is not
    /// known; that of a key in `key/*` where only an alias is known.
    pub resource: String,
    /// The statement to add to it.
    pub statement: Statement,
}

/// What another account owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OwnedResource {
    /// A secret of Secrets Manager, with a resource policy.
    Secret,
    /// A key of KMS, with a key policy.
    Key,
    /// A repository of Amazon ECR, with a repository policy.
    Repository,
}

/// Something to know about a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PolicyNote {
    /// How much it matters.
    pub kind: NoteKind,
    /// The container it is about, if it is about one.
    pub container: Option<String>,
    /// In one sentence, without a full stop.
    pub text: String,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// A need without a statement: the pull would fail with these policies alone.
    Gap,
    /// Good to know.
    Hint,
}

/// The largest managed policy that IAM takes, without white space.
///
/// Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const LARGEST: usize = 6144;

/// The least policies for what the containers of a task need. The order of the needs does not matter.
///
/// * A secret: `secretsmanager:GetSecretValue` on its exact ARN, or with `-??????` where its random suffix is not
///   known; `kms:Decrypt` only under a customer-managed key, only through Secrets Manager and only for that secret.
/// * An image at Amazon ECR: the login, which IAM cannot narrow, and the two actions of a pull on its repository. An
///   engine does not use `ecr:BatchCheckLayerAvailability` to pull.
///
/// A need that cannot be turned into a statement is a note of kind [`NoteKind::Gap`].
#[must_use]
pub fn least_privilege(inputs: &[PolicyInput]) -> PolicyAdvice {
    let mut gathered = Gathered::default();
    images::gather(inputs, &mut gathered);
    secrets::gather(inputs, &mut gathered);
    let Gathered {
        roles,
        statements,
        reasons,
        mut owners,
        mut notes,
    } = gathered;
    if roles.len() > 1 {
        notes.push(PolicyNote {
            kind: NoteKind::Hint,
            container: None,
            text: format!(
                "the containers have {} execution roles; this policy is what all of them together need: ask for one \
                 role at a time to get each one's least",
                roles.len()
            ),
        });
    }
    let role = PolicyDocument::new(statements);
    let size = serde_json::to_string(&role).map_or(0, |json| json.len());
    if size > LARGEST {
        notes.push(PolicyNote {
            kind: NoteKind::Hint,
            container: None,
            text: format!(
                "the policy has {size} characters and a managed policy at most {LARGEST}: split it by statements, or \
                 group the secrets under a common path"
            ),
        });
    }
    owners.sort_by(|left, right| {
        (&left.account, left.kind, &left.resource).cmp(&(&right.account, right.kind, &right.resource))
    });
    notes.sort();
    notes.dedup();
    PolicyAdvice {
        role_arns: roles.into_iter().collect(),
        role,
        reasons,
        owners,
        notes,
    }
}
