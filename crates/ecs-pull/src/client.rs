//! Everything wired together.

use std::path::PathBuf;
use std::sync::Arc;

use ecs_config_loader::{Config, EngineAuth, Setting, WatchedEngineAuth};
use ecs_image_puller::{
    ConnectOptions, DockerEngine, Engine, EventSink, Facts, HostChoice, PullRecord, PullRequest, Puller,
    PullerSettings,
};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Keychain, Origin, Stage};
use ecs_secret_resolver::{
    AwsContext, AwsOptions, Ec2Instance, EcrTokens, ExternalInstance, Identity, ResolverSettings,
    SecretResolver,
};
use futures_util::future::join_all;
use tokio::sync::OnceCell;

use crate::{Container, ContainerReport, KnownSecrets, Report, Rights, Task};

/// Pulls the images of tasks as Amazon ECS would: each container's credential from where it says, the engine's
/// configuration for the rest.
///
/// Cheap to clone; clones share connections and caches. Nothing is asked of AWS, the engine or a registry before it
/// is needed.
///
/// ```no_run
/// use ecs_pull::config_loader::{Environment, Loader};
/// use ecs_pull::image_puller::Silent;
/// use ecs_pull::{Client, Task};
///
/// # async fn pull() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Loader::new(Environment::process()).load().await?;
/// let client = Client::builder(config).build();
/// let report = client.pull(&Task::images(["registry.example.com/team/app:v1"], None), &Silent).await;
/// assert!(report.ok);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) config: Arc<Config>,
    pub(crate) rights: Rights,
    pub(crate) secrets: SecretResolver,
    pub(crate) tokens: EcrTokens,
    pub(crate) ecr_public_token: bool,
    pub(crate) docker_config: Option<Arc<dyn Keychain>>,
    watched_engine_auth: Option<WatchedEngineAuth>,
    pub(crate) known: KnownSecrets,
    /// The identity of this machine, which assumes execution roles.
    pub(crate) instance: Identity,
    engine_choice: EngineChoice,
    engine: Option<Arc<dyn Engine>>,
    state_directory: Option<PathBuf>,
    /// Connected when it is first needed, then shared: it remembers which registries asked for patience.
    puller: Arc<OnceCell<Puller>>,
}

/// Settings of a [`Client`].
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder {
    config: Config,
    aws: Option<AwsContext>,
    docker_config: Option<Arc<dyn Keychain>>,
    watched_engine_auth: Option<WatchedEngineAuth>,
    engine: Option<Arc<dyn Engine>>,
    state_directory: Option<PathBuf>,
    rights: Rights,
    known: KnownSecrets,
    docker_host: Option<Setting<String>>,
    engine_choice: HostChoice,
    instance: Option<Identity>,
    resolver_settings: ResolverSettings,
    ecr_public_token: bool,
}

impl Client {
    /// A client with this configuration.
    pub fn builder(config: Config) -> ClientBuilder {
        ClientBuilder {
            config,
            aws: None,
            docker_config: None,
            watched_engine_auth: None,
            engine: None,
            state_directory: None,
            rights: Rights::default(),
            known: KnownSecrets::default(),
            docker_host: None,
            engine_choice: HostChoice::default(),
            instance: None,
            resolver_settings: ResolverSettings::default(),
            ecr_public_token: false,
        }
    }

    /// Pulls every container's image, all at once. Dropping the future stops every pull.
    ///
    /// A container that cannot be pulled does not stop the others; see [`ContainerReport::error`].
    pub async fn pull(&self, task: &Task, events: &dyn EventSink) -> Report {
        self.run(task, Action::Pull, events).await
    }

    /// Does what [`pull`](Self::pull) does up to the manifest: secret, credential, registry login, digest, platform.
    /// No layer is downloaded.
    pub async fn check(&self, task: &Task, events: &dyn EventSink) -> Report {
        self.run(task, Action::Check, events).await
    }

    async fn run(&self, task: &Task, action: Action, events: &dyn EventSink) -> Report {
        let puller = match self.puller().await {
            Ok(puller) => puller,
            Err(diagnosis) => {
                let failed = task
                    .containers
                    .iter()
                    .map(|container| failed(container, diagnosis.clone()));
                return Report::new(failed.collect());
            }
        };
        let containers = task
            .containers
            .iter()
            .map(|container| self.run_one(puller, task, container, action, events));
        Report::new(join_all(containers).await)
    }

