//! Results and errors as people read them.

use std::fmt::Write as _;
use std::time::Duration;

use ecs_config_loader::Finding;
use ecs_pull::{ContainerReport, ExitCode, Report};
use ecs_registry_auth::Diagnosis;
use serde::Serialize;

use super::failure::Failure;

/// A line per container that ended well.
pub(crate) fn results(report: &Report) -> String {
    let mut text = String::new();
    for container in report
        .containers
        .iter()
        .filter(|container| container.error.is_none())
    {
        let _ = writeln!(text, "{}", result(container));
    }
    text
}

fn result(container: &ContainerReport) -> String {
    let mut line = match &container.container {
        Some(name) => format!("{name}: {} {}", container.status, container.image),
        None => format!("{} {}", container.status, container.image),
    };
    if let Some(digest) = &container.digest {
        let _ = write!(line, "\n  digest:     {digest}");
    }
    if let Some(credential) = &container.credential {
        let _ = write!(line, "\n  credential: {credential}");
        for note in &credential.notes {
            let _ = write!(line, "\n  note:       {note}");
        }
    }
    for note in &container.notes {
        let _ = write!(line, "\n  note:       {note}");
    }
    let _ = write!(line, "\n  time:       {}", duration(container.timings_ms.total));
    if let Some(count) = container.bytes {
        let _ = write!(line, ", {}", bytes(count));
    }
    line
}

/// What went wrong, where, and what to do: the whole of it, for stderr.
pub(crate) fn problem(container: Option<&str>, diagnosis: &Diagnosis, attempts: u32) -> String {
    let place = container.map(|name| format!("{name}: ")).unwrap_or_default();
    let mut text = format!("error: {place}{}: {}", diagnosis.name(), diagnosis.message());
    if let Some(cause) = diagnosis.cause() {
        let _ = write!(text, "\n  cause: {cause}");
    }
    if attempts > 1 {
        let _ = write!(text, "\n  tried: {attempts} times");
    }
    if let Some(next_step) = diagnosis.next_step() {
        let _ = write!(text, "\n  next:  {}", next_step.replace('\n', "\n         "));
    }
    text
}

/// One JSON document and the end of its line.
pub(crate) fn json(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut text = serde_json::to_vec(document)
        .map_err(|error| Failure::new(ExitCode::Other, error.to_string(), "report this as a bug"))?;
    text.push(b'\n');
    Ok(text)
}

/// A finding about the configuration, with its next step.
pub(crate) fn finding(kind: &str, finding: &Finding) -> String {
    match &finding.next_step {
        Some(next_step) => format!(
            "{kind}: {finding}\n  next:  {}",
            next_step.replace('\n', "\n         ")
        ),
        None => format!("{kind}: {finding}"),
    }
}

/// A size in decimal units, as Docker prints sizes.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}

/// A duration, as short as it can be read.
pub(crate) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else if duration.as_secs() < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}
