//! Runs the command in an environment of its own.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A directory for files, and nothing of this process's environment.
pub(crate) struct Sandbox {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// What a run ended with.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Without them the command would read the files of the machine that runs the tests, if it has any.
        std::fs::write(directory.path().join("ecs.config"), "").unwrap();
        std::fs::write(directory.path().join("agent.json"), "{}").unwrap();
        Self {
            directory,
            variables: Vec::new(),
        }
    }

    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_ecs-pull"))
            .env_clear()
            .env("HOME", self.directory.path())
            .env("XDG_STATE_HOME", self.directory.path())
            .env(
                "ECS_AGENT_CONFIG_FILE_PATH",
                self.directory.path().join("agent.json"),
            )
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .arg("--config-file")
            .arg(self.path("ecs.config"))
            .args(arguments)
            .output()
            .unwrap();
        Run {
            code: status.code().unwrap(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Run {
    /// The one JSON document on stdout.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}
