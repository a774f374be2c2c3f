//! Docker's own configuration as a source of credentials.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ecs_registry_auth::{Candidate, CredentialSource, ImageReference, Keychain, Origin, ResolveFuture};

use crate::{ConfigErrors, DockerConfigUse, Environment, Finding, file};

mod document;
mod helper;
mod layer;
pub(crate) mod server;
mod stored;
mod watched;

use document::Source;
use helper::HelperRunner;
use layer::Layer;
pub use stored::{StoredCredential, StoredCredentials};
pub use watched::WatchedDockerConfig;

/// A configuration as JSON in a variable, which goes before the file.
pub(crate) const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";
/// The directory of `config.json`.
const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
const FILE_NAME: &str = "config.json";

/// The credentials that `docker login` keeps: in `config.json` itself, or with the credential helpers that it names.
///
/// For an image it answers as Docker's command line does: the helper of its registry in `credHelpers`, else the
/// helper in `credsStore`, else the entry in `auths`. A helper's "not found" is final for its document. A helper that
/// fails is an error and never an anonymous pull.
///
/// Helpers run as `docker-credential-NAME get` with the server on standard input, without a shell, for ten seconds
/// at most ([`with_helper_timeout`](Self::with_helper_timeout)), and are found through `PATH` of the [`Environment`].
/// Running one needs a Tokio runtime with I/O and time. Nothing that a helper prints appears in a message.
///
/// Rules: <https://docs.docker.com/reference/cli/docker/login/>,
/// <https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties>.
///
/// ```
/// use ecs_config_loader::{DockerConfig, Environment};
/// use ecs_registry_auth::{Keychain, Origin};
///
/// let text = r#"{
///     "auths": {"registry.example.com": {"auth": "YWxpY2U6Y29ycmVjdCBob3JzZQ=="}},
///     "credHelpers": {"ghcr.io": "pass"}
/// }"#;
/// let config = DockerConfig::parse(text, &Origin::file("config.json"), &Environment::default())?;
///
/// let candidates = config.candidates(&"registry.example.com/app".parse()?);
/// let chosen = candidates.iter().find(|candidate| candidate.chosen).expect("there is an entry");
/// assert_eq!(chosen.key.as_deref(), Some("registry.example.com"));
///
/// let candidates = config.candidates(&"ghcr.io/team/app".parse()?);
/// assert_eq!(candidates[0].reason, "docker-credential-pass would be asked for ghcr.io");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DockerConfig {
    /// The first that has a credential answers.
    layers: Arc<[Layer]>,
    runner: HelperRunner,
    path: Option<PathBuf>,
    findings: Arc<[Finding]>,
}

impl DockerConfig {
    /// What a setting asks for; `None` when it is [`DockerConfigUse::Off`].
    ///
    /// # Errors
    ///
    /// As [`standard`](Self::standard) and [`at`](Self::at).
    pub async fn load(
        wanted: &DockerConfigUse,
        environment: &Environment,
    ) -> Result<Option<Self>, ConfigErrors> {
        match wanted {
            DockerConfigUse::Off => Ok(None),
            DockerConfigUse::Standard => Self::standard(environment).await.map(Some),
            DockerConfigUse::Path(path) => Self::at(path, environment).await.map(Some),
        }
    }

    /// The configuration where Docker looks for it: `DOCKER_AUTH_CONFIG`, which holds a whole document, then
    /// `config.json` in the directory `DOCKER_CONFIG`, else in `.docker` of the home directory. A missing file is an
    /// empty one.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when a document cannot be read or is malformed, or when there is no place to look at.
    pub async fn standard(environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut this = Self::new(environment);
        let mut reader = Reader::default();
        let variable = reader.variable(environment, DOCKER_AUTH_CONFIG);
        if let Some(text) = variable {
            reader.parse(text, &Source::Whole(&Origin::environment(DOCKER_AUTH_CONFIG)));
        }
        let directory = reader.variable(environment, DOCKER_CONFIG).map(PathBuf::from);
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = reader
            .variable(environment, home)
            .map(|home| Path::new(home).join(".docker"));
        match directory.or(home) {
            Some(directory) => {
                let path = directory.join(FILE_NAME);
                match file::read_optional(&path).await {
                    Ok(Some(file)) => reader.file(&path, &file.content),
                    Ok(None) => reader.layers.push(Layer::empty(Origin::file(path.as_path()))),
                    Err(finding) => reader.errors.push(finding),
                }
                this.path = Some(path);
            }
            None if variable.is_none() => reader.errors.push(
                Finding::error(
                    Origin::environment(DOCKER_CONFIG),
                    "neither it nor the home directory is set, so Docker's configuration has no place",
                )
                .with_next_step("set DOCKER_CONFIG to the directory of config.json, or name the file"),
            ),
            None => {}
        }
        this.finish(reader)
    }

