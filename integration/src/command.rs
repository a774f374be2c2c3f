//! Running the built command as a user does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::tool::{self, profile_directory};

/// Longer than any correct run here takes; a hanging command is a failed test, not a hanging one.
const LIMIT: Duration = Duration::from_secs(120);

/// The built `ecs-pull`, of the profile that this very program was built with.
///
/// # Errors
/// It has not been built: with the command that does.
pub fn program() -> Result<PathBuf> {
    built("ecs-pull")
}

/// The built example of this name of the crate `ecs-pull`.
///
/// # Errors
/// It has not been built: with the command that does.
pub fn example(name: &str) -> Result<PathBuf> {
    built(&format!("examples/{name}"))
}

/// The directory of the credential helper `file`, which keeps what it is given in `$HOME/credentials.json`, for `PATH`.
#[must_use]
pub fn credential_helpers() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/lib"))
}

fn built(name: &str) -> Result<PathBuf> {
    let path = profile_directory()?.join(name);
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "{} is missing: run integration/test, or: cargo build --workspace --all-targets",
        path.display()
    )
}

/// One run of a command, with an environment of its own: nothing of the machine's AWS or ECS settings reaches it.
#[derive(Debug)]
pub struct EcsPull {
    command: tokio::process::Command,
    input: Option<Vec<u8>>,
    /// What a run remembers for later runs is no business of other tests, nor of this machine.
    state: TempDir,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; 128 and the signal's number if one ended it.
    pub code: i32,
    /// What it printed for programs and people.
    pub stdout: String,
    /// What it printed about its progress and troubles.
    pub stderr: String,
    /// From start to end.
    pub duration: Duration,
}

impl EcsPull {
    /// A run of `ecs-pull` with these arguments.
    ///
    /// # Errors
    /// It has not been built.
    pub fn new<Argument: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Argument>) -> Result<Self> {
        Ok(Self::of_program(&program()?, arguments))
    }

    /// A run of the `docker` command in the same way.
    ///
    /// # Errors
    /// It is missing.
    pub fn docker<Argument: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Argument>) -> Result<Self> {
        Ok(Self::of_program(&tool::DOCKER.path()?, arguments))
    }

    /// A run of another program in the same way.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn of_program<Argument: AsRef<OsStr>>(
        program: &std::path::Path,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Self {
        let state =
            tempfile::tempdir().expect("no part could have started without a place for temporary files");
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("XDG_STATE_HOME", state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.kill_on_drop(true);
        Self {
            command,
            input: None,
            state,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<Argument: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = Argument>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets environment variables.
    #[must_use]
    pub fn envs<Name: AsRef<OsStr>, Text: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (Name, Text)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Takes away an environment variable that was set before.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets what the command reads on standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(input.into());
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started, or takes longer than two minutes.
    pub async fn run(self) -> Result<Output> {
        self.start().await?.end().await
    }

    /// Starts it, for whoever does something to it before its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(mut self) -> Result<Running> {
        use tokio::io::AsyncWriteExt;

        let started = Instant::now();
        let name = format!("{:?}", self.command.as_std());
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        if let (Some(input), Some(mut stdin)) = (self.input, child.stdin.take()) {
            stdin.write_all(&input).await?;
        }
        Ok(Running {
            name,
            child,
            started,
            _state: self.state,
        })
    }
}

/// A run that has not been seen to end. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: tokio::process::Child,
    started: Instant,
    /// Removed after the child's end.
    _state: TempDir,
}

impl Running {
    /// Whether it has this file open.
    #[must_use]
    pub fn has_open(&self, path: &Path) -> bool {
        let Some(process) = self.child.id() else {
            return false;
        };
        let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
            return false;
        };
        entries
            .flatten()
            .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path))
    }

    /// Sends it a signal by the name that `kill` takes: `INT`.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let process = self.child.id().context("it has ended")?.to_string();
        let status = std::process::Command::new("kill")
            .args(["-s", signal, &process])
            .status()?;
        ensure!(status.success(), "{} got no SIG{signal}", self.name);
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs after two minutes.
    pub async fn end(self) -> Result<Output> {
        use std::os::unix::process::ExitStatusExt;

        let Self {
            name,
            child,
            started,
            _state,
        } = self;
        let output = tokio::time::timeout(LIMIT, child.wait_with_output())
            .await
            .with_context(|| format!("{name} still ran after {LIMIT:?}"))??;
        Ok(Output {
            code: output
                .status
                .code()
                .or(output.status.signal().map(|signal| 128 + signal))
                .unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).context("stdout is not UTF-8")?,
            stderr: String::from_utf8(output.stderr).context("stderr is not UTF-8")?,
            duration: started.elapsed(),
        })
    }
}

impl Output {
    /// The one JSON document on standard output.
    ///
    /// # Errors
    /// There is anything else.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| {
            format!(
                "stdout is not one JSON document: {}\n{}",
                self.stdout, self.stderr
            )
        })
    }

    /// The entry of `container` in the result of `pull` or `check`.
    ///
    /// # Errors
    /// There is none.
    pub fn container(&self, container: &str) -> Result<Value> {
        let document = self.json()?;
        document["containers"]
            .as_array()
            .and_then(|entries| entries.iter().find(|entry| entry["container"] == container))
            .cloned()
            .with_context(|| format!("no container {container} in {document}"))
    }
}
