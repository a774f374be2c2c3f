//! When an image that the engine has will do, and for whom: one run of the command after another, with one record.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::try_join_all;
use integration::{
    Access, EcsPull, Engine, Image, Login, Output, Part, Platform, Registry, RegistryRequest, Stage,
    TaskDefinition,
};
use serde_json::{Value, json};

/// Who may read from the registry.
const ALICE: (&str, &str) = ("alice", "s3cret>?~of-alice");
const BOB: (&str, &str) = ("bob", "~?>s3cret-of-bob");
/// Somebody without the right password.
const MALLORY: (&str, &str) = ("alice", "guessed>?~by-mallory");

/// Who asks: a credential, or nobody.
type Who = Option<(&'static str, &'static str)>;

/// A machine whose runs share `ECS_DATADIR`.
struct Host {
    engine: Engine,
    registry_host: String,
    files: Part,
}

impl Host {
    async fn start() -> Result<(Self, Registry)> {
        let users = [ALICE, BOB];
        let (engine, registry) = tokio::try_join!(
            Engine::start(&["registry.example.com"]),
            Registry::start("registry.example.com", Access::Passwords(&users)),
        )?;
        let host = Self {
            engine,
            registry_host: registry.host(),
            files: Part::new("files")?,
        };
        Ok((host, registry))
    }

    fn data_directory(&self) -> PathBuf {
        self.files.directory().join("data")
    }

    /// `ecs-pull pull IMAGE` with these further arguments, where `ecs.config` has this credential and these further lines.
    async fn pull(&self, who: Who, image: &str, settings: &str, arguments: &[&str]) -> Result<Output> {
        let auth = match who {
            Some((username, password)) => {
                json!({&self.registry_host: {"username": username, "password": password}})
            }
            None => json!({}),
        };
        let directory = self.data_directory();
        let text = format!(
            "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={auth}\nECS_DATADIR={}\n{settings}\n",
            directory.display()
        );
        // A file of its own for each, because some run at once.
        let mut file = tempfile::NamedTempFile::new_in(self.files.directory())?;
        file.write_all(text.as_bytes())?;
        let configuration = file.path().display().to_string();
        let arguments = [
            &["--config-file", &configuration, "--output", "json", "pull", image][..],
            arguments,
        ]
        .concat();
        EcsPull::new(arguments)?
            .envs([
                ("DOCKER_HOST", self.engine.host().to_owned()),
                ("HOME", self.files.directory().display().to_string()),
            ])
            .run()
            .await
    }
}

/// The one container of a result.
fn only(output: &Output) -> Result<Value> {
    let document = output.json()?;
    let containers = document["containers"].as_array().context("no containers")?;
    assert_eq!(containers.len(), 1, "{document}");
    Ok(containers[0].clone())
}

/// What a registry was asked since it had seen `before` requests.
fn asked(registry: &Registry, before: usize) -> Vec<RegistryRequest> {
    registry.requests().split_off(before)
}

/// Several layers, so that they are told from the configuration.
fn image_of_layers() -> Result<Image> {
    Image::with_layers(Platform::of_this_machine(), &[b"one", b"two", b"three"])
}

/// Whoever asks an engine about a manifest makes it read the image's configuration too, for the platform: one blob.
fn assert_no_layers(requests: &[RegistryRequest], case: &str) {
    let others = requests.iter().filter(|request| !request.is_for_manifest());
    assert!(others.count() <= 1, "{case}: {requests:?}");
}

fn assert_refused(output: &Output, case: &str) -> Result<()> {
    assert_eq!(output.code, 5, "{case}: {}", output.stderr);
    let container = only(output)?;
    assert_eq!(container["status"], "failed", "{case}");
    assert_eq!(container["error"]["name"], "CannotPullContainerError", "{case}");
    Ok(())
}

