//! From texts to a [`Config`]: all of the logic, none of the I/O.

use std::path::PathBuf;
use std::time::Duration;

use ecs_registry_auth::{CachedImages, Origin, PullBehavior, PullBehaviorError};

use crate::config::DockerConfigUse;
use crate::duration::parse_go_duration;
use crate::env_file::EnvFile;
use crate::json::{self, Kind};
use crate::layers::{Layers, Sources, Written, wrong_type};
use crate::pull::{self, Limit};
use crate::{Config, ConfigErrors, Finding, Setting, Severity, auth_setting, names};
use crate::{Decryptor, Strictness};

/// What came out of a set of sources.
pub(crate) struct Outcome {
    pub(crate) config: Config,
    pub(crate) findings: Vec<Finding>,
}

impl Outcome {
    /// The configuration with its warnings, or every error.
    pub(crate) fn into_result(self) -> Result<Config, ConfigErrors> {
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .findings
            .into_iter()
            .partition(|finding| finding.severity == Severity::Error);
        if errors.is_empty() {
            let mut config = self.config;
            config.warnings = warnings;
            Ok(config)
        } else {
            Err(ConfigErrors::new(errors))
        }
    }
}

/// Builds the configuration. Goes on after an error, so that all are found at once.
pub(crate) async fn assemble(
    sources: &Sources,
    strictness: Strictness,
    decryptor: Option<&dyn Decryptor>,
) -> Outcome {
    let mut findings = Vec::new();
    let layers = Layers::new(sources, &mut findings);
    unknown_names(sources, &layers, &mut findings);

    let mut config = Config::default();
    let mut reader = Reader {
        layers: &layers,
        findings: &mut findings,
    };
    reader.pull_settings(&mut config);
    let given = sources.arguments.clone();
    if let Some(host) = given
        .docker_host
        .or_else(|| reader.text(&[names::DOCKER_HOST], Some("dockerendpoint")))
    {
        config.docker_host = host;
    }
    config.region = given
        .region
        .or_else(|| reader.text(&[names::DEFAULT_REGION, names::REGION], Some("awsregion")));
    config.alternate_credential_profile = reader.text(&[names::ALTERNATE_CREDENTIAL_PROFILE], None);
    config.data_dir = reader
        .text(&[names::DATA_DIR], Some("datadir"))
        .map(|setting| Setting::new(PathBuf::from(setting.value), setting.origin));
    reader.external(&mut config);
    match given.docker_config {
        Some(docker_config) => config.docker_config = docker_config,
        None => reader.docker_config(&mut config),
    }
    auth_setting::read(
        sources,
        &layers,
        strictness,
        decryptor,
        &mut config,
        &mut findings,
    )
    .await;
    if strictness == Strictness::Strict {
        for finding in &mut findings {
            finding.severity = Severity::Error;
        }
    }
    Outcome { config, findings }
}

struct Reader<'a, 'b> {
    layers: &'a Layers<'a>,
    findings: &'b mut Vec<Finding>,
}

impl Reader<'_, '_> {
    fn text(&mut self, names: &[&str], json_name: Option<&str>) -> Option<Setting<String>> {
        self.layers
            .text(names, json_name)
            .unwrap_or_else(|finding| self.report(finding))
    }

    fn report<T>(&mut self, finding: Finding) -> Option<T> {
        self.findings.push(finding);
        None
    }

    fn pull_settings(&mut self, config: &mut Config) {
        self.behavior(config);
        self.cached_images(config);
        let settings = &mut config.pull;
        for (limit, slot) in [
            (pull::PULL_TIMEOUT, &mut settings.pull_timeout),
            (pull::INACTIVITY_TIMEOUT, &mut settings.inactivity_timeout),
            (pull::MANIFEST_TIMEOUT, &mut settings.manifest_timeout),
            (pull::BEGIN_TIMEOUT, &mut settings.begin_timeout),
        ] {
            if let Some(setting) = self.limit(&limit) {
                *slot = setting;
            }
        }
    }

    fn behavior(&mut self, config: &mut Config) {
        let found = match self
            .layers
            .get(&[names::PULL_BEHAVIOR], Some("imagepullbehavior"))
        {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(finding) => return self.findings.push(finding),
        };
        let parsed = match found.value {
            Written::Text(text) => text.trim().parse(),
            Written::Json(raw) => match (json::string(raw), raw.get()) {
                (Some(text), _) => text.trim().parse(),
                // The agent's file has the numbers of its own enumeration.
                (None, "0") => Ok(PullBehavior::Default),
                (None, "1") => Ok(PullBehavior::Always),
                (None, "2") => Ok(PullBehavior::Once),
                (None, "3") => Ok(PullBehavior::PreferCached),
                (None, _) => Err(PullBehaviorError),
            },
        };
        match parsed {
            Ok(behavior) => config.pull.behavior = Setting::new(behavior, found.origin),
            Err(error) => self.findings.push(
                Finding::warning(
                    found.origin,
                    format!("{} is unknown, default is used: {error}", names::PULL_BEHAVIOR),
                )
                .with_next_step("set it to default, always, once or prefer-cached"),
            ),
        }
    }

