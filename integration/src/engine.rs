//! A private Docker Engine.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::engine_api::EngineApi;
use crate::engine_tls;
use crate::part::Part;
use crate::secure_registry::SecureRegistry;
use crate::tool;
use crate::wait::until;

/// A `dockerd` with its own data, its own socket and its own idea of host names.
///
/// It runs no containers and leaves the machine's network alone: it has neither a bridge nor packet filter rules, does
/// not turn forwarding on, and may not remove the bridge of another engine, which it would do for want of one itself.
#[derive(Debug)]
pub struct Engine {
    api: EngineApi,
    part: Part,
    /// Where it is reached over TCP, and with which certificates.
    tls: Option<(String, PathBuf)>,
}

/// What is particular about one engine.
#[derive(Debug, Default)]
struct Manner {
    /// Further options of `dockerd`.
    options: Vec<String>,
    as_service: bool,
}

impl Engine {
    /// Starts an engine for which each of `host_names` is 127.0.0.1, where an engine accepts plain HTTP from a registry.
    ///
    /// # Errors
    /// `dockerd` is missing or does not start: with its log.
    pub async fn start(host_names: &[&str]) -> Result<Self> {
        Self::start_in(Part::new("engine")?, &hosts(host_names), Manner::default()).await
    }

    /// The same as a service that is started again whenever it ends: [`restart`](Self::restart).
    ///
    /// # Errors
    /// `dockerd` is missing or does not start: with its log.
    pub async fn start_as_service(host_names: &[&str]) -> Result<Self> {
        let manner = Manner {
            as_service: true,
            ..Manner::default()
        };
        Self::start_in(Part::new("engine")?, &hosts(host_names), manner).await
    }

    /// The same with a TCP port beside its socket, where it asks for certificates: [`tls`](Self::tls).
    ///
    /// # Errors
    /// `dockerd` is missing or does not start: with its log.
    pub async fn start_with_tls(host_names: &[&str]) -> Result<Self> {
        let part = Part::new("engine")?;
        let (options, certificates) = engine_tls::set_up(&part)?;
        let manner = Manner {
            options,
            ..Manner::default()
        };
        let mut engine = Self::start_in(part, &hosts(host_names), manner).await?;
        let port = engine.part.wait_for_log(engine_tls::port).await?;
        engine.tls = Some((format!("tcp://127.0.0.1:{port}"), certificates));
        Ok(engine)
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
        Self::start_in(part, &hosts, Manner::default()).await
    }

    async fn start_in(mut part: Part, hosts: &str, manner: Manner) -> Result<Self> {
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
            tool::SETPRIV.path()?.display().to_string(),
            "--bounding-set=-net_admin".into(),
        ]);
        if manner.as_service {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib/keep-running");
            command.push(script.display().to_string());
        }
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
            "--ip-forward=false".into(),
        ]);
        command.extend(manner.options);
        part.run(&command)?;
        part.wait_for_log(|log| log.contains("API listen on").then_some(()))
            .await?;
        let api = EngineApi::new(&socket)?;
        until("the engine answers", async || api.answers().await)
            .await
            .with_context(|| part.log())?;
        Ok(Self { api, part, tls: None })
    }

    /// The address of its TCP port as `DOCKER_HOST` takes it, and the directory that `DOCKER_CERT_PATH` names.
    ///
    /// # Errors
    /// It was not started with TLS.
    pub fn tls(&self) -> Result<(&str, &Path)> {
        let (host, certificates) = self.tls.as_ref().context("this engine has no TCP port")?;
        Ok((host, certificates))
    }

    /// Stops it as a service manager does, and waits until it serves again. Only of use after
    /// [`start_as_service`](Self::start_as_service).
    ///
    /// # Errors
    /// It is not running, or does not come back within a minute.
    pub async fn restart(&self) -> Result<()> {
        let starts = |log: &str| log.matches("API listen on").count();
        let before = starts(&self.part.log());
        let status = Command::new("kill").arg(self.process()?.to_string()).status()?;
        ensure!(status.success(), "the engine cannot be stopped");
        self.part
            .wait_for_log(|log| (starts(log) > before).then_some(()))
            .await
    }

    /// Its number here; the one in its own file is that of its namespace.
    fn process(&self) -> Result<u32> {
        let own = format!("--pidfile={}/docker.pid", self.part.directory().display());
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            // Processes end while they are listed.
            let command_line = fs::read(path.join("cmdline")).unwrap_or_default();
            let mut words = command_line.split(|byte| *byte == 0);
            let is_engine = words.next().is_some_and(|program| program.ends_with(b"dockerd"));
            if is_engine && words.any(|word| word == own.as_bytes()) {
                let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                return number.context("no process number");
            }
        }
        bail!("the engine is not running")
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
