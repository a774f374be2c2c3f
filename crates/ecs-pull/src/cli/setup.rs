//! From arguments to a client, a task and the rights to pull it with.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ecs_config_loader::{Config, Environment, Finding, Loader};
use ecs_pull::{Client, ExitCode, KnownSecrets, Rights, Task};
use ecs_registry_auth::Origin;
use ecs_secret_resolver::{AwsContext, AwsOptions, Identity, RoleKeys};
use ecs_task_images::{ContainerImage, TaskError, TaskImages};

use super::args::{Global, Images, What, Who};
use super::failure::Failure;
use super::input;

/// Everything a command about images works with.
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) task: Task,
}

impl Setup {
    pub(crate) async fn read(
        global: &Global,
        images: &Images,
        environment: &Environment,
        known: &KnownSecrets,
    ) -> Result<Self, Failure> {
        if images.what.file.as_deref() == Some(Path::new("-"))
            && images.who.execution_credentials.as_deref() == Some(Path::new("-"))
        {
            return Err(Failure::new(
                ExitCode::Usage,
                "--file - and --execution-credentials - cannot both read standard input",
                "put one of them into a file",
            ));
        }
        let mut task = task(&images.what, global)?;
        task.platform = images.what.platform.clone().or(task.platform);
        task.region = global.region.clone().or(task.region);
        let rights = rights(&images.who)?;

        let aws = aws(global, environment)?;
        let config = config(global, environment, &aws).await?;
        let mut builder = Client::builder(config)
            .aws(aws)
            .rights(rights)
            .known_secrets(known.clone());
        if let Some(url) = &global.docker_host {
            builder = builder.docker_host(url.clone(), Origin::argument("--docker-host"));
        }
        Ok(Self {
            client: builder.build(),
            task,
        })
    }
}

/// The configuration, with its warnings shown.
pub(crate) async fn config(
    global: &Global,
    environment: &Environment,
    _aws: &AwsContext,
) -> Result<Config, Failure> {
    let mut loader = Loader::new(environment.clone()).strict(global.strict);
    if let Some(path) = &global.config_file {
        loader = loader.env_file(path);
    }
    let config = loader.load().await.map_err(|errors| {
        Failure::all(
            ExitCode::Configuration,
            errors
                .findings()
                .iter()
                .map(|finding| (finding.to_string(), finding.next_step.clone())),
        )
    })?;
    if !global.quiet {
        config.warnings.iter().for_each(warn);
    }
    Ok(config)
}

fn warn(finding: &Finding) {
    let mut stderr = std::io::stderr().lock();
    // A warning that nobody can read is no reason to stop.
    let _ = writeln!(stderr, "warning: {finding}");
    if let Some(next_step) = &finding.next_step {
        let _ = writeln!(stderr, "  next:  {next_step}");
    }
}

pub(crate) fn aws(global: &Global, environment: &Environment) -> Result<AwsContext, Failure> {
    let mut options = AwsOptions::default();
    if let Some(profile) = &global.profile {
        options = options.with_profile(profile);
    }
    if let Some(region) = &global.region {
        options = options.with_region(region);
    }
    let ca_bundle = environment.get("AWS_CA_BUNDLE").map_err(|finding| {
        Failure::new(
            ExitCode::Configuration,
            finding.to_string(),
            "set it to the path of a PEM file",
        )
    })?;
    if let Some(path) = ca_bundle.filter(|path| !path.is_empty()) {
        options = options.with_ca_bundle(path);
    }
    Ok(AwsContext::new(options))
}

fn task(what: &What, global: &Global) -> Result<Task, Failure> {
    let Some(path) = &what.file else {
        let secret = what
            .repository_credentials
            .as_deref()
            .map(|secret| (secret, Origin::argument("--repository-credentials")));
        return Ok(Task::images(what.images.iter().map(String::as_str), secret));
    };
    let (bytes, origin) = input::read(path)?;
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

fn rights(who: &Who) -> Result<Rights, Failure> {
    if who.caller_credentials {
        return Ok(Rights::Identity(Identity::caller()));
    }
    if let Some(path) = &who.execution_credentials {
        let (bytes, origin) = input::read(path)?;
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
