//! The configuration in effect.

use std::fmt;
use std::path::PathBuf;

use crate::{AuthType, EngineAuth, Finding, PullSettings, Setting};

/// Whether Docker's own configuration is a source of credentials (`ECS_ENGINE_AUTH_DOCKER_CONFIG`, this project's own).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DockerConfigUse {
    /// It is not read: the default.
    #[default]
    Off,
    /// It is read where Docker looks for it.
    Standard,
    /// This `config.json`, or the one in this directory, is read.
    Path(PathBuf),
}

/// Everything that was configured, with the place of every value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// `ECS_ENGINE_AUTH_TYPE`, where it was set.
    pub engine_auth_type: Option<Setting<AuthType>>,
    /// The credentials of `ECS_ENGINE_AUTH_DATA` or `ECS_ENGINE_AUTH_DATA_KMS`.
    pub engine_auth: EngineAuth,
    /// How and for how long images are pulled.
    pub pull: PullSettings,
    /// `DOCKER_HOST`. By default `unix:///var/run/docker.sock`, or the pipe `npipe:////./pipe/docker_engine` on Windows.
    pub docker_host: Setting<String>,
    /// `AWS_DEFAULT_REGION`, which the agent reads, else `AWS_REGION`, which the AWS SDKs read.
    pub region: Option<Setting<String>>,
    /// `ECS_EXTERNAL`: whether this is an external instance (ECS Anywhere).
    pub external: Setting<bool>,
    /// `ECS_ALTERNATE_CREDENTIAL_PROFILE`: the profile in the rotating credentials file of an external instance.
    pub alternate_credential_profile: Option<Setting<String>>,
    /// `ECS_DATADIR`: where state is kept.
    pub data_dir: Option<Setting<PathBuf>>,
    /// Whether Docker's own configuration is a source of credentials.
    pub docker_config: Setting<DockerConfigUse>,
    /// What somebody should look at.
    pub warnings: Vec<Finding>,
}

/// As it may be shown.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.show(), formatter)
    }
}

impl Default for Config {
    fn default() -> Self {
        let docker_host = if cfg!(windows) {
            "npipe:////./pipe/docker_engine"
        } else {
            "unix:///var/run/docker.sock"
        };
        Self {
            engine_auth_type: None,
            engine_auth: EngineAuth::empty(),
            pull: PullSettings::default(),
            docker_host: Setting::default_of(docker_host.to_owned()),
            region: None,
            external: Setting::default_of(false),
            alternate_credential_profile: None,
            data_dir: None,
            docker_config: Setting::default_of(DockerConfigUse::Off),
            warnings: Vec::new(),
        }
    }
}
