//! Every failure of a pull carries a name that users of Amazon ECS know, its stage, whether another try may help, and
//! what was tried.

use anyhow::Result;
use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
use integration::{ClosedPort, Image, Output, Site};
use serde_json::Value;

const NAMES: [&str; 7] = [
    "CannotPullContainerError",
    "CannotPullECRContainerError",
    "CannotPullContainerAuthError",
    "CannotPullImageManifestError",
    "DockerTimeoutError",
    "CannotGetDockerclientError",
    "ResourceInitializationError",
];

/// The only container's error, after a look at what every error has.
fn error(output: &Output, code: i32) -> Result<Value> {
    assert_eq!(output.code, code, "{}", output.stderr);
    let entry = output.json()?["containers"][0].clone();
    assert_eq!(entry["status"], "failed", "{entry}");
    let error = &entry["error"];
    let name = error["name"].as_str().unwrap_or_default();
    assert!(NAMES.contains(&name), "{entry}");
    for text in ["message", "stage", "next_step"] {
        assert!(
            error[text].as_str().is_some_and(|text| !text.is_empty()),
            "{text}: {entry}"
        );
    }
    assert!(error["retriable"].is_boolean(), "{entry}");
    let stage = error["stage"].as_str().unwrap_or_default();
    assert!(
        ["credential", "manifest", "pull", "tag"].contains(&stage),
        "{entry}"
    );
    assert!(output.stderr.contains(name), "{}", output.stderr);

    // Each attempt that was made has failed, and is told.
    let history = entry["history"].as_array().map_or(0, Vec::len);
    assert_eq!(entry["attempts"].as_u64(), Some(history as u64), "{entry}");
    for (number, attempt) in entry["history"].as_array().into_iter().flatten().enumerate() {
        assert_eq!(attempt["number"].as_u64(), Some(number as u64 + 1), "{entry}");
        assert!(
            NAMES.contains(&attempt["name"].as_str().unwrap_or_default()),
            "{entry}"
        );
        for text in ["stage", "message"] {
            assert!(attempt[text].is_string(), "{text}: {entry}");
        }
        assert!(attempt["took_ms"].is_u64(), "{entry}");
    }
    Ok(entry)
}

#[tokio::test]
async fn what_no_other_try_would_change_is_final_at_once() -> Result<()> {
    let site = Site::start().await?;
    site.registry
        .push(&Image::small("app")?, "team/app", "v1")
        .await?;
    let image = site.registry.image("team/app", "v1");
    let missing = site.registry.image("team/app", "missing");
    let pull = |image: &str| site.ecs_pull(&["--output", "json", "pull", image]);

    let entry = error(&pull(&missing)?.run().await?, 6)?;
    assert_eq!(entry["error"]["name"], "CannotPullContainerError");
    assert_eq!(
        (&entry["attempts"], &entry["error"]["retriable"]),
        (&1.into(), &false.into())
    );

    site.configure(&site.registry.host(), "wrong")?;
    let before = site.registry.requests().len();
    let entry = error(&pull(&image)?.run().await?, 5)?;
    assert_eq!(entry["error"]["name"], "CannotPullContainerError");
    assert_eq!(
        (&entry["attempts"], &entry["error"]["retriable"]),
        (&1.into(), &false.into())
    );
    let asked = site.registry.requests().split_off(before);
    assert!(asked.len() <= 2, "{asked:?}");

    let nobody = format!("unix://{}", site.path("nobody.sock").display());
    let unreachable = pull(&image)?.envs([("DOCKER_HOST", &nobody)]);
    let entry = error(&unreachable.run().await?, 7)?;
    assert_eq!(entry["error"]["name"], "CannotGetDockerclientError");
    assert_eq!(entry["attempts"], 0);
    Ok(())
}

#[tokio::test]
async fn a_registry_that_is_gone_is_named_after_every_attempt() -> Result<()> {
    let site = Site::start().await?;
    let gone = ClosedPort::take()?;
    let host = format!("registry.example.com:{}", gone.number()?);
    site.configure(&host, Site::PASSWORD)?;
    let image = format!("{host}/team/app:v1");
    let output = site
        .ecs_pull(&["--output", "json", "pull", &image])?
        .run()
        .await?;
    let entry = error(&output, 1)?;
    assert_eq!(entry["error"]["name"], "CannotPullContainerError");
    assert_eq!(entry["error"]["retriable"], true);
    assert_eq!(entry["error"]["stage"], "manifest");
    // As often as the ECS agent.
    assert_eq!(entry["attempts"], 9);
    assert!(output.stderr.contains(&host), "{}", output.stderr);
    assert!(output.stderr.contains("connection refused"), "{}", output.stderr);
    assert!(output.stderr.contains("tried: 9 times"), "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn a_quota_is_waited_for_and_then_told_by_9() -> Result<()> {
    let site = Site::start().await?;
    site.registry
        .push(&Image::small("app")?, "team/app", "v1")
        .await?;
    let proxy = FaultProxy::start(site.registry_address()?).await?;
    proxy.inject(Rule::on("/v2/*/manifests/*", Fault::Status(429)));
    let host = format!("registry.example.com:{}", proxy.address().port());
    site.configure(&host, Site::PASSWORD)?;
    let image = format!("{host}/team/app:v1");
    let output = site
        .ecs_pull(&["--output", "json", "pull", &image])?
        .run()
        .await?;
    let entry = error(&output, 9)?;
    assert_eq!(entry["error"]["name"], "CannotPullContainerError");
    assert!(
        output.stderr.contains("asked for fewer requests"),
        "{}",
        output.stderr
    );
    Ok(())
}
