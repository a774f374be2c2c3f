//! The small scenario: an engine and a private registry, without AWS.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::command::EcsPull;
use crate::engine::Engine;
use crate::part::Part;
use crate::registry::{Access, Registry};

/// An engine, and a registry whose password for `alice` is in an `ecs.config`.
#[derive(Debug)]
pub struct Site {
    /// The engine, for which the registry's name is this machine.
    pub engine: Engine,
    /// `registry.example.com`, without images.
    pub registry: Registry,
    files: Part,
}

impl Site {
    /// Who may read from the registry.
    pub const USER: &str = "alice";
    /// Their password. It holds what tells a standard base64 from a URL-safe one.
    pub const PASSWORD: &str = "s3cret>?~of-alice";

    /// Starts the parts.
    ///
    /// # Errors
    /// A tool is missing or a part does not start.
    pub async fn start() -> Result<Self> {
        Self::with_engine(Engine::start(&["registry.example.com"]).await?).await
    }

    /// The same with this engine, which has to know `registry.example.com`.
    ///
    /// # Errors
    /// A tool is missing or a part does not start.
    pub async fn with_engine(engine: Engine) -> Result<Self> {
        let users = [(Self::USER, Self::PASSWORD)];
        let registry = Registry::start("registry.example.com", Access::Passwords(&users)).await?;
        let files = Part::new("files")?;
        let site = Self {
            engine,
            registry,
            files,
        };
        site.configure(&site.registry.host(), Self::PASSWORD)?;
        Ok(site)
    }

    /// Writes an `ecs.config` with this password for the registry at `host`: a proxy before the registry is another one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, host: &str, password: &str) -> Result<()> {
        let auth = json!({host: {"username": Self::USER, "password": password}});
        let text = format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={auth}\n");
        self.files.write("ecs.config", text)?;
        Ok(())
    }

    /// Where the registry really listens, for a proxy before it.
    ///
    /// # Errors
    /// None that depends on the caller.
    pub fn registry_address(&self) -> Result<SocketAddr> {
        let host = self.registry.host();
        let port = host.rsplit(':').next().unwrap_or_default();
        Ok(format!("127.0.0.1:{port}").parse()?)
    }

    /// Where a file beside `ecs.config` lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.directory().join(name)
    }

    /// The environment by which `ecs-pull` finds the engine, and nothing else of this machine.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DOCKER_HOST", self.engine.host().to_owned()),
            ("HOME", self.files.directory().display().to_string()),
        ]
    }

    /// A run of `ecs-pull --config-file ecs.config` with these further arguments, in [`environment`](Self::environment).
    ///
    /// # Errors
    /// `ecs-pull` has not been built.
    pub fn ecs_pull(&self, arguments: &[&str]) -> Result<EcsPull> {
        let configuration = self.path("ecs.config").display().to_string();
        let run = EcsPull::new(["--config-file", &configuration])?.args(arguments);
        Ok(run.envs(self.environment()))
    }
}