    /// An error where the behaviour has a warning: whoever misspells this one is told before a task gets what it may not
    /// have, or is refused what it may.
    fn cached_images(&mut self, config: &mut Config) {
        let Some(found) = self.text(&[names::PULL_CACHED_IMAGES], Some("imagepullcachedimages")) else {
            return;
        };
        match found.value.trim().parse::<CachedImages>() {
            Ok(cached_images) => config.pull.cached_images = Setting::new(cached_images, found.origin),
            Err(error) => self.findings.push(
                Finding::error(found.origin, format!("{}: {error}", names::PULL_CACHED_IMAGES))
                    .with_next_step("set it to verify or trust"),
            ),
        }
    }

    fn limit(&mut self, limit: &Limit) -> Option<Setting<Duration>> {
        let found = match self.layers.get(&[limit.name], Some(limit.json)) {
            Ok(found) => found?,
            Err(finding) => return self.report(finding),
        };
        let parsed = match found.value {
            Written::Text(text) => parse_go_duration(text.trim()).map_err(|error| error.to_string()),
            Written::Json(raw) => match (json::string(raw), raw.get().parse::<i64>()) {
                (Some(text), _) => parse_go_duration(text.trim()).map_err(|error| error.to_string()),
                // Go writes a duration as a number of nanoseconds.
                (None, Ok(nanoseconds)) => Ok(nanoseconds),
                (None, Err(_)) => Err(format!("it is {}", json::kind(raw))),
            },
        };
        let origin = found.origin;
        let nanoseconds = match parsed {
            Ok(nanoseconds) => nanoseconds,
            Err(problem) => {
                return self.report(
                    Finding::error(origin, format!("{}: {problem}", limit.name))
                        .with_next_step("write a duration such as 90s, 5m or 1h30m"),
                );
            }
        };
        // Zero is "not set" in the agent.
        if nanoseconds == 0 {
            return None;
        }
        match u64::try_from(nanoseconds).map(Duration::from_nanos) {
            Ok(duration) if duration >= limit.minimum => Some(Setting::new(duration, origin)),
            Err(_) if limit.minimum.is_zero() => self.report(
                Finding::error(origin, format!("{}: it is negative", limit.name))
                    .with_next_step("write a duration such as 90s, 5m or 1h30m"),
            ),
            _ => {
                let seconds = limit.minimum.as_secs();
                self.findings.push(
                    Finding::warning(
                        origin.clone(),
                        format!("{} is raised to {seconds}s, which is the least", limit.name),
                    )
                    .with_next_step(format!("set it to {seconds}s or more")),
                );
                Some(Setting::new(limit.minimum, origin))
            }
        }
    }

    fn boolean(&mut self, name: &str, json_name: &str) -> Option<Setting<bool>> {
        let found = match self.layers.get(&[name], Some(json_name)) {
            Ok(found) => found?,
            Err(finding) => return self.report(finding),
        };
        let value = match found.value {
            Written::Text(text) => parse_go_boolean(text.trim()),
            Written::Json(raw) if json::kind(raw) == Kind::Boolean => Some(raw.get() == "true"),
            Written::Json(raw) => {
                return self.report(wrong_type(&found.origin, Some(json_name), raw, "a boolean"));
            }
        };
        match value {
            Some(value) => Some(Setting::new(value, found.origin)),
            None => self.report(
                Finding::error(found.origin, format!("{name} is neither true nor false"))
                    .with_next_step("set it to true or false"),
            ),
        }
    }

    fn external(&mut self, config: &mut Config) {
        if let Some(external) = self.boolean(names::EXTERNAL, "external") {
            config.external = external;
        }
        if config.external.value && config.region.is_none() {
            self.findings.push(
                Finding::error(
                    config.external.origin.clone(),
                    "an external instance has no region of its own, and none is set",
                )
                .with_next_step("set AWS_DEFAULT_REGION, for example AWS_DEFAULT_REGION=eu-west-1"),
            );
        }
    }

    fn docker_config(&mut self, config: &mut Config) {
        let Some(found) = self.text(&[names::AUTH_DOCKER_CONFIG], None) else {
            return;
        };
        let value = match parse_go_boolean(&found.value) {
            Some(true) => DockerConfigUse::Standard,
            Some(false) => DockerConfigUse::Off,
            None if found.value.starts_with('/') || PathBuf::from(&found.value).is_absolute() => {
                DockerConfigUse::Path(PathBuf::from(found.value))
            }
            None => {
                return self.findings.push(
                    Finding::error(
                        found.origin,
                        format!(
                            "{} is neither true, false nor an absolute path",
                            names::AUTH_DOCKER_CONFIG
                        ),
                    )
                    .with_next_step("set it to true, or to the absolute path of a config.json"),
                );
            }
        };
        config.docker_config = Setting::new(value, found.origin);
    }
}

/// Rule: <https://pkg.go.dev/strconv#ParseBool>.
fn parse_go_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Names that look like settings of this project and are none.
fn unknown_names(sources: &Sources, layers: &Layers<'_>, findings: &mut Vec<Finding>) {
    let in_environment = sources
        .environment
        .names()
        .map(|name| (name, Origin::environment(name)));
    let in_file = layers.env_file().into_iter().flat_map(EnvFile::names);
    for (name, origin) in in_environment.chain(in_file) {
        let Some(meant) = names::mistaken(name) else {
            continue;
        };
        let finding = Finding::warning(origin, format!("{name} is not a setting and has no effect"));
        findings.push(match meant {
            Some(meant) => finding.with_next_step(format!("write {meant}")),
            None => finding.with_next_step("remove it"),
        });
    }
}
