//! `ecs-pull pull` and `ecs-pull check`

use std::io::Write;

use ecs_pull::{ExitCode, Report};

use super::args::{CheckArguments, Output, PullArguments};
use super::failure::Failure;
use super::progress::ProgressSink;
use super::{Context, print, progress, render, setup::Setup};

pub(crate) async fn pull(context: &Context, arguments: &PullArguments) -> Result<ExitCode, Failure> {
    let mut setup = Setup::to_pull(context, &arguments.images, &arguments.refusal).await?;
    setup.task.behavior = arguments.pull_behavior;
    let progress = Progress::start(context);
    let report = setup.client.pull(&setup.task, progress.0.as_ref()).await;
    drop(progress);
    show(&report, context.global.output)
}

pub(crate) async fn check(context: &Context, arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let setup = Setup::to_pull(context, &arguments.images, &arguments.refusal).await?;
    let progress = Progress::start(context);
    let report = setup.client.check(&setup.task, progress.0.as_ref()).await;
    drop(progress);
    show(&report, context.global.output)
}

/// What is drawn goes away with it, also when the command is interrupted.
struct Progress(Box<dyn ProgressSink>);

impl Progress {
    fn start(context: &Context) -> Self {
        Self(progress::sink(context.global.progress, context.global.quiet))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Results on stdout, problems on stderr.
fn show(report: &Report, output: Output) -> Result<ExitCode, Failure> {
    let mut stderr = std::io::stderr().lock();
    for container in &report.containers {
        if let Some(error) = &container.error {
            let text = render::problem(container.container.as_deref(), error, container.attempts);
            // The exit code still tells a reader who has closed stderr.
            let _ = writeln!(stderr, "{text}");
        }
    }
    match output {
        Output::Text => print(render::results(report).as_bytes())?,
        Output::Json => print(&render::json(report)?)?,
    };
    Ok(report.exit_code())
}
