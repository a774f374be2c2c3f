//! Sizes, times and memory of the release build, each beside its limit: `integration/bench` runs it.
//!
//! Takes the path of the `ecs-pull` to measure. Ends with 1 if anything is over its limit.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration::{EcsPull, Figure, Stage};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let program = std::env::args().nth(1).context("name the ecs-pull to measure")?;
    let program = Path::new(&program);
    let figures = [
        binary_size(program)?,
        help_time(program)?,
        pull_memory(program).await?,
    ];
    Ok(Figure::print(&figures))
}

fn binary_size(program: &Path) -> Result<Figure> {
    let bytes = program
        .metadata()
        .with_context(|| format!("{} is missing", program.display()))?
        .len();
    #[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
    let measured = bytes as f64 / 1e6;
    Ok(Figure::new("release binary", measured, 12.0, "MB"))
}

/// The median of many: a single run also measures what else the machine is doing.
fn help_time(program: &Path) -> Result<Figure> {
    let mut times = Vec::new();
    for _ in 0..101 {
        let started = Instant::now();
        let status = Command::new(program)
            .arg("--help")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        times.push(started.elapsed());
        ensure!(status.success(), "--help ended with {status}");
    }
    times.sort();
    let median: Duration = times[times.len() / 2];
    let measured = median.as_secs_f64() * 1e3;
    Ok(Figure::new("ecs-pull --help, median of 101", measured, 5.0, "ms"))
}

/// Of the tour's task: a secret read with an assumed role, and three images.
///
/// Measured by GNU time, because the kernel counts to a child what its parent had in memory when it forked, and this
/// program is larger than what it measures.
async fn pull_memory(program: &Path) -> Result<Figure> {
    let stage = Stage::start().await?;
    let (config, task, peak) = (
        stage.path("ecs.config"),
        stage.path("task-definition.json"),
        stage.path("peak"),
    );
    let run = EcsPull::of_program(Path::new("/usr/bin/time"), ["--format", "%M", "--output"])
        .args([
            peak.as_path(),
            program,
            "--config-file".as_ref(),
            &config,
            "pull".as_ref(),
            "--file".as_ref(),
            &task,
        ])
        .envs(stage.environment());
    let output = run.run().await?;
    ensure!(output.code == 0, "the pull failed: {}", output.stderr);
    let kibibytes: f64 = std::fs::read_to_string(peak)?.trim().parse()?;
    let measured = kibibytes * 1024.0 / 1e6;
    Ok(Figure::new("peak memory of a small pull", measured, 16.0, "MB"))
}
