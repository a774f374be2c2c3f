//! The example for embedders does what it says.

use anyhow::Result;
use integration::{EcsPull, Stage, example};

#[tokio::test]
async fn the_pull_example_pulls_a_task() -> Result<()> {
    let stage = Stage::start().await?;
    let task = stage.path("task-definition.json");
    let ecs_config = std::fs::read_to_string(stage.path("ecs.config"))?;
    let engine_auth = ecs_config.lines().filter_map(|line| line.split_once('='));
    let program = example("pull")?;
    let run = EcsPull::of_program(&program, [&task])
        .envs(stage.environment())
        .envs(engine_auth);
    let output = run.run().await?;
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    for image in [
        stage.private.image("team/web", "v1"),
        stage.private.image("team/worker", "v1"),
        stage.public.image("tools/sidecar", "v1"),
    ] {
        assert!(
            output.stdout.contains(&format!("pulled {image} ")),
            "{}",
            output.stdout
        );
        assert!(stage.engine.has(&image).await?);
    }
    Ok(())
}

#[tokio::test]
async fn the_pull_example_fails_when_an_image_does() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.private.set_password("alice", "rotated")?;
    let program = example("pull")?;
    let run = EcsPull::of_program(&program, [stage.path("task-definition.json")]).envs(stage.environment());
    let output = run.run().await?;
    assert_eq!(output.code, 1, "{}\n{}", output.stdout, output.stderr);
    assert!(
        output.stdout.contains("CannotPullContainerError"),
        "{}",
        output.stdout
    );
    Ok(())
}

#[test]
fn a_library_user_pulls_in_under_30_lines() -> Result<()> {
    let source = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/ecs-pull/examples/pull.rs"
    ))?;
    let lines = source
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("//!"))
        .count();
    assert!(lines < 30, "{lines} lines");
    Ok(())
}