#[tokio::test]
async fn once_pulls_once_and_again_when_the_image_is_gone() -> Result<()> {
    let (host, registry) = Host::start().await?;
    let digest = registry.push(&Image::small("once")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    // Twice, then removed, then twice again; whether the registry is asked.
    for (removed, status, is_asked) in [
        (false, "pulled", true),
        (false, "cached", false),
        (true, "pulled", true),
        (false, "cached", false),
    ] {
        if removed {
            host.engine.remove(&image).await?;
            assert!(!host.engine.has(&image).await?);
        }
        let before = registry.requests().len();
        let output = host
            .pull(Some(ALICE), &image, "ECS_IMAGE_PULL_BEHAVIOR=once", &[])
            .await?;
        assert_eq!(output.code, 0, "{}", output.stderr);
        let container = only(&output)?;
        assert_eq!(container["status"], status, "{container}");
        assert_eq!(container["digest"], digest, "{container}");
        let requests = asked(&registry, before);
        assert_eq!(!requests.is_empty(), is_asked, "{status}: {requests:?}");
        assert!(host.engine.has(&image).await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_cached_image_is_for_those_who_show_access() -> Result<()> {
    let (host, registry) = Host::start().await?;
    let digest = registry.push(&image_of_layers()?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    let first = host.pull(Some(ALICE), &image, "", &[]).await?;
    assert_eq!(only(&first)?["status"], "pulled", "{}", first.stderr);

    // In this order: who asks, whether they may have it, and as whom the registry is asked for the manifest; `None` is
    // not at all. Without a credential, the registry's demand for one is the whole answer.
    let as_bob = Some((Login::Accepted, Some("bob")));
    let refused = Some((Login::Refused, None));
    for (who, behavior, may, expected) in [
        (Some(ALICE), "prefer-cached", true, None),
        (Some(MALLORY), "prefer-cached", false, refused),
        (Some(MALLORY), "once", false, refused),
        (None, "prefer-cached", false, None),
        (None, "once", false, None),
        (Some(BOB), "prefer-cached", true, as_bob),
        // Proof is remembered, and for bob alone.
        (Some(BOB), "prefer-cached", true, None),
        (Some(BOB), "once", true, None),
        (Some(MALLORY), "prefer-cached", false, refused),
        (Some(ALICE), "once", true, None),
    ] {
        let case = format!("{who:?} {behavior}");
        let before = registry.requests().len();
        let output = host.pull(who, &image, "", &["--pull-behavior", behavior]).await?;
        if may {
            assert_eq!(output.code, 0, "{case}: {}", output.stderr);
            let container = only(&output)?;
            assert_eq!(container["status"], "cached", "{case}: {container}");
            assert_eq!(container["digest"], digest, "{case}: {container}");
        } else {
            assert_refused(&output, &case)?;
        }
        let requests = asked(&registry, before);
        assert_no_layers(&requests, &case);
        assert_eq!(requests.is_empty(), expected.is_none(), "{case}: {requests:?}");
        for request in &requests {
            let seen = Some((request.login, request.user.as_deref()));
            assert_eq!(seen, expected, "{case}: {requests:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn with_the_agents_trust_a_cached_image_is_for_everybody() -> Result<()> {
    let (host, registry) = Host::start().await?;
    registry.push(&Image::small("trust")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    let first = host.pull(Some(ALICE), &image, "", &[]).await?;
    assert_eq!(only(&first)?["status"], "pulled", "{}", first.stderr);

    for who in [Some(MALLORY), None] {
        for behavior in ["once", "prefer-cached"] {
            let before = registry.requests().len();
            let settings = format!("ECS_IMAGE_PULL_CACHED_IMAGES=trust\nECS_IMAGE_PULL_BEHAVIOR={behavior}");
            let output = host.pull(who, &image, &settings, &[]).await?;
            assert_eq!(output.code, 0, "{who:?} {behavior}: {}", output.stderr);
            assert_eq!(only(&output)?["status"], "cached", "{who:?} {behavior}");
            assert_eq!(asked(&registry, before), [], "{who:?} {behavior}");
        }
        // A denial is one all the same: the registry was asked.
        let trust = "ECS_IMAGE_PULL_CACHED_IMAGES=trust";
        let output = host.pull(who, &image, trust, &[]).await?;
        assert_refused(&output, &format!("{who:?} default"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_newer_image_under_the_same_tag_is_pulled_or_not() -> Result<()> {
    let (host, registry) = Host::start().await?;
    // The setting, the option of the call, which wins, and whether the newer image is pulled.
    for (number, (setting, option, is_pulled)) in [
        ("default", None, true),
        ("always", None, true),
        ("once", None, false),
        ("prefer-cached", None, false),
        ("once", Some("always"), true),
        ("prefer-cached", Some("default"), true),
        ("always", Some("once"), false),
        ("default", Some("prefer-cached"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let case = format!("{setting} {option:?}");
        let repository = format!("team/app-{number}");
        let image = registry.image(&repository, "v1");
        let settings = format!("ECS_IMAGE_PULL_BEHAVIOR={setting}");
        let arguments: Vec<&str> = option
            .iter()
            .flat_map(|option| ["--pull-behavior", option])
            .collect();
        let older = Image::small(&format!("older {number}"))?;
        let older = registry.push(&older, &repository, "v1").await?;
        let first = only(&host.pull(Some(ALICE), &image, &settings, &arguments).await?)?;
        assert_eq!(first["status"], "pulled", "{case}: {first}");
        assert_eq!(first["digest"], older, "{case}");

        let newer = Image::small(&format!("newer {number}"))?;
        let newer = registry.push(&newer, &repository, "v1").await?;
        let second = only(&host.pull(Some(ALICE), &image, &settings, &arguments).await?)?;
        let (status, digest) = if is_pulled {
            ("pulled", &newer)
        } else {
            ("cached", &older)
        };
        assert_eq!(second["status"], status, "{case}: {second}");
        assert_eq!(second["digest"], **digest, "{case}");
        let name = format!("{}/{repository}@{newer}", registry.host());
        assert_eq!(host.engine.has(&name).await?, is_pulled, "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cached_image_is_used_when_the_registry_is_gone_and_never_after_a_denial() -> Result<()> {
    let (host, registry) = Host::start().await?;
    let digest = registry.push(&Image::small("gone")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    let first = host.pull(Some(ALICE), &image, "", &[]).await?;
    assert_eq!(only(&first)?["status"], "pulled", "{}", first.stderr);

    for who in [Some(MALLORY), None] {
        for behavior in ["default", "always"] {
            let output = host.pull(who, &image, "", &["--pull-behavior", behavior]).await?;
            assert_refused(&output, &format!("{who:?} {behavior}"))?;
        }
    }

    drop(registry);
    // All at once: each tries for a quarter of a minute.
    let cases = [
        (Some(ALICE), "default", true),
        (Some(ALICE), "always", false),
        (Some(BOB), "default", false),
        (Some(MALLORY), "default", false),
        (None, "default", false),
    ];
    let settings = cases.map(|(_, behavior, _)| format!("ECS_IMAGE_PULL_BEHAVIOR={behavior}"));
    let runs = cases
        .iter()
        .zip(&settings)
        .map(|((who, _, _), settings)| host.pull(*who, &image, settings, &[]));
    for ((who, behavior, may), output) in cases.iter().zip(try_join_all(runs).await?) {
        let container = only(&output)?;
        let case = format!("{who:?} {behavior}: {container}");
        if *may {
            assert_eq!(output.code, 0, "{case}");
            assert_eq!(container["status"], "cached", "{case}");
            assert_eq!(container["digest"], digest, "{case}");
        } else {
            assert_eq!(output.code, 1, "{case}");
            assert_eq!(container["status"], "failed", "{case}");
            assert_eq!(container["error"]["retriable"], true, "{case}");
        }
    }
    assert!(host.engine.has(&image).await?);
    Ok(())
}

#[tokio::test]
async fn a_container_with_another_credential_in_the_same_task_shows_access_first() -> Result<()> {
    let stage = Stage::start().await?;
    stage
        .private
        .push(&image_of_layers()?, "team/shared", "v1")
        .await?;
    let image = stage.private.image("team/shared", "v1");
    let task = TaskDefinition::new(&stage.role)
        .container("with-secret", &image, Some(&stage.secret))
        .container("with-engine-auth", &image, None);
    let directory = stage.path("data").display().to_string();
    let pull = async |container: &str| -> Result<Output> {
        let arguments = ["--pull-behavior", "prefer-cached", "--container", container];
        let run = stage.pull(&task, &arguments)?;
        run.envs([("ECS_DATADIR", &directory)]).run().await
    };
    for (container, status, user) in [
        ("with-secret", "pulled", Some("alice")),
        ("with-engine-auth", "cached", Some("bob")),
        ("with-engine-auth", "cached", None),
        ("with-secret", "cached", None),
    ] {
        let before = stage.private.requests().len();
        let output = pull(container).await?;
        assert_eq!(output.code, 0, "{container}: {}", output.stderr);
        assert_eq!(output.container(container)?["status"], status, "{container}");
        let requests = asked(&stage.private, before);
        assert_eq!(requests.is_empty(), user.is_none(), "{container}: {requests:?}");
        assert!(
            requests.iter().all(|request| request.user.as_deref() == user),
            "{container}: {requests:?}"
        );
        if status == "cached" {
            assert_no_layers(&requests, container);
        }
    }

    stage.write("ecs.config", &stage.ecs_config("wrong>?~password"))?;
    let output = pull("with-engine-auth").await?;
    assert_eq!(output.code, 5, "{}", output.stderr);
    assert_eq!(output.container("with-engine-auth")?["status"], "failed");
    Ok(())
}

#[tokio::test]
async fn the_record_is_for_its_owner_alone_and_holds_no_password() -> Result<()> {
    let (host, registry) = Host::start().await?;
    registry.push(&Image::small("record")?, "team/app", "v1").await?;
    let image = registry.image("team/app", "v1");
    for who in [ALICE, BOB] {
        let output = host
            .pull(Some(who), &image, "ECS_IMAGE_PULL_BEHAVIOR=prefer-cached", &[])
            .await?;
        assert_eq!(output.code, 0, "{}", output.stderr);
    }

    let mut names = Vec::new();
    for entry in std::fs::read_dir(host.data_directory())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        assert_eq!(entry.metadata()?.permissions().mode() & 0o7777, 0o600, "{name}");
        let content = std::fs::read(entry.path())?;
        for (user, password) in [ALICE, BOB] {
            for secret in [
                password.to_owned(),
                BASE64_STANDARD.encode(password),
                BASE64_STANDARD.encode(format!("{user}:{password}")),
            ] {
                let is_there = content
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!is_there, "{name} holds the password of {user}");
            }
        }
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["pulls.key", "pulls.lock", "pulls.redb"]);
    Ok(())
}
