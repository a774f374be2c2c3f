//! Which engine is meant, out of everything that may say so.

use std::path::{Path, PathBuf};

use super::{DockerHost, DockerHostError, TlsOptions, context};

/// What may say which engine is meant, as the docker command reads it.
///
/// This type reads no environment: its maker passes on the variables named below.
///
/// Rule: <https://docs.docker.com/reference/cli/docker/#environment-variables> and
/// <https://docs.docker.com/engine/manage-resources/contexts/>.
///
/// ```
/// use ecs_image_puller::HostChoice;
///
/// let choice = HostChoice {
///     docker_host: Some("tcp://engine.example.com:2375".to_owned()),
///     docker_context: Some("edge".to_owned()),
///     ..HostChoice::default()
/// };
/// assert_eq!(choice.resolve()?.to_string(), "tcp://engine.example.com:2375");
/// # Ok::<(), ecs_image_puller::DockerHostError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostChoice {
    /// An argument such as `--docker-host`: wins over everything else.
    pub argument: Option<String>,
    /// `DOCKER_HOST`: wins over every context.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`: wins over the context that `docker context use` chose.
    pub docker_context: Option<String>,
    /// `DOCKER_TLS_VERIFY`: anything but the empty string asks for TLS with a verified engine.
    pub docker_tls_verify: Option<String>,
    /// `DOCKER_TLS`: anything but the empty string asks for TLS.
    pub docker_tls: Option<String>,
    /// `DOCKER_CERT_PATH`: the directory of `ca.pem`, `cert.pem` and `key.pem`; else `docker_config`.
    pub docker_cert_path: Option<PathBuf>,
    /// `DOCKER_CONFIG`, or `.docker` in the home directory: where contexts are. `None` looks for none.
    pub docker_config: Option<PathBuf>,
}

impl HostChoice {
    /// The engine that is meant. Reads the files of contexts; calls nobody.
    ///
    /// # Errors
    ///
    /// [`DockerHostError`] for an address that is none, and for a context that does not exist or cannot be read.
    pub fn resolve(&self) -> Result<DockerHost, DockerHostError> {
        let set = |value: &Option<String>| {
            value
                .as_deref()
                .map(str::trim)
                .is_some_and(|value| !value.is_empty())
        };
        if let Some(address) = [&self.argument, &self.docker_host]
            .into_iter()
            .find(|address| set(address))
        {
            return Ok(self.with_tls(DockerHost::parse(address.as_deref().unwrap_or_default())?));
        }
        let config = self.docker_config.as_deref();
        let named = match (&self.docker_context, config) {
            (Some(name), _) if set(&self.docker_context) => Some(name.trim().to_owned()),
            (_, Some(config)) => context::current(config)?,
            (_, None) => None,
        };
        match named.filter(|name| name != context::DEFAULT) {
            None => Ok(self.with_tls(DockerHost::default())),
            Some(name) => match config {
                Some(config) => context::load(config, &name),
                None => Err(DockerHostError::context(
                    &name,
                    "the directory of Docker's configuration is not known",
                )),
            },
        }
    }

    fn with_tls(&self, host: DockerHost) -> DockerHost {
        let set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
        let verify = set(&self.docker_tls_verify);
        if !verify && !set(&self.docker_tls) {
            return host;
        }
        let directory = self
            .docker_cert_path
            .as_deref()
            .filter(|path| !path.as_os_str().is_empty())
            .or(self.docker_config.as_deref())
            .unwrap_or(Path::new(""));
        let mut options = TlsOptions::from_directory(directory);
        if !verify {
            options.ca = None;
            options.skip_verification = true;
        }
        host.with_tls(options)
    }
}
