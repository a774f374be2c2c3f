//! Programs of the machine that the parts are made of.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// A program, and how to get it on Debian and Ubuntu.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    name: &'static str,
    install: &'static str,
}

pub(crate) const DOCKERD: Tool = Tool {
    name: "dockerd",
    install: "apt-get install docker.io",
};
pub(crate) const DOCKER: Tool = Tool {
    name: "docker",
    install: "apt-get install docker.io (Debian 13: docker-cli)",
};
pub(crate) const PODMAN: Tool = Tool {
    name: "podman",
    install: "apt-get install podman",
};
pub(crate) const DOCKER_REGISTRY: Tool = Tool {
    name: "docker-registry",
    install: "apt-get install docker-registry",
};
pub(crate) const HTPASSWD: Tool = Tool {
    name: "htpasswd",
    install: "apt-get install apache2-utils",
};
pub(crate) const UNSHARE: Tool = Tool {
    name: "unshare",
    install: "apt-get install util-linux",
};
pub(crate) const SETPRIV: Tool = Tool {
    name: "setpriv",
    install: "apt-get install util-linux",
};

/// Where `integration/setup` puts moto: beside the target directory's profiles.
const MOTO_SERVER: &str = "integration/python/bin/moto_server";
const PARLIAMENT: &str = "integration/python/bin/parliament";

impl Tool {
    /// The program's path.
    ///
    /// # Errors
    /// It is not on `PATH`, nor where Debian keeps programs for root: with the command that installs it.
    pub(crate) fn path(self) -> Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
            .map(|directory| directory.join(self.name))
            .find(|candidate| candidate.is_file());
        match found {
            Some(found) => Ok(found),
            None => bail!(
                "{} is missing: run integration/test, or: {}",
                self.name,
                self.install
            ),
        }
    }
}

/// The AWS part's program, from the project's own Python environment.
///
/// # Errors
/// The environment has not been made yet.
pub(crate) fn moto_server() -> Result<PathBuf> {
    let path = target_directory()?.join(MOTO_SERVER);
    if path.is_file() {
        return Ok(path);
    }
    bail!("{} is missing: run integration/setup", path.display())
}

/// The linter of IAM policies, from the same place.
///
/// # Errors
/// The environment has not been made yet.
pub fn parliament() -> Result<PathBuf> {
    let path = target_directory()?.join(PARLIAMENT);
    if path.is_file() {
        return Ok(path);
    }
    bail!("{} is missing: run integration/setup", path.display())
}

/// Cargo's target directory: the one this very program was built in.
///
/// # Errors
/// The program was moved out of it.
pub(crate) fn target_directory() -> Result<PathBuf> {
    profile_directory()?
        .parent()
        .map(PathBuf::from)
        .ok_or_else(|| anyhow::anyhow!("this program is not in a target directory"))
}

/// The directory of the binaries of the profile that this program was built with, such as `target/debug`.
///
/// # Errors
/// The program was moved out of it.
pub(crate) fn profile_directory() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    this.ancestors()
        .skip(1)
        .find(|directory| !directory.ends_with("deps") && !directory.ends_with("examples"))
        .map(PathBuf::from)
        .ok_or_else(|| anyhow::anyhow!("{} is not in a target directory", this.display()))
}
