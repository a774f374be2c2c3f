//! From arguments to a client, a task and the rights to pull it with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecs_config_loader::{Config, DockerConfigUse, Environment, Finding, Loader, WatchedDockerConfig};
use ecs_image_puller::HostChoice;
use ecs_pull::{Client, ExitCode, KmsAuthData, Rights, Task};
use ecs_registry_auth::Origin;
use ecs_secret_resolver::{AwsContext, AwsOptions, Identity, ResolverSettings, RoleKeys};
use ecs_task_images::{ContainerImage, TaskError, TaskImages};

use super::args::{Global, Images, Refusal, What, Who};
use super::config::invalid;
use super::failure::Failure;
use super::{Context, input, render, state};

/// Everything a command about images works with.
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) task: Task,
}

impl Setup {
    /// For a command that asks nobody.
    pub(crate) async fn read(context: &Context, images: &Images) -> Result<Self, Failure> {
        Self::with(context, images, ResolverSettings::default()).await
    }

    /// For a command that shows credentials to registries.
    pub(crate) async fn to_pull(
        context: &Context,
        images: &Images,
        refusal: &Refusal,
    ) -> Result<Self, Failure> {
        let settings = ResolverSettings::default().with_rotation_stages(refusal.rotation_stages);
        Self::with(context, images, settings).await
    }

    async fn with(context: &Context, images: &Images, settings: ResolverSettings) -> Result<Self, Failure> {
        let global = &context.global;
        if images.what.file.as_deref() == Some(Path::new("-"))
            && images.who.execution_credentials.as_deref() == Some(Path::new("-"))
        {
            return Err(Failure::new(
                ExitCode::Usage,
                "--file - and --execution-credentials - cannot both read standard input",
                "put one of them into a file",
            ));
        }
        let mut task = task(&images.what, global).await?;
        task.platform = images.what.platform.clone().or(task.platform);
        task.region = global.region.clone().or(task.region);
        let rights = rights(&images.who).await?;

        let config = config(context).await?;
        let docker_config = WatchedDockerConfig::load(&config.docker_config.value, &context.environment)
            .await
            .map_err(|errors| invalid(&errors))?;
        if let Some(docker_config) = &docker_config {
            let current = docker_config.current();
            if global.strict && !current.findings().is_empty() {
                return Err(unusable(current.findings()));
            }
            warn(global, current.findings());
        }
        let mut options = aws_options(context)?;
        if let (None, Some(region)) = (&global.region, &config.region) {
            options = options.with_region(region.value.as_str());
        }
        let mut builder = Client::builder(config)
            .aws(AwsContext::new(options))
            .docker_config(docker_config)
            .engine_choice(engine_choice(&context.environment)?)
            .rights(rights)
            .resolver_settings(settings)
            .ecr_public_token(images.who.ecr_public_token)
            .state_directory(state::directory(
                variable(&context.environment, "XDG_STATE_HOME")?,
                variable(&context.environment, "HOME")?,
            ))
            .known_secrets(context.known.clone());
        if global.profile.is_some() {
            builder = builder.instance(Identity::caller());
        }
        Ok(Self {
            client: builder.build(),
            task,
        })
    }
}

/// A loader for the files and with the strictness that were asked for.
pub(crate) fn loader(context: &Context) -> Result<Loader, Failure> {
    let aws = aws(context)?;
    // A profile that was asked for is who to be, on an external instance too, whose own chain reads no such profile.
    let decryptor = match &context.global.profile {
        Some(_) => KmsAuthData::new(aws, Identity::caller()),
        None => KmsAuthData::of_instance(aws),
    };
    let global = &context.global;
    let mut loader = Loader::new(context.environment.clone())
        .strict(global.strict)
        .decryptor(Arc::new(decryptor));
    if let Some(path) = &global.config_file {
        loader = loader.env_file(path);
    }
    if let Some(region) = &global.region {
        loader = loader.region(region, Origin::argument("--region"));
    }
    if let Some(url) = &global.docker_host {
        loader = loader.docker_host(url, Origin::argument("--docker-host"));
    }
    if let Some(path) = &global.docker_config {
        let wanted = if path.as_os_str().is_empty() {
            DockerConfigUse::Standard
        } else {
            DockerConfigUse::Path(path.clone())
        };
        loader = loader.docker_config(wanted, Origin::argument("--docker-config"));
    }
    Ok(loader)
}

/// The configuration, with its warnings shown.
async fn config(context: &Context) -> Result<Config, Failure> {
    let config = loader(context)?.load().await.map_err(|errors| invalid(&errors))?;
    warn(&context.global, &config.warnings);
    Ok(config)
}

