//! From paths to a configuration.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use crate::arguments::{self, Arguments};
use crate::assemble::{Outcome, assemble};
use crate::file;
use crate::layers::{FileText, Sources};
use crate::{
    Config, ConfigErrors, Decryptor, DockerConfigUse, Environment, Finding, Setting, Strictness, names,
};

/// The env-file that ecs-init reads.
pub const DEFAULT_ENV_FILE: &str = "/etc/ecs/ecs.config";

/// The JSON file that the agent reads where `ECS_AGENT_CONFIG_FILE_PATH` names no other.
pub const DEFAULT_JSON_FILE: &str = "/etc/ecs_container_agent/config.json";

/// Reads a configuration from the process environment, `ecs.config` and the agent's JSON file.
///
/// For each setting the first of them that has it wins. What is given to the loader itself goes before all of them.
///
/// ```
/// use ecs_config_loader::{Environment, Loader};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let config = Loader::new(Environment::from_iter([
///     ("ECS_ENGINE_AUTH_TYPE", "docker"),
///     ("ECS_ENGINE_AUTH_DATA", r#"{"ghcr.io": {"username": "alice", "password": "correct horse"}}"#),
///     ("ECS_IMAGE_PULL_TIMEOUT", "1h30m"),
/// ]))
/// .without_default_files()
/// .load()
/// .await?;
/// assert_eq!(config.pull.pull_timeout.value.as_secs(), 5_400);
/// assert!(config.engine_auth.lookup(&"ghcr.io/team/app".parse()?)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loader {
    arguments: Arguments,
    environment: Environment,
    env_file: Choice,
    json_file: Choice,
    strictness: Strictness,
    decryptor: Option<Arc<dyn Decryptor>>,
    also_watched: Vec<PathBuf>,
}

/// Which file is read.
#[derive(Clone, PartialEq, Eq)]
enum Choice {
    /// The default one, if it exists.
    Default,
    /// This one, which must exist.
    Explicit(PathBuf),
    /// This text, under the name of a file.
    Text(PathBuf, Zeroizing<Vec<u8>>),
    None,
}

impl fmt::Debug for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Explicit(path) | Self::Text(path, _) => fmt::Debug::fmt(path, formatter),
            Self::None => formatter.write_str("none"),
        }
    }
}

