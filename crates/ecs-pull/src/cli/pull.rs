//! `ecs-pull pull`

use std::io::Write;

use ecs_config_loader::Environment;
use ecs_pull::{ExitCode, KnownSecrets, Report};

use super::args::{Global, Images, Output};
use super::failure::Failure;
use super::{print, progress, render, setup};

pub(crate) async fn run(
    global: &Global,
    images: &Images,
    environment: &Environment,
    known: &KnownSecrets,
) -> Result<ExitCode, Failure> {
    let setup = setup::Setup::read(global, images, environment, known).await?;
    let progress = progress::sink(global.progress, global.quiet);
    let report = setup.client.pull(&setup.task, progress.as_ref()).await;
    progress.clear();
    show(&report, global.output)?;
    Ok(report.exit_code())
}

/// Results on stdout, problems on stderr.
fn show(report: &Report, output: Output) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    for container in &report.containers {
        if let Some(error) = &container.error {
            let text = render::problem(container.container.as_deref(), error, container.attempts);
            // The exit code still tells a reader who has closed stderr.
            let _ = writeln!(stderr, "{text}");
        }
    }
    let mut results = match output {
        Output::Text => render::results(report),
        Output::Json => serde_json::to_string(report)
            .map_err(|error| Failure::new(ExitCode::Other, error.to_string(), "report this as a bug"))?,
    };
    if output == Output::Json {
        results.push('\n');
    }
    print(results.as_bytes()).map(|_| ())
}