/// What a strict command ends with where another has warnings.
fn unusable(findings: &[Finding]) -> Failure {
    Failure::all(
        ExitCode::Configuration,
        findings
            .iter()
            .map(|finding| (finding.to_string(), finding.next_step.clone())),
    )
}

fn warn<'a>(global: &Global, findings: impl IntoIterator<Item = &'a Finding>) {
    if global.quiet {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    for finding in findings {
        // A warning that nobody can read is no reason to stop.
        let _ = writeln!(stderr, "{}", render::finding("warning", finding));
    }
}

/// What the docker command reads to find its engine.
///
/// Rule: <https://docs.docker.com/reference/cli/docker/#environment-variables>.
fn engine_choice(environment: &Environment) -> Result<HostChoice, Failure> {
    let get = |name| variable(environment, name);
    Ok(HostChoice {
        docker_context: get("DOCKER_CONTEXT")?,
        docker_tls_verify: get("DOCKER_TLS_VERIFY")?,
        docker_tls: get("DOCKER_TLS")?,
        docker_cert_path: get("DOCKER_CERT_PATH")?.map(PathBuf::from),
        docker_config: match get("DOCKER_CONFIG")? {
            Some(directory) => Some(PathBuf::from(directory)),
            None => get("HOME")?.map(|home| Path::new(&home).join(".docker")),
        },
        ..HostChoice::default()
    })
}

/// A variable that is set and not empty.
fn variable(environment: &Environment, name: &str) -> Result<Option<String>, Failure> {
    let value = environment.get(name).map_err(|finding| {
        Failure::all(
            ExitCode::Configuration,
            [(finding.to_string(), finding.next_step)],
        )
    })?;
    Ok(value.filter(|value| !value.is_empty()).map(str::to_owned))
}

/// How AWS is reached; nothing is loaded yet.
pub(crate) fn aws(context: &Context) -> Result<AwsContext, Failure> {
    Ok(AwsContext::new(aws_options(context)?))
}

fn aws_options(context: &Context) -> Result<AwsOptions, Failure> {
    let mut options = AwsOptions::default();
    if let Some(profile) = &context.global.profile {
        options = options.with_profile(profile);
    }
    if let Some(region) = &context.global.region {
        options = options.with_region(region);
    }
    if let Some(path) = variable(&context.environment, "AWS_CA_BUNDLE")? {
        options = options.with_ca_bundle(path);
    }
    Ok(options)
}

async fn task(what: &What, global: &Global) -> Result<Task, Failure> {
    let Some(path) = &what.file else {
        let secret = what
            .repository_credentials
            .as_deref()
            .map(|secret| (secret, Origin::argument("--repository-credentials")));
        return Ok(Task::images(what.images.iter().map(String::as_str), secret));
    };
    let (bytes, origin) = input::read(path).await?;
    let mut images = ecs_task_images::parse_bytes(&bytes, &origin).map_err(|error| document(&error))?;
    if !global.quiet {
        for note in &images.notes {
            // A note that nobody can read is no reason to stop.
            let _ = writeln!(
                std::io::stderr().lock(),
                "warning: {note}\n  next:  {}",
                note.next_step()
            );
        }
    }
    images.containers = select(&images, &what.container)?;
    Ok(Task::from(images))
}

fn select(images: &TaskImages, names: &[String]) -> Result<Vec<ContainerImage>, Failure> {
    let selected = images.select(names).map_err(|error| {
        Failure::all(
            ExitCode::Usage,
            error.problems().iter().map(|problem| {
                (
                    format!("--container: {problem}"),
                    Some(problem.next_step().to_owned()),
                )
            }),
        )
    })?;
    Ok(selected.into_iter().cloned().collect())
}

fn document(error: &TaskError) -> Failure {
    Failure::all(
        ExitCode::Configuration,
        error
            .problems()
            .iter()
            .map(|problem| (problem.to_string(), Some(problem.next_step().to_owned()))),
    )
}

async fn rights(who: &Who) -> Result<Rights, Failure> {
    if who.caller_credentials {
        return Ok(Rights::Identity(Identity::caller()));
    }
    if let Some(path) = &who.execution_credentials {
        let (bytes, origin) = input::read(path).await?;
        let keys = RoleKeys::from_json(&bytes).map_err(|error| {
            Failure::new(
                ExitCode::Configuration,
                format!("--execution-credentials: {origin}: {error}"),
                "write {\"RoleArn\", \"AccessKeyId\", \"SecretAccessKey\", \"Token\", \"Expiration\"} as JSON",
            )
        })?;
        return Ok(Rights::Identity(Identity::ready(keys)));
    }
    Ok(Rights::ExecutionRole {
        role_arn: who.execution_role_arn.as_deref().map(Arc::from),
        external_id: who.external_id.as_deref().map(Arc::from),
    })
}