    /// The configuration in this file, or in `config.json` of this directory, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when it cannot be read or is malformed.
    pub async fn at(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let path = match tokio::fs::metadata(path).await {
            Ok(metadata) if metadata.is_dir() => path.join(FILE_NAME),
            _ => path.to_owned(),
        };
        let mut this = Self::new(environment);
        let mut reader = Reader::default();
        match file::read(&path, None).await {
            Ok(file) => reader.file(&path, &file.content),
            Err(finding) => reader.errors.push(finding),
        }
        this.path = Some(path);
        this.finish(reader)
    }

    /// A configuration from its text, which stands at `place`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] when it is malformed.
    pub fn parse(text: &str, place: &Origin, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::default();
        reader.parse(text, &Source::Whole(place));
        Self::new(environment).finish(reader)
    }

    /// How long a helper may take before it is ended: ten seconds unless this says otherwise.
    #[must_use]
    pub fn with_helper_timeout(mut self, timeout: Duration) -> Self {
        self.runner.set_timeout(timeout);
        self
    }

    /// What somebody should look at: broken entries, keys that match no image.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The file that was read, or would have been if it existed: what a watcher looks at.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn new(environment: &Environment) -> Self {
        Self {
            layers: Arc::from([]),
            runner: HelperRunner::new(environment.clone()),
            path: None,
            findings: Arc::from([]),
        }
    }

    fn finish(mut self, reader: Reader) -> Result<Self, ConfigErrors> {
        if !reader.errors.is_empty() {
            return Err(ConfigErrors::new(reader.errors));
        }
        self.layers = reader.layers.into();
        self.findings = reader.findings.into();
        Ok(self)
    }
}

#[derive(Default)]
struct Reader {
    layers: Vec<Layer>,
    findings: Vec<Finding>,
    errors: Vec<Finding>,
}

impl Reader {
    /// A variable; an empty one is none.
    fn variable<'a>(&mut self, environment: &'a Environment, name: &str) -> Option<&'a str> {
        match environment.get(name) {
            Ok(value) => value.filter(|value| !value.is_empty()),
            Err(finding) => {
                self.errors.push(finding);
                None
            }
        }
    }

    fn file(&mut self, path: &Path, content: &[u8]) {
        match std::str::from_utf8(content) {
            Ok(text) => self.parse(text, &Source::File(path)),
            Err(error) => self.errors.push(
                Finding::error(
                    Origin::file(path),
                    format!("it is not UTF-8 from byte {} on", error.valid_up_to()),
                )
                .with_next_step("save the file in UTF-8"),
            ),
        }
    }

    fn parse(&mut self, text: &str, source: &Source<'_>) {
        match document::parse(text, source, &mut self.findings) {
            Ok(layer) => self.layers.push(layer),
            Err(errors) => self.errors.extend(errors),
        }
    }
}

/// Where its documents stand.
impl fmt::Debug for DockerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.layers.iter().map(|layer| layer.place.to_string()))
            .finish()
    }
}

impl Keychain for DockerConfig {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(async move {
            for layer in self.layers.iter() {
                if let Some(resolved) = layer.resolve(image, &self.runner).await? {
                    return Ok(Some(resolved));
                }
            }
            Ok(None)
        })
    }

    /// A helper that would be asked counts as chosen: whether it has a credential is only known once it ran.
    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let mut all = Vec::new();
        let mut first = None;
        for layer in self.layers.iter() {
            let mut candidates = layer.candidates(image);
            let decisive = candidates.iter_mut().find(|candidate| candidate.is_decisive());
            match (first, decisive) {
                (None, Some(_)) => first = Some(&layer.place),
                (Some(first), Some(candidate)) => candidate.pass_over(format!("{first} goes first")),
                (_, None) => {}
            }
            all.append(&mut candidates);
        }
        if all.is_empty() {
            all.extend(self.layers.iter().map(|layer| {
                Candidate::new(
                    CredentialSource::DockerConfig,
                    false,
                    "it has no entry and no helper",
                )
                .with_origin(layer.place.clone())
            }));
        }
        all
    }
}