impl Loader {
    /// A loader with this environment and the default files, where they exist.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            arguments: Arguments::default(),
            environment,
            env_file: Choice::Default,
            json_file: Choice::Default,
            strictness: Strictness::Lenient,
            decryptor: None,
            also_watched: Vec::new(),
        }
    }

    /// Reads this env-file instead of [`DEFAULT_ENV_FILE`]. It must exist.
    #[must_use]
    pub fn env_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.env_file = Choice::Explicit(path.into());
        self
    }

    /// Reads this JSON file instead of the one that `ECS_AGENT_CONFIG_FILE_PATH` names. It must exist.
    #[must_use]
    pub fn json_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.json_file = Choice::Explicit(path.into());
        self
    }

    /// Takes this text for an env-file; `name` is the file that places refer to.
    #[must_use]
    pub fn env_file_text(mut self, name: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.env_file = Choice::Text(name.into(), Zeroizing::new(content.into()));
        self
    }

    /// Takes this text for the JSON file; `name` is the file that places refer to.
    #[must_use]
    pub fn json_file_text(mut self, name: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.json_file = Choice::Text(name.into(), Zeroizing::new(content.into()));
        self
    }

    /// Reads no file that was not named: neither [`DEFAULT_ENV_FILE`] nor [`DEFAULT_JSON_FILE`].
    #[must_use]
    pub fn without_default_files(mut self) -> Self {
        for choice in [&mut self.env_file, &mut self.json_file] {
            if *choice == Choice::Default {
                *choice = Choice::None;
            }
        }
        self
    }

    /// Takes this AWS region, for example `eu-west-1`, whatever the other sources say. An empty one counts as not set.
    ///
    /// ```
    /// use ecs_config_loader::{Environment, Loader};
    /// use ecs_registry_auth::Origin;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let config = Loader::new(Environment::from_iter([("AWS_REGION", "us-east-1")]))
    ///     .without_default_files()
    ///     .region("eu-west-1", Origin::argument("--region"))
    ///     .load()
    ///     .await?;
    /// let region = config.region.expect("it was given");
    /// assert_eq!((region.value.as_str(), region.origin.to_string().as_str()), ("eu-west-1", "--region"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn region(mut self, region: impl AsRef<str>, origin: Origin) -> Self {
        self.arguments.region = arguments::text(region.as_ref(), origin);
        self
    }

    /// Takes this URL of the engine for `DOCKER_HOST`, whatever the other sources say. An empty one counts as not set.
    #[must_use]
    pub fn docker_host(mut self, url: impl AsRef<str>, origin: Origin) -> Self {
        self.arguments.docker_host = arguments::text(url.as_ref(), origin);
        self
    }

    /// Takes this use of Docker's own configuration, whatever the other sources say. Its path may be relative.
    #[must_use]
    pub fn docker_config(mut self, wanted: DockerConfigUse, origin: Origin) -> Self {
        self.arguments.docker_config = Some(Setting::new(wanted, origin));
        self
    }

    /// Whether every warning is an error.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strictness = if strict {
            Strictness::Strict
        } else {
            Strictness::Lenient
        };
        self
    }

    /// What decrypts `ECS_ENGINE_AUTH_DATA_KMS`.
    #[must_use]
    pub fn decryptor(mut self, decryptor: Arc<dyn Decryptor>) -> Self {
        self.decryptor = Some(decryptor);
        self
    }

    /// A file that is no source of this loader and whose changes count as changes of the configuration, for a
    /// [`ConfigWatch`](crate::ConfigWatch): Docker's `config.json`. It may be missing.
    #[must_use]
    pub fn also_watch(mut self, path: impl Into<PathBuf>) -> Self {
        self.also_watched.push(path.into());
        self
    }

    /// Reads everything.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that makes the configuration unusable.
    pub async fn load(&self) -> Result<Config, ConfigErrors> {
        let sources = self.read().await.map_err(ConfigErrors::new)?;
        let config = self.assemble(&sources).await.into_result()?;
        tracing::debug!(
            registries = config.engine_auth.len(),
            warnings = config.warnings.len(),
            "configuration loaded"
        );
        Ok(config)
    }

    /// Everything that is wrong with the configuration, errors and warnings, without using it.
    pub async fn check(&self) -> Vec<Finding> {
        match self.read().await {
            Ok(sources) => self.assemble(&sources).await.findings,
            Err(findings) => findings,
        }
    }

    pub(crate) fn also_watched(&self) -> &[PathBuf] {
        &self.also_watched
    }

    pub(crate) async fn assemble(&self, sources: &Sources) -> Outcome {
        assemble(sources, self.strictness, self.decryptor.as_deref()).await
    }

    /// Path to text.
    pub(crate) async fn read(&self) -> Result<Sources, Vec<Finding>> {
        let mut findings = Vec::new();
        let env_file = match &self.env_file {
            Choice::Default => file::read_optional(Path::new(DEFAULT_ENV_FILE)).await,
            Choice::Explicit(path) => file::read(path, None).await.map(Some),
            Choice::Text(name, content) => Ok(Some(FileText::given(name, content))),
            Choice::None => Ok(None),
        }
        .unwrap_or_else(|finding| {
            findings.push(finding);
            None
        });
        let json_file = self
            .read_json_file(env_file.as_ref())
            .await
            .unwrap_or_else(|finding| {
                findings.push(finding);
                None
            });
        if findings.is_empty() {
            Ok(Sources {
                arguments: self.arguments.clone(),
                environment: self.environment.clone(),
                env_file,
                json_file,
            })
        } else {
            Err(findings)
        }
    }

    async fn read_json_file(&self, env_file: Option<&FileText>) -> Result<Option<FileText>, Finding> {
        match &self.json_file {
            Choice::Explicit(path) => return file::read(path, None).await.map(Some),
            Choice::Text(name, content) => return Ok(Some(FileText::given(name, content))),
            Choice::Default | Choice::None => {}
        }
        let named = match self
            .environment
            .get(names::JSON_FILE)?
            .filter(|path| !path.is_empty())
        {
            Some(path) => Some((path.to_owned(), Origin::environment(names::JSON_FILE))),
            None => env_file.and_then(named_in).transpose()?,
        };
        match (named, &self.json_file) {
            (Some((path, origin)), _) => file::read(Path::new(&path), Some(origin)).await.map(Some),
            (None, Choice::Default) => file::read_optional(Path::new(DEFAULT_JSON_FILE)).await,
            (None, _) => Ok(None),
        }
    }
}

/// `ECS_AGENT_CONFIG_FILE_PATH` in the env-file.
fn named_in(file: &FileText) -> Option<Result<(String, Origin), Finding>> {
    let parsed = crate::env_file::EnvFile::parse(file.path.clone(), &file.content);
    let (value, origin) = parsed.get(names::JSON_FILE)?;
    match value {
        Ok("") => None,
        Ok(path) => Some(Ok((path.to_owned(), origin))),
        Err(finding) => Some(Err(finding)),
    }
}
