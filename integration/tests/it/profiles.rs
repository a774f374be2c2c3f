//! The caller's own keys come from where developers keep them.

use anyhow::Result;
use integration::Stage;

#[tokio::test]
async fn a_profile_with_a_credential_process_assumes_the_execution_role() -> Result<()> {
    let stage = Stage::start().await?;
    let keys = serde_json::json!({
        "Version": 1,
        "AccessKeyId": stage.operator.access_key_id,
        "SecretAccessKey": stage.operator.secret_access_key,
    });
    let keys = stage.write("keys.json", &keys.to_string())?;
    let profiles = format!(
        "[profile developer]\ncredential_process = /bin/cat {}\n",
        keys.display()
    );
    let profiles = stage.write("aws-config", &profiles)?.display().to_string();
    let run = |profile: &'static str| {
        let run = stage.pull(
            &stage.task_definition(),
            &["--container", "web", "--profile", profile],
        )?;
        let run = run
            .without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
            .envs([("AWS_CONFIG_FILE", &profiles)]);
        anyhow::Ok(run)
    };

    let output = run("developer")?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.container("web")?["credential"]["role"], stage.role);

    // On an external instance as well: its own chain would not look into that profile.
    let external = run("developer")?.envs([("ECS_EXTERNAL", "true")]);
    let output = external.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.container("web")?["credential"]["role"], stage.role);

    // And before the keys of the environment, as in the AWS command line.
    let bystander = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "of-a-bystander"),
    ];
    let output = run("developer")?.envs(bystander).run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);

    let output = run("nobody")?.run().await?;
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(!output.stderr.contains(&stage.operator.secret_access_key));
    Ok(())
}
