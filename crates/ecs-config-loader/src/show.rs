//! The configuration as it may be shown: origins, and no secrets.

use std::time::Duration;

use ecs_registry_auth::{CredentialKind, Origin, Redactor};
use serde::Serialize;

use crate::{Config, DockerConfigUse, Finding, Setting, names};

/// A configuration without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// Every setting that has a value, in a fixed order.
    pub settings: Vec<ShownSetting>,
    /// Every registry key of engine auth, as written.
    pub registries: Vec<ShownRegistry>,
    /// What somebody should look at.
    pub warnings: Vec<Finding>,
}

/// One setting in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShownSetting {
    /// The name of its variable.
    pub name: &'static str,
    /// Its value as it could be written; durations in Go's syntax.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

/// One registry key of engine auth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShownRegistry {
    /// The key, as it was written.
    pub key: String,
    /// The registry that it names.
    pub registry: String,
    /// The path within the registry, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `password`, `identity-token` or `registry-token`; absent for a broken entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'static str>,
    /// The user name, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What is wrong with the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

impl Config {
    /// The configuration as it may be shown.
    #[must_use]
    pub fn show(&self) -> Shown {
        Shown {
            settings: self.shown_settings(),
            registries: self.shown_registries(),
            warnings: self.warnings.clone(),
        }
    }

    fn shown_settings(&self) -> Vec<ShownSetting> {
        fn shown<T>(
            name: &'static str,
            setting: &Setting<T>,
            text: impl FnOnce(&T) -> String,
        ) -> Option<ShownSetting> {
            Some(ShownSetting {
                name,
                value: text(&setting.value),
                origin: setting.origin.clone(),
            })
        }
        let region = self.region.as_ref();
        let profile = self.alternate_credential_profile.as_ref();
        let data_dir = self.data_dir.as_ref();
        let auth_type = self.engine_auth_type.as_ref();
        let pull = &self.pull;
        [
            auth_type.and_then(|setting| shown(names::AUTH_TYPE, setting, ToString::to_string)),
            shown(names::AUTH_DOCKER_CONFIG, &self.docker_config, docker_config),
            shown(names::PULL_BEHAVIOR, &pull.behavior, ToString::to_string),
            shown(
                names::PULL_CACHED_IMAGES,
                &pull.cached_images,
                ToString::to_string,
            ),
            shown(names::PULL_TIMEOUT, &pull.pull_timeout, go_duration),
            shown(
                names::PULL_INACTIVITY_TIMEOUT,
                &pull.inactivity_timeout,
                go_duration,
            ),
            shown(names::MANIFEST_PULL_TIMEOUT, &pull.manifest_timeout, go_duration),
            shown(names::PULL_BEGIN_TIMEOUT, &pull.begin_timeout, go_duration),
            shown(names::DOCKER_HOST, &self.docker_host, |url| {
                Redactor::new().redact(url).into_owned()
            }),
            region.and_then(|setting| shown(names::DEFAULT_REGION, setting, Clone::clone)),
            shown(names::EXTERNAL, &self.external, ToString::to_string),
            profile.and_then(|setting| shown(names::ALTERNATE_CREDENTIAL_PROFILE, setting, Clone::clone)),
            data_dir.and_then(|setting| shown(names::DATA_DIR, setting, |path| path.display().to_string())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn shown_registries(&self) -> Vec<ShownRegistry> {
        let entries = self.engine_auth.index().entries();
        entries
            .map(|(key, origin, answer)| ShownRegistry {
                key: key.written.to_string(),
                registry: key.registry.to_string(),
                path: Some(key.path.to_string()).filter(|path| !path.is_empty()),
                credential: answer.ok().map(|resolved| kind(resolved.credential.kind())),
                username: answer
                    .ok()
                    .and_then(|resolved| resolved.credential.username.clone()),
                problem: answer.err().map(ToString::to_string),
                origin: origin.clone(),
            })
            .collect()
    }
}

fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::IdentityToken => "identity-token",
        CredentialKind::RegistryToken => "registry-token",
        _ => "password",
    }
}

fn docker_config(choice: &DockerConfigUse) -> String {
    match choice {
        DockerConfigUse::Off => "false".to_owned(),
        DockerConfigUse::Standard => "true".to_owned(),
        DockerConfigUse::Path(path) => path.display().to_string(),
    }
}

/// A duration in Go's syntax, in as few units as it takes.
fn go_duration(duration: &Duration) -> String {
    let nanoseconds = duration.as_nanos();
    for (unit, scale) in [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
    ] {
        if nanoseconds >= scale && nanoseconds.is_multiple_of(scale) {
            return format!("{}{unit}", nanoseconds / scale);
        }
    }
    format!("{nanoseconds}ns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_go_duration;

    #[test]
    fn durations_are_shown_in_the_syntax_they_are_read_in() {
        for (text, shown) in [
            ("2h", "2h"),
            ("1h30m", "90m"),
            ("90s", "90s"),
            ("1.5s", "1500ms"),
            ("1ns", "1ns"),
        ] {
            let nanoseconds = parse_go_duration(text).unwrap();
            let duration = Duration::from_nanos(nanoseconds.unsigned_abs());
            assert_eq!(go_duration(&duration), shown);
            assert_eq!(parse_go_duration(shown), Ok(nanoseconds));
        }
    }
}
