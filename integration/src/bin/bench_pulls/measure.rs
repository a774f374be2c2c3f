//! Runs of the command, and figures out of them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{EcsPull, Output, Site};

/// A run of `program` with the configuration of `site` that is to end well.
pub(crate) async fn run(program: &Path, site: &Site, arguments: &[&str]) -> Result<Output> {
    let configuration = site.path("ecs.config").display().to_string();
    let run = EcsPull::of_program(program, ["--config-file", &configuration]).args(arguments);
    // One record of pulls for all runs, as a machine has: its creation is no part of a pull.
    let run = run
        .envs(site.environment())
        .envs([("ECS_DATADIR", site.path("state"))]);
    let output = run.run().await?;
    ensure!(output.code == 0, "{arguments:?} failed: {}", output.stderr);
    Ok(output)
}

/// What a run took of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Seconds of processor time, its own and the kernel's for it.
    pub(crate) processor: f64,
    /// The most memory that it had, in bytes.
    pub(crate) memory: f64,
}

/// The same, measured by GNU time: the kernel counts to a child what its parent had in memory when it forked, and this
/// program is larger than what it measures.
pub(crate) async fn cost(program: &Path, site: &Site, host: &str, arguments: &[&str]) -> Result<Cost> {
    let (configuration, report) = (site.path("ecs.config"), site.path("cost"));
    let run = EcsPull::of_program(Path::new("/usr/bin/time"), ["--format", "%U %S %M", "--output"])
        .args([
            report.as_path(),
            program,
            "--config-file".as_ref(),
            &configuration,
        ])
        .args(arguments)
        .envs(site.environment())
        .envs([("DOCKER_HOST", host)]);
    let output = run.run().await?;
    ensure!(output.code == 0, "a run under time failed: {}", output.stderr);
    let report = std::fs::read_to_string(report)?;
    let numbers = report
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<f64>, _>>()?;
    let [user, system, kibibytes] = numbers[..] else {
        anyhow::bail!("GNU time reported {report:?}");
    };
    Ok(Cost {
        processor: user + system,
        memory: kibibytes * 1024.0,
    })
}

/// The middle one: a single run also measures what else the machine is doing.
pub(crate) fn median(mut durations: Vec<Duration>) -> Result<Duration> {
    durations.sort();
    durations
        .get(durations.len() / 2)
        .copied()
        .context("nothing was measured")
}

/// One as a share of the other, in percent.
pub(crate) fn share(of: Duration, whole: Duration) -> f64 {
    of.as_secs_f64() / whole.as_secs_f64() * 100.0
}
