//! A process with a directory of its own, both gone when their owner is.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tool;

/// How long a part may take until it serves. Generous: a busy machine with two cores starts several at once.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A directory, and at most one process that works in it, in mount and process namespaces of their own.
///
/// Dropping it stops the process and everything that it started, and removes the directory. So does the end of the
/// program that holds it, however that comes.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    directory: PathBuf,
    supervisor: Child,
    /// Open for as long as the part is to live.
    lifeline: Option<ChildStdin>,
}

impl Part {
    /// An empty directory without a process yet. `name` becomes part of the directory's name.
    ///
    /// # Errors
    /// Not root, `unshare` is missing, or the temporary directory cannot be written.
    pub fn new(name: &'static str) -> Result<Self> {
        let supervise = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib/supervise");
        let mut supervisor = Command::new(tool::UNSHARE.path()?)
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(&supervise)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // A Ctrl-C at the terminal is for the owner: this one has to outlive it, to clean up.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be run", supervise.display()))?;
        let lifeline = supervisor.stdin.take();
        let mut directory = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout).read_line(&mut directory)?;
        }
        let directory = PathBuf::from(directory.trim_end());
        if !directory.is_dir() {
            bail!("{name} got no directory: the parts are started as root (integration/test does that)");
        }
        Ok(Self {
            name,
            directory,
            supervisor,
            lifeline,
        })
    }

    /// The directory. Absolute, readable by everyone, empty at first.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file, for the owner's eyes only, into the directory and returns its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.directory.join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_ref()))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// Starts the part's process. Its output goes to the log.
    ///
    /// # Errors
    /// A process was started before and has ended.
    pub(crate) fn run<Word: AsRef<OsStr>>(&mut self, command: &[Word]) -> Result<()> {
        let lifeline = self.lifeline.as_mut().context("the part was stopped")?;
        let mut words = Vec::new();
        for word in command {
            words.extend_from_slice(word.as_ref().as_encoded_bytes());
            words.push(b'\n');
        }
        words.push(b'\n');
        lifeline.write_all(&words)?;
        lifeline.flush()?;
        Ok(())
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until `ready` finds in the log what it looks for.
    ///
    /// # Errors
    /// The process ended, or did not get there within a minute: with its log.
    pub(crate) async fn wait_for_log<Found>(&self, ready: impl Fn(&str) -> Option<Found>) -> Result<Found> {
        let started = Instant::now();
        loop {
            let log = self.log();
            if let Some(found) = ready(&log) {
                return Ok(found);
            }
            if log.contains("supervise: ended with status") {
                bail!("{} ended while it started:\n{log}", self.name);
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} did not start within {START_LIMIT:?}:\n{log}", self.name);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Nothing is left to do about a failure: the supervisor has said what it could not remove.
        let _ = self.supervisor.wait();
    }
}
