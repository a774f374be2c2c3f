//! The command with Podman in the place of the Docker Engine: what everybody needs of it.

use anyhow::Result;
use integration::{Access, EcsPull, Image, Part, Podman, Registry};
use serde_json::json;

#[tokio::test]
async fn public_and_private_images_come_and_refusals_are_told_apart() -> Result<()> {
    let (private, public) = tokio::try_join!(
        Registry::start(
            "registry.example.com",
            Access::Passwords(&[("alice", "right>?~")])
        ),
        Registry::start("public.example.com", Access::Open),
    )?;
    private.push(&Image::small("app")?, "team/app", "v1").await?;
    public.push(&Image::small("tool")?, "tools/tool", "v1").await?;
    let names = ["registry.example.com", "public.example.com"];
    let podman = Podman::start(&names, &[&private.host(), &public.host()]).await?;
    let files = Part::new("files")?;
    for (file, password) in [("right.config", "right>?~"), ("wrong.config", "wrong>?~")] {
        let auth = json!({private.host(): {"username": "alice", "password": password}});
        let text = format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={auth}\n");
        files.write(file, text)?;
    }

    let app = private.image("team/app", "v1");
    let digest = private.push(&Image::small("app")?, "team/app", "v1").await?;
    let by_digest = format!("{}/team/app@{digest}", private.host());
    for (config, image, code, says) in [
        ("wrong.config", &app, 5, "CannotPullContainerError"),
        (
            "right.config",
            &private.image("team/app", "missing"),
            6,
            "CannotPullContainerError",
        ),
        ("right.config", &public.image("tools/tool", "v1"), 0, "anonymous"),
        ("right.config", &app, 0, "engine-auth"),
        ("right.config", &by_digest, 0, "engine-auth"),
    ] {
        let config = files.directory().join(config).display().to_string();
        let output = EcsPull::new(["--config-file", &config, "--output", "json", "pull", image])?
            .envs([
                ("DOCKER_HOST", podman.host()),
                ("HOME", &files.directory().display().to_string()),
            ])
            .run()
            .await?;
        assert_eq!(output.code, code, "{image}: {}", output.stderr);
        let entry = &output.json()?["containers"][0];
        assert!(entry.to_string().contains(says), "{image}: {entry}");
        assert_eq!(podman.has(image).await?, code == 0, "{image}");
        if code != 0 {
            assert_eq!(entry["attempts"], 1, "{entry}");
            assert_eq!(entry["error"]["retriable"], false, "{entry}");
        }
    }
    Ok(())
}
