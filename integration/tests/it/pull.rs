//! The main job: every container of a task is pulled with its own credential.

use anyhow::Result;
use integration::Stage;

#[tokio::test]
async fn each_container_of_a_task_is_pulled_with_its_own_credential() -> Result<()> {
    let stage = Stage::start().await?;
    let output = stage.pull(&stage.task_definition(), &[])?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.json()?["ok"], true);

    let web = output.container("web")?;
    assert_eq!(web["status"], "pulled");
    assert_eq!(web["image"], stage.private.image("team/web", "v1"));
    assert_eq!(web["attempts"], 1);
    assert_eq!(web["credential"]["source"], "repository-credentials");
    assert_eq!(web["credential"]["registry"], stage.private.host());
    assert_eq!(web["credential"]["username"], "alice");
    assert_eq!(web["credential"]["secret"], stage.secret);
    assert_eq!(web["credential"]["region"], "eu-west-1");
    assert_eq!(web["credential"]["role"], stage.role);

    let worker = output.container("worker")?;
    assert_eq!(worker["status"], "pulled");
    assert_eq!(worker["credential"]["source"], "engine-auth");
    assert_eq!(worker["credential"]["username"], "bob");
    assert_eq!(worker["credential"]["key"], stage.private.host());
    let origin = format!("{}:2", stage.path("ecs.config").display());
    assert_eq!(worker["credential"]["origin"], origin.as_str());

    let sidecar = output.container("sidecar")?;
    assert_eq!(sidecar["status"], "pulled");
    assert_eq!(sidecar["credential"]["source"], "anonymous");

    for container in [&web, &worker, &sidecar] {
        for name in ["image", "reference"] {
            let name = container[name].as_str().unwrap_or_default();
            assert!(stage.engine.has(name).await?, "the engine does not hold {name}");
        }
        let digest = container["digest"].as_str().unwrap_or_default();
        assert!(digest.starts_with("sha256:"), "{container}");
    }
    Ok(())
}

#[tokio::test]
async fn one_container_of_a_task_can_be_chosen() -> Result<()> {
    let stage = Stage::start().await?;
    let output = stage
        .pull(&stage.task_definition(), &["--container", "worker"])?
        .run()
        .await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.json()?["containers"].as_array().map(Vec::len), Some(1));
    assert_eq!(output.container("worker")?["status"], "pulled");
    assert!(!stage.engine.has(&stage.private.image("team/web", "v1")).await?);
    Ok(())
}

#[tokio::test]
async fn an_image_is_pulled_by_name_with_the_secret_and_role_of_the_command_line() -> Result<()> {
    let stage = Stage::start().await?;
    let image = stage.private.image("team/web", "v1");
    let arguments = [
        "--output",
        "json",
        "pull",
        &image,
        "--repository-credentials",
        &stage.secret,
        "--execution-role-arn",
        &stage.role,
    ];
    let output = stage.ecs_pull(&arguments)?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.json()?["containers"][0]["credential"]["username"], "alice");
    assert!(stage.engine.has(&image).await?);
    Ok(())
}

#[tokio::test]
async fn a_described_task_definition_is_read_from_standard_input() -> Result<()> {
    let stage = Stage::start().await?;
    let described = format!(
        "{{\"taskDefinition\": {}, \"tags\": []}}",
        stage.task_definition()
    );
    let run = stage.ecs_pull(&["pull", "--file", "-"])?.input(described);
    let output = run.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for name in ["web", "worker", "sidecar"] {
        assert!(
            output.stdout.contains(&format!("{name}: pulled ")),
            "{}",
            output.stdout
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_rotated_secret_is_used_by_the_next_pull() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.private.set_password("alice", "rotated")?;
    stage
        .owner
        .rotate(
            Stage::SECRET_REGION,
            &stage.secret,
            r#"{"username": "alice", "password": "rotated"}"#,
        )
        .await?;
    let output = stage.pull(&stage.task_definition(), &[])?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    Ok(())
}
