//! `ecs-pull explain`

use std::fmt::Write as _;
use std::io::Write;

use ecs_pull::{ExitCode, Explanation};

use super::args::{Images, Output};
use super::failure::Failure;
use super::{Context, print, render, setup::Setup};

pub(crate) async fn run(context: &Context, images: &Images) -> Result<ExitCode, Failure> {
    let setup = Setup::read(context, images).await?;
    let explanations = setup.client.explain(&setup.task);
    let mut stderr = std::io::stderr().lock();
    for explanation in &explanations.images {
        if let Some(error) = &explanation.error {
            // The exit code still tells a reader who has closed stderr.
            let _ = writeln!(
                stderr,
                "{}",
                render::problem(explanation.container.as_deref(), error, 0)
            );
        }
    }
    match context.global.output {
        Output::Text => print(
            explanations
                .images
                .iter()
                .map(text)
                .collect::<String>()
                .as_bytes(),
        )?,
        Output::Json => print(&render::json(&explanations)?)?,
    };
    Ok(explanations.exit_code())
}

/// The chosen one and those of the image's registry come first; a screen of them is enough for a person.
const MOST_CANDIDATES: usize = 20;

fn text(explanation: &Explanation) -> String {
    let mut text = match &explanation.container {
        Some(name) => format!("{name}: {}\n", explanation.image),
        None => format!("{}\n", explanation.image),
    };
    // Writing to a `String` cannot fail.
    if let (Some(registry), Some(repository)) = (&explanation.registry, &explanation.repository) {
        let _ = writeln!(text, "  registry:   {registry}\n  repository: {repository}");
    }
    if let Some(credential) = &explanation.credential {
        let _ = writeln!(text, "  credential: {credential}");
    }
    for candidate in explanation.candidates.iter().take(MOST_CANDIDATES) {
        let mark = if candidate.chosen { "used" } else { "not used" };
        let _ = write!(text, "    {mark}: {}", candidate.source);
        if let Some(key) = &candidate.key {
            let _ = write!(text, " {key}");
        }
        if let Some(origin) = &candidate.origin {
            let _ = write!(text, " ({origin})");
        }
        let _ = writeln!(text, ": {}", candidate.reason);
    }
    let more = explanation.candidates.len().saturating_sub(MOST_CANDIDATES);
    if more > 0 {
        let _ = writeln!(text, "    and {more} more, which --output json lists");
    }
    text
}
