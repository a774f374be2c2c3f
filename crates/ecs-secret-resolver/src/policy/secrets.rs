//! Secrets of `repositoryCredentials`.

use std::collections::BTreeMap;

use super::gather::{Gathered, Role, Users};
use super::input::Need;
use super::{OwnedResource, PolicyInput, Principal, SecretKey, Statement, keys};
use crate::{Arn, Partition, SecretId};

const READ: [&str; 1] = ["secretsmanager:GetSecretValue"];
/// Stands for the six characters that Secrets Manager appends to a name.
///
/// Rule: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples.html>.
const ANY_SUFFIX: &str = "-??????";

/// A secret as policies name it.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) partition: Partition,
    pub(super) region: String,
    pub(super) account: String,
    /// Whether its ARN is whole.
    pub(super) is_exact: bool,
    pub(super) key: SecretKey,
    pub(super) users: Users,
}

pub(super) fn gather(inputs: &[PolicyInput], gathered: &mut Gathered) {
    let mut secrets: BTreeMap<String, Secret> = BTreeMap::new();
    for input in inputs {
        let Need::Secret { id, key } = &input.need else {
            continue;
        };
        let role = gathered.role(input);
        let Some((arn, mut secret)) = locate(input, id, role.as_ref(), gathered) else {
            continue;
        };
        secret.key = key.clone();
        secret.users.add(&input.container, role.as_ref());
        merge(&mut secrets, arn, secret);
    }
    let secrets = without_covered(secrets);
    if secrets.is_empty() {
        return;
    }
    let containers = secrets
        .values()
        .flat_map(|secret| secret.users.containers.clone())
        .collect();
    gathered.allow(
        Statement::allow("ReadRegistrySecrets", READ).on(secrets.keys()),
        "the values of these secrets",
        containers,
    );
    for (arn, secret) in &secrets {
        let roles = secret.users.roles_outside(&secret.account);
        if roles.is_empty() {
            continue;
        }
        if !secret.is_exact {
            for container in &secret.users.containers {
                gathered.gap(
                    container,
                    format!(
                        "secret {arn} is in another account than the role, where AWS finds it only by its whole ARN, \
                         with the six random characters at its end"
                    ),
                );
            }
        }
        let statement = Statement::allow("ReadFromOtherAccount", READ)
            .of(Principal::Aws(roles))
            .on(["*"]);
        gathered.owner(&secret.account, OwnedResource::Secret, arn, statement);
    }
    keys::gather(&secrets, gathered);
}

/// The ARN of a secret, or a pattern that only ARNs of this name match. What keeps it from being found is noted.
fn locate(
    input: &PolicyInput,
    id: &str,
    role: Option<&Role>,
    gathered: &mut Gathered,
) -> Option<(String, Secret)> {
    let container = &input.container;
    let secret_id = match SecretId::parse(id) {
        Ok(secret_id) => secret_id,
        Err(error) => {
            gathered.gap(container, error.to_string());
            return None;
        }
    };
    let secret = |partition, region: &str, account: &str| Secret {
        partition,
        region: region.to_owned(),
        account: account.to_owned(),
        is_exact: secret_id.has_random_suffix(),
        key: SecretKey::Unknown,
        users: Users::default(),
    };
    if let Some(arn) = secret_id.arn() {
        let role_partition = role
            .and_then(|role| Arn::parse(&role.arn).ok())
            .map(|role| role.partition());
        if let Some(partition) = role_partition.filter(|partition| *partition != arn.partition()) {
            gathered.gap(
                container,
                format!(
                    "secret {arn} is in partition {} and the role in {partition}: no policy reaches across",
                    arn.partition()
                ),
            );
            return None;
        }
        if let Some(word) = secret_id.doubtful_suffix() {
            gathered.hint(
                container,
                format!(
                    "secret {arn} is taken for a whole ARN: if its name itself ends in {word:?}, write the six random \
                     characters after it too, or this statement allows nothing"
                ),
            );
        }
        let suffix = if secret_id.has_random_suffix() {
            ""
        } else {
            ANY_SUFFIX
        };
        return Some((
            format!("{arn}{suffix}"),
            secret(arn.partition(), arn.region(), arn.account()),
        ));
    }
    let name = secret_id.name();
    let account = input
        .account
        .as_deref()
        .or(role.map(|role| role.account.as_str()));
    let (Some(region), Some(account)) = (input.region.as_deref(), account) else {
        let missing = match (&input.region, account) {
            (None, None) => "region and account",
            (None, _) => "region",
            _ => "account",
        };
        gathered.gap(
            container,
            format!(
                "secret {name:?} is given by name, and the task's {missing} is not known: write its whole ARN"
            ),
        );
        return None;
    };
    let partition = Partition::of_region(region);
    Some((
        format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}{ANY_SUFFIX}"),
        secret(partition, region, account),
    ))
}

fn merge(secrets: &mut BTreeMap<String, Secret>, arn: String, other: Secret) {
    match secrets.get_mut(&arn) {
        None => {
            secrets.insert(arn, other);
        }
        Some(secret) => {
            secret.users.merge(other.users);
            if secret.key == SecretKey::Unknown {
                secret.key = other.key;
            }
        }
    }
}

/// A whole ARN beside the pattern of its own name is superfluous.
fn without_covered(secrets: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let pattern_of = |arn: &str| {
        arn.len()
            .checked_sub(ANY_SUFFIX.len())
            .and_then(|end| arn.get(..end))
            .map(|name| format!("{name}{ANY_SUFFIX}"))
    };
    let (exact, mut kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
        secrets.into_iter().partition(|(_, secret)| secret.is_exact);
    for (arn, secret) in exact {
        match pattern_of(&arn).filter(|pattern| kept.contains_key(pattern)) {
            Some(pattern) => merge(&mut kept, pattern, secret),
            None => merge(&mut kept, arn, secret),
        }
    }
    kept
}
