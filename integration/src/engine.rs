//! A private Docker Engine.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::engine_api::EngineApi;
use crate::part::Part;
use crate::secure_registry::SecureRegistry;
use crate::tool;

/// A `dockerd` with its own data, its own socket and its own idea of host names.
///
/// It runs no containers: it has neither a bridge nor packet filter rules, so that it leaves the machine's network alone.
#[derive(Debug)]
pub struct Engine {
    api: EngineApi,
    part: Part,
}

impl Engine {
    /// Starts an engine for which each of `host_names` is 127.0.0.1, where an engine accepts plain HTTP from a registry.
    ///
    /// # Errors
    /// `dockerd` is missing or does not start: with its log.
    pub async fn start(host_names: &[&str]) -> Result<Self> {
        Self::start_in(Part::new("engine")?, &hosts(host_names)).await
    }

    /// Starts an engine that finds these registries by name and trusts their certificate authorities.
    ///
    /// # Errors
    /// `dockerd` is missing or does not start: with its log.
    pub async fn start_trusting(registries: &[&SecureRegistry]) -> Result<Self> {
        let part = Part::new("engine")?;
        let mut hosts = hosts(&[]);
        for registry in registries {
            let name = registry.host_name();
            hosts.push_str(&format!("{} {name}\n", registry.address()));
            // Where Docker looks: https://docs.docker.com/engine/security/certificates/.
            for directory in [name.to_owned(), format!("{name}:443")] {
                let directory = format!("etc-docker/certs.d/{directory}");
                fs::create_dir_all(part.directory().join(&directory))?;
                part.write(&format!("{directory}/ca.crt"), registry.authority())?;
            }
        }
        Self::start_in(part, &hosts).await
    }

    async fn start_in(mut part: Part, hosts: &str) -> Result<Self> {
        let directory = part.directory().to_owned();
        part.write("hosts", hosts)?;
        part.write("daemon.json", "{}")?;
        let socket = directory.join("docker.sock");
        let storage_driver = if overlay_is_usable(&directory) {
            "overlay2"
        } else {
            "vfs"
        };
        let mut command = private_etc(&directory);
        command.extend([
            tool::DOCKERD.path()?.display().to_string(),
            format!("--config-file={}/daemon.json", directory.display()),
            format!("--data-root={}/data", directory.display()),
            format!("--exec-root={}/exec", directory.display()),
            format!("--pidfile={}/docker.pid", directory.display()),
            format!("--host=unix://{}", socket.display()),
            format!("--storage-driver={storage_driver}"),
            "--iptables=false".into(),
            "--ip6tables=false".into(),
            "--bridge=none".into(),
        ]);
        part.run(&command)?;
        part.wait_for_log(|log| log.contains("API listen on").then_some(()))
            .await?;
        let api = EngineApi::new(&socket)?;
        while !api.answers().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { api, part })
    }

    /// What the engine has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.part.log()
    }
}

impl Deref for Engine {
    type Target = EngineApi;

    fn deref(&self) -> &EngineApi {
        &self.api
    }
}

/// The words before a command that give it `DIRECTORY/hosts` as `/etc/hosts`.
pub(crate) fn private_etc(directory: &Path) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib/private-etc");
    vec![script.display().to_string(), directory.display().to_string()]
}

/// The content of a hosts file for which `host_names` are this machine.
pub(crate) fn hosts(host_names: &[&str]) -> String {
    format!("127.0.0.1 localhost {}\n::1 localhost\n", host_names.join(" "))
}

/// An overlay cannot lie on an overlay, which is what a container's own root usually is.
fn overlay_is_usable(directory: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let file_system = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(mount_point, _)| directory.starts_with(mount_point))
        .max_by_key(|(mount_point, _)| mount_point.len());
    matches!(file_system, Some((_, "ext4" | "xfs" | "btrfs" | "tmpfs")))
}