    async fn run_one(
        &self,
        puller: &Puller,
        task: &Task,
        container: &Container,
        action: Action,
        events: &dyn EventSink,
    ) -> ContainerReport {
        let request = match self.request(task, container) {
            Ok(request) => request,
            Err(diagnosis) => return failed(container, diagnosis),
        };
        let outcome = match action {
            Action::Pull => puller
                .pull(&request, events)
                .await
                .map(|pulled| (pulled.status, pulled.facts)),
            Action::Check => puller
                .check(&request, events)
                .await
                .map(|verified| (verified.status, verified.facts)),
        };
        let (name, image) = (container.name.clone(), container.image.clone());
        match outcome {
            Ok((status, facts)) => ContainerReport::done(name, image, status, facts),
            Err(failure) => {
                let (diagnosis, facts) = failure.into_parts();
                ContainerReport::failed(name, image, diagnosis, facts)
            }
        }
    }

    fn request(&self, task: &Task, container: &Container) -> Result<PullRequest, Diagnosis> {
        let image = container.reference.clone()?;
        let mut request = PullRequest::new(image, self.keychain(task, container)?);
        request = request.with_platform(task.platform.clone());
        if let Some(behavior) = task.behavior {
            request = request.with_behavior(behavior);
        }
        if let Some(name) = &container.name {
            request = request.with_container(name.clone());
        }
        Ok(request)
    }

    /// The engine's own credentials as they are now.
    pub(crate) fn engine_auth(&self) -> EngineAuth {
        match &self.watched_engine_auth {
            Some(watched) => watched.current(),
            None => self.config.engine_auth.clone(),
        }
    }

    async fn puller(&self) -> Result<&Puller, Diagnosis> {
        self.puller
            .get_or_try_init(|| async {
                let engine = match &self.engine {
                    Some(engine) => engine.clone(),
                    None => Arc::new(self.connect().await?) as Arc<dyn Engine>,
                };
                let puller = Puller::new(engine, settings(&self.config));
                let configured = self.config.data_dir.as_ref().map(|setting| &setting.value);
                Ok(match configured.or(self.state_directory.as_ref()) {
                    Some(directory) => puller.with_record(PullRecord::in_directory(directory)),
                    None => puller,
                })
            })
            .await
    }

    async fn connect(&self) -> Result<DockerEngine, Diagnosis> {
        let EngineChoice { choice, origin } = &self.engine_choice;
        // The files of contexts are few and small.
        let host = choice.resolve().map_err(|error| {
            let mut diagnosis = Diagnosis::new(
                ErrorName::CannotGetDockerclient,
                ErrorClass::Configuration,
                Stage::Pull,
                match origin {
                    Some(origin) => format!("{origin}: {error}"),
                    None => error.to_string(),
                },
            );
            if let Some(next_step) = Diagnosis::from(error).next_step() {
                diagnosis = diagnosis.with_next_step(next_step);
            }
            diagnosis
        })?;
        DockerEngine::connect(&host, ConnectOptions::default()).await
    }
}

/// Which engine, and where its address was written; no address is Docker's default or its context.
#[derive(Clone, Debug)]
struct EngineChoice {
    choice: HostChoice,
    origin: Option<Origin>,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
enum Action {
    Pull,
    Check,
}

fn failed(container: &Container, diagnosis: Diagnosis) -> ContainerReport {
    ContainerReport::failed(
        container.name.clone(),
        container.image.clone(),
        diagnosis,
        Facts::default(),
    )
}

/// The identity of the machine that a configuration describes.
pub(crate) fn instance(config: &Config) -> Identity {
    let profile = config.alternate_credential_profile.as_ref();
    instance_identity(
        config.external.value,
        profile.map(|profile| profile.value.as_str()),
    )
}

/// The agent's chain for an instance: of ECS Anywhere, or of Amazon EC2.
pub(crate) fn instance_identity(external: bool, profile: Option<&str>) -> Identity {
    let profile = profile.unwrap_or("default");
    if external {
        Identity::external_instance(ExternalInstance::default().with_profile(profile))
    } else {
        Identity::ec2_instance(Ec2Instance::default().with_profile(profile))
    }
}

/// What the configuration says about pulls.
fn settings(config: &Config) -> PullerSettings {
    let pull = &config.pull;
    PullerSettings {
        pull_timeout: pull.pull_timeout.value,
        begin_timeout: pull.begin_timeout.value,
        inactivity_timeout: pull.inactivity_timeout.value,
        manifest_timeout: pull.manifest_timeout.value,
        behavior: pull.behavior.value,
        cached_images: pull.cached_images.value,
        ..PullerSettings::default()
    }
}

impl ClientBuilder {
    /// How AWS is reached; by default as the AWS SDK does, in the configuration's region.
    pub fn aws(mut self, aws: AwsContext) -> Self {
        self.aws = Some(aws);
        self
    }

