//! How pulls compare with those of the `docker` command, and what many of them cost: `integration/bench` runs it, built
//! for release.
//!
//! Takes the path of the `ecs-pull` to measure. Ends with 1 if anything is over its limit. Times are told as shares of
//! what is measured beside them in the same run, because machines differ and are busy.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use integration::Figure;

mod against_docker;
mod events;
mod load;
mod measure;
mod refusal;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let program = std::env::args().nth(1).context("name the ecs-pull to measure")?;
    let program = Path::new(&program);
    let mut figures = against_docker::figures(program).await?;
    figures.extend(load::figures(program).await?);
    figures.push(refusal::figure(program).await?);
    figures.extend(events::figures(program).await?);
    Ok(Figure::print(&figures))
}
