//! A private Podman behind its Docker-compatible API.

use std::ops::Deref;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::engine::{hosts, private_etc};
use crate::engine_api::EngineApi;
use crate::part::Part;
use crate::tool;

const START_LIMIT: Duration = Duration::from_secs(60);

/// A `podman system service` with its own storage and socket.
#[derive(Debug)]
pub struct Podman {
    api: EngineApi,
    /// Holds the service and its directory for as long as the value lives.
    _part: Part,
}

impl Podman {
    /// Starts a Podman for which each of `host_names` is 127.0.0.1. `registries` are the registries, as `host:port`, that
    /// speak plain HTTP: Podman asks for TLS everywhere else, also on loopback.
    ///
    /// # Errors
    /// `podman` is missing or does not start: with its log.
    pub async fn start(host_names: &[&str], registries: &[&str]) -> Result<Self> {
        let mut part = Part::new("podman")?;
        let directory = part.directory().to_owned();
        part.write("hosts", hosts(host_names))?;
        let plain: String = registries
            .iter()
            .map(|registry| format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n"))
            .collect();
        let registries_file = part.write("registries.conf", plain)?;
        let policy = part.write(
            "policy.json",
            r#"{"default": [{"type": "insecureAcceptAnything"}]}"#,
        )?;
        let socket = directory.join("podman.sock");
        let mut command = private_etc(&directory);
        command.extend([
            "env".into(),
            format!("CONTAINERS_REGISTRIES_CONF={}", registries_file.display()),
            // Its own place for what it would else keep in root's home.
            format!("HOME={}", directory.display()),
            tool::PODMAN.path()?.display().to_string(),
            format!("--root={}/data", directory.display()),
            format!("--runroot={}/run", directory.display()),
            format!("--tmpdir={}/tmp", directory.display()),
            "--storage-driver=vfs".into(),
            "--cgroup-manager=cgroupfs".into(),
            "--events-backend=file".into(),
            "system".into(),
            "service".into(),
            "--time=0".into(),
            format!("unix://{}", socket.display()),
        ]);
        std::fs::create_dir_all(directory.join(".config/containers"))?;
        std::fs::rename(policy, directory.join(".config/containers/policy.json"))?;
        part.run(&command)?;
        let api = EngineApi::new(&socket)?;
        let started = Instant::now();
        while !api.answers().await {
            if started.elapsed() > START_LIMIT || part.log().contains("supervise: ended") {
                bail!("podman does not answer:\n{}", part.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { api, _part: part })
    }
}

impl Deref for Podman {
    type Target = EngineApi;

    fn deref(&self) -> &EngineApi {
        &self.api
    }
}
