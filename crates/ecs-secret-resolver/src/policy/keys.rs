//! The KMS keys of secrets.

use std::collections::BTreeMap;

use super::gather::{Gathered, Users};
use super::secrets::Secret;
use super::{OwnedResource, Principal, SecretKey, Statement};
use crate::Arn;

const DECRYPT: [&str; 1] = ["kms:Decrypt"];

/// A key as policies name it, and the service endpoint through which it is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct KeyUse {
    /// The key's ARN, or all keys of the account and region where only an alias is known.
    resource: String,
    account: String,
    alias: Option<String>,
    via: String,
}

#[derive(Debug, Default)]
struct Encrypted<'a> {
    arns: Vec<&'a str>,
    all_exact: bool,
    users: Users,
}

/// Rule: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>.
pub(super) fn gather(secrets: &BTreeMap<String, Secret>, gathered: &mut Gathered) {
    let mut keys: BTreeMap<KeyUse, Encrypted<'_>> = BTreeMap::new();
    for (arn, secret) in secrets {
        let is_elsewhere = !secret.users.roles_outside(&secret.account).is_empty();
        let key = match (&secret.key, is_elsewhere) {
            (SecretKey::Customer(key), _) => locate(key, secret),
            (SecretKey::AwsManaged, false) => continue,
            (SecretKey::AwsManaged, true) => {
                for container in &secret.users.containers {
                    gathered.gap(
                        container,
                        format!(
                            "secret {arn} is encrypted with aws/secretsmanager, which no other account can use: its \
                             owner (account {}) has to choose a customer-managed key",
                            secret.account
                        ),
                    );
                }
                continue;
            }
            (SecretKey::Unknown, true) => {
                for container in &secret.users.containers {
                    gathered.gap(
                        container,
                        format!(
                            "secret {arn} of another account must be encrypted with a customer-managed key, and which \
                             one is not known: name it for the statements about it"
                        ),
                    );
                }
                continue;
            }
            (SecretKey::Unknown, false) => {
                for container in &secret.users.containers {
                    gathered.hint(
                        container,
                        format!(
                            "the KMS key of secret {arn} is not known: if it is a customer-managed one, the role also \
                             needs kms:Decrypt on it"
                        ),
                    );
                }
                continue;
            }
        };
        let Some(key) = key else {
            for container in &secret.users.containers {
                gathered.gap(
                    container,
                    format!("the KMS key of secret {arn} is given in a form that is not one of KMS"),
                );
            }
            continue;
        };
        let encrypted = keys.entry(key).or_insert_with(|| Encrypted {
            all_exact: true,
            ..Encrypted::default()
        });
        encrypted.arns.push(arn);
        encrypted.all_exact &= secret.is_exact;
        encrypted.users.merge(secret.users.clone());
    }
    let several = keys.len() > 1;
    for (index, (key, encrypted)) in keys.into_iter().enumerate() {
        let sid = match several {
            true => format!("DecryptRegistrySecrets{}", index + 1),
            false => "DecryptRegistrySecrets".to_owned(),
        };
        let statement = conditions(
            Statement::allow(&sid, DECRYPT).on([&key.resource]),
            &key,
            &encrypted,
        );
        if let Some(alias) = &key.alias {
            for container in &encrypted.users.containers {
                gathered.hint(
                    container,
                    format!("policies cannot name a key by its alias: put the ARN of {alias} in the place of key/*"),
                );
            }
        }
        let roles = encrypted.users.roles_outside(&key.account);
        if !roles.is_empty() {
            let for_owner = Statement::allow("DecryptForSecretsManager", DECRYPT)
                .of(Principal::Aws(roles))
                .on(["*"]);
            // A key policy is about its own key, so the alias has no place in it.
            let own_key = KeyUse {
                alias: None,
                ..key.clone()
            };
            gathered.owner(
                &key.account,
                OwnedResource::Key,
                key.alias
                    .as_deref()
                    .map_or_else(
                        || key.resource.clone(),
                        |alias| key.resource.replace("key/*", alias),
                    )
                    .as_str(),
                conditions(for_owner, &own_key, &encrypted),
            );
        }
        gathered.allow(
            statement,
            "decryption of these secrets, by Secrets Manager alone",
            encrypted.users.containers,
        );
    }
}

/// Only through Secrets Manager, and only for these secrets.
///
/// Rule: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>.
fn conditions(statement: Statement, key: &KeyUse, encrypted: &Encrypted<'_>) -> Statement {
    let operator = if encrypted.all_exact {
        "StringEquals"
    } else {
        "StringLike"
    };
    let statement = statement.when("StringEquals", "kms:ViaService", [&key.via]).when(
        operator,
        "kms:EncryptionContext:SecretARN",
        encrypted.arns.iter().copied(),
    );
    match &key.alias {
        Some(alias) => statement.when("ForAnyValue:StringEquals", "kms:ResourceAliases", [alias]),
        None => statement,
    }
}

/// `None` when the text is neither the ARN or id of a key nor an alias or its ARN.
fn locate(key: &str, secret: &Secret) -> Option<KeyUse> {
    let via = format!(
        "secretsmanager.{}.{}",
        secret.region,
        secret.partition.dns_suffix()
    );
    let (prefix, account, resource) = if key.starts_with("arn:") {
        let arn = Arn::parse(key).ok().filter(|arn| arn.service() == "kms")?;
        let prefix = format!("arn:{}:kms:{}:{}", arn.partition(), arn.region(), arn.account());
        (prefix, arn.account().to_owned(), arn.resource().to_owned())
    } else {
        let prefix = format!(
            "arn:{}:kms:{}:{}",
            secret.partition, secret.region, secret.account
        );
        let resource = match key.starts_with("alias/") {
            true => key.to_owned(),
            false => format!("key/{key}"),
        };
        (prefix, secret.account.clone(), resource)
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    };
    let (kind, name) = resource.split_once('/')?;
    if !is_name(name) {
        return None;
    }
    let (resource, alias) = match kind {
        "key" => (format!("{prefix}:{resource}"), None),
        "alias" => (format!("{prefix}:key/*"), Some(resource)),
        _ => return None,
    };
    Some(KeyUse {
        resource,
        account,
        alias,
        via,
    })
}
