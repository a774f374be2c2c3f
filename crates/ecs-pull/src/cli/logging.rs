//! Log lines on stderr, without secrets.

use std::io::{self, IsTerminal, Write};

use ecs_config_loader::Environment;
use ecs_pull::KnownSecrets;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::args::{Global, LogFormat};

/// Libraries that may write whole requests or responses at their most detailed level. What they say there is never
/// shown, whatever `RUST_LOG` asks for: the body of a Secrets Manager response is a password.
const TALKATIVE: [&str; 10] = [
    "aws_",
    "bollard",
    "h2",
    "http",
    "hyper",
    "reqwest",
    "rustls",
    "tower",
    "tokio_util",
    "want",
];

/// Starts logging for the rest of the process.
pub(crate) fn start(global: &Global, environment: &Environment, known: &KnownSecrets) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "off",
        (false, 0) => {
            "ecs_pull=warn,ecs_config_loader=warn,ecs_secret_resolver=warn,ecs_image_puller=warn,off"
        }
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // A RUST_LOG that cannot be read is as good as none.
    let filter = environment
        .get("RUST_LOG")
        .ok()
        .flatten()
        .filter(|directives| !directives.is_empty())
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .unwrap_or_else(|| EnvFilter::new(level));
    let writer = RedactingStderr(known.clone());
    let lines = fmt::layer()
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .with_target(true);
    let lines = match global.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter_fn(is_safe)).with_filter(filter))
        .init();
}

fn is_safe(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::DEBUG
        || !TALKATIVE
            .iter()
            .any(|library| metadata.target().starts_with(library))
}

#[derive(Clone, Debug)]
struct RedactingStderr(KnownSecrets);

impl<'a> MakeWriter<'a> for RedactingStderr {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter {
            known: &self.0,
            line: Vec::new(),
        }
    }
}

/// Collects one event, which is formatted in several writes, and writes it when it is whole: a secret must not escape
/// by being split.
struct LineWriter<'a> {
    known: &'a KnownSecrets,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        // Nobody reads the log: that must not end a pull.
        let _ = io::stderr().lock().write_all(self.known.redact(&line).as_bytes());
    }
}
