//! Images at Amazon ECR Public, with and without a token.

use std::time::Duration;

use anyhow::Result;
use integration::{Access, AwsAnswer, EcsPull, Engine, Image, Part, Recorder, Registry};
use serde_json::json;

const HOST: &str = "public.ecr.aws";
/// What the token of the answer below decodes to.
const LOGIN: (&str, &str) = ("AWS", "public-token");

#[tokio::test]
async fn a_token_of_ecr_public_is_fetched_when_that_was_asked_for() -> Result<()> {
    let registry = Registry::start(HOST, Access::Passwords(&[LOGIN])).await?;
    registry.push(&Image::small("web")?, "team/web", "v1").await?;
    let public = registry.on_port_443().await?;
    let engine = Engine::start_trusting(&[&public]).await?;
    let aws = Recorder::instead_of_aws(Duration::ZERO, |_| {
        AwsAnswer::ok(&json!({"authorizationData": {
            "authorizationToken": "QVdTOnB1YmxpYy10b2tlbg==",
            "expiresAt": 4_070_908_800_u64,
        }}))
    })
    .await?;
    let files = Part::new("files")?;
    let empty = files.write("ecs.config", "")?;
    let key = json!({HOST: {"username": LOGIN.0, "password": LOGIN.1}}).to_string();
    let pull = |more: &'static [&'static str], engine_auth: &str| {
        let image = format!("{HOST}/team/web:v1");
        let arguments = ["--output", "json", "pull", &image, "--caller-credentials"];
        let run = EcsPull::new(["--config-file".as_ref(), empty.as_os_str()])?
            .args(arguments)
            .args(more)
            .envs([
                ("DOCKER_HOST", engine.host()),
                ("AWS_ENDPOINT_URL", aws.endpoint()),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "secret-of-caller"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("ECS_ENGINE_AUTH_TYPE", "docker"),
                ("ECS_ENGINE_AUTH_DATA", engine_auth),
            ])
            .envs([("HOME", files.directory())]);
        anyhow::Ok(run.run())
    };
    let source = |output: &integration::Output| {
        let container = &output.json()?["containers"][0];
        anyhow::Ok(container["credential"]["source"].clone())
    };

    // As the agent does it: anonymously, which this registry refuses.
    let output = pull(&[], "{}")?.await?;
    assert_eq!(output.code, 5, "{}", output.stderr);
    assert_eq!(source(&output)?, "anonymous");
    assert_eq!(aws.take(), []);

    // A key that somebody wrote for this registry comes first.
    let output = pull(&["--ecr-public-token"], &key)?.await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(source(&output)?, "engine-auth");
    assert_eq!(aws.take(), []);

    let output = pull(&["--ecr-public-token"], "{}")?.await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(source(&output)?, "ecr");
    let [request] = &aws.take()[..] else {
        panic!("one token is fetched");
    };
    assert_eq!(request.action, "ecr-public:GetAuthorizationToken");
    assert_eq!(request.region, "us-east-1");
    Ok(())
}
