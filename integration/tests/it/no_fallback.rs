//! Nothing is pulled anonymously because something else failed: where an anonymous pull would succeed, none is tried.

use anyhow::Result;
use integration::{Output, Stage, TaskDefinition};

/// Everything went wrong before the registry: it was not asked, and the engine holds nothing of it.
async fn assert_never_asked(stage: &Stage, before: usize, output: &Output, code: i32) -> Result<()> {
    assert_eq!(output.code, code, "{}", output.stderr);
    let asked = stage.public.requests().split_off(before);
    assert!(asked.is_empty(), "the registry was asked: {asked:?}");
    assert!(
        !stage
            .engine
            .has(&stage.public.image("tools/sidecar", "v1"))
            .await?
    );
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_stops_the_pull_of_a_public_image() -> Result<()> {
    let stage = Stage::start().await?;
    let image = stage.public.image("tools/sidecar", "v1");
    let before = stage.public.requests().len();
    let missing = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:no-such-secret-AbCdEf";
    let plain = stage
        .owner
        .secret(Stage::SECRET_REGION, "plain-text", "not json", None)
        .await?;
    for secret in [missing, &plain] {
        let task = TaskDefinition::new(&stage.role).container("app", &image, Some(secret));
        let output = stage.pull(&task, &[])?.run().await?;
        assert_never_asked(&stage, before, &output, 4).await?;
        assert_eq!(
            output.container("app")?["error"]["name"],
            "ResourceInitializationError"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_missing_or_refused_stops_the_pull_of_a_public_image() -> Result<()> {
    let stage = Stage::start().await?;
    let image = stage.public.image("tools/sidecar", "v1");
    let before = stage.public.requests().len();

    let without_role = TaskDefinition::new("").container("app", &image, Some(&stage.secret));
    let output = stage.pull(&without_role, &[])?.run().await?;
    assert_never_asked(&stage, before, &output, 4).await?;
    assert_eq!(
        output.container("app")?["error"]["name"],
        "CannotPullContainerAuthError"
    );

    let with_role = TaskDefinition::new(&stage.role).container("app", &image, Some(&stage.secret));
    let wrong_key = [("AWS_SECRET_ACCESS_KEY", "not-the-key")];
    let output = stage.pull(&with_role, &[])?.envs(wrong_key).run().await?;
    assert_never_asked(&stage, before, &output, 4).await?;
    assert_eq!(
        output.container("app")?["error"]["name"],
        "ResourceInitializationError"
    );
    Ok(())
}

#[tokio::test]
async fn broken_engine_auth_stops_the_pull_of_a_public_image() -> Result<()> {
    let stage = Stage::start().await?;
    let image = stage.public.image("tools/sidecar", "v1");
    let before = stage.public.requests().len();
    let host = stage.public.host();
    let configurations = [
        "ECS_ENGINE_AUTH_TYPE=dockercfgg\nECS_ENGINE_AUTH_DATA={}\n".to_owned(),
        "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"half\n".to_owned(),
        format!("ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={{\"{host}\":{{\"auth\":\"?\"}}}}\n"),
        format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{\"{host}\":{{\"username\":7}}}}\n"),
    ];
    for configuration in configurations {
        stage.write("broken.config", &configuration)?;
        let output = stage
            .ecs_pull_with("broken.config", &["pull", &image])?
            .run()
            .await?;
        assert_never_asked(&stage, before, &output, 3).await?;
        assert!(
            output.stderr.contains("broken.config:"),
            "the place is named: {}",
            output.stderr
        );
    }
    Ok(())
}
