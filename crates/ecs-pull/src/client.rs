//! Everything wired together.

use std::sync::Arc;

use ecs_config_loader::{Config, PullBehavior, Setting};
use ecs_image_puller::{
    Behavior, ConnectOptions, DockerEngine, DockerHost, Engine, EventSink, Facts, PullRequest, Puller,
    PullerSettings,
};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Origin, Stage};
use ecs_secret_resolver::{AwsContext, AwsOptions, Identity, ResolverSettings, SecretResolver};
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
    pub(crate) known: KnownSecrets,
    /// The identity of this machine, which assumes execution roles.
    pub(crate) instance: Identity,
    docker_host: Setting<String>,
    engine: Option<Arc<dyn Engine>>,
    /// Connected when it is first needed, then shared: it remembers which registries asked for patience.
    puller: Arc<OnceCell<Puller>>,
}

/// Settings of a [`Client`].
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder {
    config: Config,
    aws: Option<AwsContext>,
    engine: Option<Arc<dyn Engine>>,
    rights: Rights,
    known: KnownSecrets,
    docker_host: Option<Setting<String>>,
    instance: Option<Identity>,
}

impl Client {
    /// A client with this configuration.
    pub fn builder(config: Config) -> ClientBuilder {
        ClientBuilder {
            config,
            aws: None,
            engine: None,
            rights: Rights::default(),
            known: KnownSecrets::default(),
            docker_host: None,
            instance: None,
        }
    }

    /// Pulls every container's image, all at once. Dropping the future stops every pull.
    ///
    /// A container that cannot be pulled does not stop the others; see [`ContainerReport::error`].
    pub async fn pull(&self, task: &Task, events: &dyn EventSink) -> Report {
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
        let pulls = task
            .containers
            .iter()
            .map(|container| self.pull_one(puller, task, container, events));
        Report::new(join_all(pulls).await)
    }

    async fn pull_one(
        &self,
        puller: &Puller,
        task: &Task,
        container: &Container,
        events: &dyn EventSink,
    ) -> ContainerReport {
        let request = match self.request(task, container) {
            Ok(request) => request,
            Err(diagnosis) => return failed(container, diagnosis),
        };
        let (name, image) = (container.name.clone(), container.image.clone());
        match puller.pull(&request, events).await {
            Ok(pulled) => ContainerReport::done(name, image, pulled.status, pulled.facts),
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

    async fn puller(&self) -> Result<&Puller, Diagnosis> {
        self.puller
            .get_or_try_init(|| async {
                let engine = match &self.engine {
                    Some(engine) => engine.clone(),
                    None => Arc::new(self.connect().await?) as Arc<dyn Engine>,
                };
                Ok(Puller::new(engine, settings(&self.config)))
            })
            .await
    }

    async fn connect(&self) -> Result<DockerEngine, Diagnosis> {
        let host = DockerHost::parse(&self.docker_host.value).map_err(|error| {
            Diagnosis::new(
                ErrorName::CannotGetDockerclient,
                ErrorClass::Configuration,
                Stage::Pull,
                format!("{}: {error}", self.docker_host.origin),
            )
            .with_next_step("write it as unix:///PATH or tcp://HOST:PORT")
        })?;
        DockerEngine::connect(&host, ConnectOptions::default()).await
    }
}

fn failed(container: &Container, diagnosis: Diagnosis) -> ContainerReport {
    ContainerReport::failed(
        container.name.clone(),
        container.image.clone(),
        diagnosis,
        Facts::default(),
    )
}

/// What the configuration says about pulls.
fn settings(config: &Config) -> PullerSettings {
    let pull = &config.pull;
    PullerSettings {
        pull_timeout: pull.pull_timeout.value,
        begin_timeout: pull.begin_timeout.value,
        inactivity_timeout: pull.inactivity_timeout.value,
        manifest_timeout: pull.manifest_timeout.value,
        behavior: match pull.behavior.value {
            PullBehavior::Default => Behavior::Default,
            PullBehavior::Always => Behavior::Always,
            PullBehavior::Once => Behavior::Once,
            PullBehavior::PreferCached => Behavior::PreferCached,
        },
        ..PullerSettings::default()
    }
}

impl ClientBuilder {
    /// How AWS is reached; by default as the AWS SDK does, in the configuration's region.
    pub fn aws(mut self, aws: AwsContext) -> Self {
        self.aws = Some(aws);
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

    /// The engine's address, in the form of `DOCKER_HOST`, instead of the configuration's, and where it was written.
    pub fn docker_host(mut self, url: impl Into<String>, origin: Origin) -> Self {
        self.docker_host = Some(Setting::new(url.into(), origin));
        self
    }

    /// Collects the secrets that are seen, so that the embedder can keep them out of its logs.
    pub fn known_secrets(mut self, known: KnownSecrets) -> Self {
        self.known = known;
        self
    }

    /// The identity of this machine, which assumes execution roles; by default the caller's own.
    pub fn instance(mut self, identity: Identity) -> Self {
        self.instance = Some(identity);
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
        Client {
            docker_host: self
                .docker_host
                .unwrap_or_else(|| self.config.docker_host.clone()),
            config: Arc::new(self.config),
            rights: self.rights,
            secrets: SecretResolver::new(aws, ResolverSettings::default()),
            known: self.known,
            instance: self.instance.unwrap_or_else(Identity::caller),
            engine: self.engine,
            puller: Arc::default(),
        }
    }
}
