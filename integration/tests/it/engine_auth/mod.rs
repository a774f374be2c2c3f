//! Engine auth on real parts: every form of key, credential and configuration by which an engine pulls.

mod docker_login;
mod encrypted;
mod keys;
mod passwords;
mod port_443;
mod reload;
mod tokens;

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use integration::{EcsPull, Engine, Output, Part, RegistryRequest};
use serde_json::{Value, json};

/// An engine, and a directory for the configuration of what drives it.
struct Machine {
    engine: Engine,
    files: Part,
}

impl Machine {
    /// One for which `host_name` is this machine.
    async fn start(host_name: &str) -> Result<Self> {
        Self::with(Engine::start(&[host_name]).await?)
    }

    fn with(engine: Engine) -> Result<Self> {
        let files = Part::new("files")?;
        Ok(Self { engine, files })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.directory().join(name)
    }

    /// Makes this the `ecs.config`.
    fn configure(&self, auth_type: &str, data: &Value) -> Result<PathBuf> {
        self.files.write("ecs.config", lines(auth_type, data))
    }

    /// A run of `ecs-pull` with that `ecs.config`.
    fn ecs_pull(&self, arguments: &[&str]) -> Result<EcsPull> {
        let configuration = self.path("ecs.config").display().to_string();
        let run = EcsPull::new(["--output", "json", "--config-file", &configuration])?;
        Ok(run.args(arguments).envs([
            ("DOCKER_HOST", self.engine.host()),
            ("HOME", &self.files.directory().display().to_string()),
        ]))
    }

    /// Pulls these images, which the engine then holds, and answers what was said of each.
    async fn pull(&self, images: &[String]) -> Result<Vec<Value>> {
        let mut arguments = vec!["pull"];
        arguments.extend(images.iter().map(String::as_str));
        let output = self.ecs_pull(&arguments)?.run().await?;
        assert_eq!(output.code, 0, "{}\n{}", output.stderr, output.stdout);
        for image in images {
            assert!(self.engine.has(image).await?, "the engine does not hold {image}");
        }
        entries(&output)
    }
}

/// The lines of an `ecs.config`.
fn lines(auth_type: &str, data: &Value) -> String {
    format!("ECS_ENGINE_AUTH_TYPE={auth_type}\nECS_ENGINE_AUTH_DATA={data}\n")
}

fn entries(output: &Output) -> Result<Vec<Value>> {
    let document = output.json()?;
    Ok(document["containers"]
        .as_array()
        .context("no containers")?
        .clone())
}

/// An entry of type `docker`.
fn docker(user: &str, password: &str) -> Value {
    json!({"username": user, "password": password})
}

/// An entry of type `dockercfg`.
fn dockercfg(user: &str, password: &str) -> Value {
    json!({"auth": BASE64_STANDARD.encode(format!("{user}:{password}"))})
}

/// Who asked the registry for anything of this repository, once each.
fn users_of(requests: &[RegistryRequest], repository: &str) -> Vec<String> {
    let mut users: Vec<String> = requests
        .iter()
        .filter(|request| request.path.starts_with(&format!("/v2/{repository}/")))
        .filter_map(|request| request.user.clone())
        .collect();
    users.sort();
    users.dedup();
    users
}
