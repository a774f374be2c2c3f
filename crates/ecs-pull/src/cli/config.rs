//! `ecs-pull config`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use ecs_config_loader::{
    Config, ConfigErrors, DEFAULT_ENV_FILE, DockerConfig, Finding, ImportedAuth, Severity, write_env_file,
};
use ecs_pull::{ExitCode, KmsAuthData};
use ecs_secret_resolver::Identity;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::args::{ConfigCommand, Import, Output};
use super::failure::Failure;
use super::{Context, print, render, setup};

pub(crate) async fn run(context: &Context, command: ConfigCommand) -> Result<ExitCode, Failure> {
    match command {
        ConfigCommand::Show => show(context).await,
        ConfigCommand::Check => check(context).await,
        ConfigCommand::Import(import) => import_logins(context, &import).await,
    }
}

async fn show(context: &Context) -> Result<ExitCode, Failure> {
    let config = setup::loader(context)?
        .load()
        .await
        .map_err(|errors| invalid(&errors))?;
    match context.global.output {
        Output::Text => print(text(&config).as_bytes()),
        Output::Json => print(&render::json(&config.show())?),
    }
}

fn text(config: &Config) -> String {
    let shown = config.show();
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    for setting in &shown.settings {
        let _ = writeln!(text, "{}={}  ({})", setting.name, setting.value, setting.origin);
    }
    for registry in &shown.registries {
        let _ = write!(text, "registry {}: {:?}", registry.registry, registry.key);
        if let Some(credential) = registry.credential {
            let _ = write!(text, " {credential} [redacted]");
        }
        if let Some(username) = &registry.username {
            let _ = write!(text, " user {username:?}");
        }
        if let Some(problem) = &registry.problem {
            let _ = write!(text, " cannot be used: {problem}");
        }
        let _ = writeln!(text, "  ({})", registry.origin);
    }
    for warning in &shown.warnings {
        let _ = writeln!(text, "{}", render::finding("warning", warning));
    }
    text
}

async fn check(context: &Context) -> Result<ExitCode, Failure> {
    let mut findings = findings(context).await?;
    if context.global.strict {
        for finding in &mut findings {
            finding.severity = Severity::Error;
        }
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let code = ExitCode::worst(bad.map(|finding| finding.class().into()));
    let ok = code == ExitCode::Success;
    match context.global.output {
        Output::Text => {
            let mut text = String::new();
            for finding in &findings {
                let kind = if finding.severity == Severity::Error {
                    "error"
                } else {
                    "warning"
                };
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "{}", render::finding(kind, finding));
            }
            if findings.is_empty() {
                text.push_str("nothing is wrong with the configuration\n");
            }
            print(text.as_bytes())?
        }
        Output::Json => print(&render::json(&json!({ "findings": findings, "ok": ok }))?)?,
    };
    Ok(code)
}

/// Everything that a pull with this configuration would fail on or warn about.
async fn findings(context: &Context) -> Result<Vec<Finding>, Failure> {
    let loader = setup::loader(context)?;
    let Ok(config) = loader.load().await else {
        return Ok(loader.check().await);
    };
    let mut findings = config.warnings;
    match DockerConfig::load(&config.docker_config.value, &context.environment).await {
        Ok(Some(docker_config)) => findings.extend_from_slice(docker_config.findings()),
        Ok(None) => {}
        Err(errors) => findings.extend_from_slice(errors.findings()),
    }
    Ok(findings)
}

async fn import_logins(context: &Context, import: &Import) -> Result<ExitCode, Failure> {
    let docker_config = match &import.file {
        Some(path) => DockerConfig::at(path, &context.environment).await,
        None => DockerConfig::standard(&context.environment).await,
    };
    let stored = docker_config.map_err(|errors| invalid(&errors))?.stored().await;
    let mut imported = ImportedAuth::new(&stored, import.auth_type).map_err(|errors| invalid(&errors))?;
    if let Some(key) = &import.kms_key {
        let kms = KmsAuthData::new(setup::aws(context)?, Identity::caller());
        imported = imported.encrypted(&kms, key).await.map_err(|error| {
            let next_step = error.next_step().map(str::to_owned);
            let message = match error.cause() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            };
            Failure::all(error.class().into(), [(message, next_step)])
        })?;
    }
    if !context.global.quiet {
        let mut stderr = std::io::stderr().lock();
        for note in imported.notes() {
            // A note that nobody can read is no reason to stop.
            let _ = writeln!(stderr, "{}", render::finding("note", note));
        }
    }
    if !import.write {
        // The lines are what was asked for, secrets included: they are meant for a file.
        return match context.global.output {
            Output::Text => print(imported.lines().expose().as_bytes()),
            Output::Json => print(&Zeroizing::new(render::json(&ImportedSettings {
                settings: imported.settings().collect(),
                auth_type: imported.auth_type().as_str(),
                registries: registries(&imported),
                ok: true,
            })?)),
        };
    }
    let path = context
        .global
        .config_file
        .as_deref()
        .unwrap_or(Path::new(DEFAULT_ENV_FILE));
    write_env_file(path, &imported).map_err(|errors| invalid(&errors))?;
    match context.global.output {
        Output::Text => {
            let keys: Vec<&str> = imported
                .registries()
                .iter()
                .map(|registry| &*registry.key)
                .collect();
            print(
                format!(
                    "{}: type {}, {}\n",
                    path.display(),
                    imported.auth_type(),
                    keys.join(", ")
                )
                .as_bytes(),
            )
        }
        Output::Json => print(&render::json(&json!({
            "file": path, "type": imported.auth_type().as_str(), "registries": registries(&imported), "ok": true,
        }))?),
    }
}

/// The lines of an import as JSON. It borrows the values: what is copied into a document of `serde_json` is not erased.
#[derive(Serialize)]
struct ImportedSettings<'a> {
    settings: BTreeMap<&'static str, &'a str>,
    #[serde(rename = "type")]
    auth_type: &'static str,
    registries: Vec<serde_json::Value>,
    ok: bool,
}

/// The registries of an import, without their credentials.
fn registries(imported: &ImportedAuth) -> Vec<serde_json::Value> {
    imported
        .registries()
        .iter()
        .map(|registry| json!({ "key": registry.key, "from": registry.from, "origin": registry.origin }))
        .collect()
}

/// Everything that makes a configuration unusable.
pub(crate) fn invalid(errors: &ConfigErrors) -> Failure {
    Failure::all(
        errors.class().into(),
        errors
            .findings()
            .iter()
            .map(|finding| (finding.to_string(), finding.next_step.clone())),
    )
}