    /// Docker's own configuration, asked after engine auth. The configuration says whether it is wanted
    /// ([`Config::docker_config`]), and [`WatchedDockerConfig::load`](ecs_config_loader::WatchedDockerConfig::load)
    /// reads it; when it is wanted and not given here, images that would need it fail.
    pub fn docker_config(mut self, docker_config: Option<impl Keychain + 'static>) -> Self {
        self.docker_config = docker_config.map(|keychain| Arc::new(keychain) as Arc<dyn Keychain>);
        self
    }

    /// Engine auth that follows its files ([`ConfigWatch::keychain`](ecs_config_loader::ConfigWatch::keychain)),
    /// instead of the configuration's as it is now.
    pub fn watched_engine_auth(mut self, engine_auth: WatchedEngineAuth) -> Self {
        self.watched_engine_auth = Some(engine_auth);
        self
    }

    /// With whose rights secrets are fetched; by default the task's execution role.
    pub fn rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }

    /// The engine that pulls; by default the one that the configuration names.
    pub fn engine(mut self, engine: Arc<dyn Engine>) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Where it is recorded which image was pulled with which credential ([`PullRecord`]), when the configuration has no
    /// `ECS_DATADIR`. Without either, the record ends with the client.
    pub fn state_directory(mut self, directory: Option<PathBuf>) -> Self {
        self.state_directory = directory;
        self
    }

    /// The engine's address, in the form of `DOCKER_HOST`, instead of the configuration's, and where it was written.
    pub fn docker_host(mut self, url: impl Into<String>, origin: Origin) -> Self {
        self.docker_host = Some(Setting::new(url.into(), origin));
        self
    }

    /// What the docker command takes from the environment to find its engine: context, TLS and certificates
    /// (`DOCKER_CONTEXT`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`, `DOCKER_CONFIG`).
    pub fn engine_choice(mut self, choice: HostChoice) -> Self {
        self.engine_choice = choice;
        self
    }

    /// Collects the secrets that are seen, so that the embedder can keep them out of its logs.
    pub fn known_secrets(mut self, known: KnownSecrets) -> Self {
        self.known = known;
        self
    }

    /// The identity of this machine, which assumes execution roles; by default the caller's own, and on an external
    /// instance (`ECS_EXTERNAL`) that of ECS Anywhere.
    pub fn instance(mut self, identity: Identity) -> Self {
        self.instance = Some(identity);
        self
    }

    /// How secrets are fetched and kept: for how long, how many at once, and whether `AWSPENDING` and `AWSPREVIOUS` are
    /// tried when a registry refuses the current version.
    pub fn resolver_settings(mut self, settings: ResolverSettings) -> Self {
        self.resolver_settings = settings;
        self
    }

    /// Whether images at Amazon ECR Public that no key of the engine's configuration is for are pulled with a token, for
    /// its higher quota. By default they are pulled anonymously, as the agent does.
    ///
    /// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>.
    pub fn ecr_public_token(mut self, wanted: bool) -> Self {
        self.ecr_public_token = wanted;
        self
    }

    /// The client. Nothing is contacted yet.
    #[must_use]
    pub fn build(self) -> Client {
        let aws = self.aws.unwrap_or_else(|| {
            let options = AwsOptions::default();
            AwsContext::new(match &self.config.region {
                Some(region) => options.with_region(region.value.as_str()),
                None => options,
            })
        });
        let docker_host = match self.docker_host {
            None if self.config.docker_host.is_default() => None,
            None => Some(self.config.docker_host.clone()),
            given => given,
        };
        let engine_choice = EngineChoice {
            origin: docker_host.as_ref().map(|setting| setting.origin.clone()),
            choice: HostChoice {
                argument: docker_host.map(|setting| setting.value),
                ..self.engine_choice
            },
        };
        let instance = self.instance.unwrap_or_else(|| instance(&self.config));
        Client {
            engine_choice,
            config: Arc::new(self.config),
            rights: self.rights,
            tokens: EcrTokens::new(aws.clone()),
            secrets: SecretResolver::new(aws, self.resolver_settings),
            ecr_public_token: self.ecr_public_token,
            docker_config: self.docker_config,
            watched_engine_auth: self.watched_engine_auth,
            known: self.known,
            instance,
            engine: self.engine,
            state_directory: self.state_directory,
            puller: Arc::default(),
        }
    }
}
