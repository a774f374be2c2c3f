//! What lies between this machine and AWS: proxies and certificate authorities.

use std::time::Duration;

use anyhow::Result;
use integration::{AwsAnswer, Output, Recorder, Stage};

/// A pull of the container whose credential is a secret, with these variables besides.
async fn pull(stage: &Stage, variables: &[(&str, &str)]) -> Result<Output> {
    stage
        .pull(&stage.task_definition(), &["--container", "web"])?
        .envs(variables.iter().copied())
        .run()
        .await
}

#[tokio::test]
async fn aws_is_asked_through_the_proxy_of_the_environment() -> Result<()> {
    let stage = Stage::start().await?;
    let (secret, password) = (stage.secret.clone(), stage.passwords().0.to_owned());
    let proxy = Recorder::instead_of_aws(Duration::ZERO, move |request| match request.action.as_str() {
        "sts:AssumeRole" => AwsAnswer::assumed_role("AKIDOFTHEROLE"),
        _ => AwsAnswer::login(&secret, "alice", &password),
    })
    .await?;
    // A name that nobody but the proxy could resolve.
    let endpoint = ("AWS_ENDPOINT_URL", "http://aws.example.invalid");
    let output = pull(&stage, &[endpoint, ("HTTP_PROXY", proxy.endpoint())]).await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(proxy.take().len(), 2);

    let exempted = ("NO_PROXY", "aws.example.invalid");
    let output = pull(&stage, &[endpoint, ("HTTP_PROXY", proxy.endpoint()), exempted]).await?;
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(
        output.stderr.contains("aws.example.invalid:80"),
        "{}",
        output.stderr
    );
    assert_eq!(proxy.take().len(), 0);
    Ok(())
}

#[tokio::test]
async fn tls_is_checked_against_the_bundle_or_the_systems_store() -> Result<()> {
    let stage = Stage::start().await?;
    let server = stage.private.on_port_443().await?;
    let endpoint = format!("https://{}", server.address());
    let endpoint = ("AWS_ENDPOINT_URL", endpoint.as_str());
    let bundle = stage
        .write("authority.pem", server.authority())?
        .display()
        .to_string();
    let none = stage.path("none").display().to_string();
    let systems: [(&str, &str); 2] = [("SSL_CERT_FILE", &none), ("SSL_CERT_DIR", &none)];
    let replaced: [(&str, &str); 1] = [("AWS_CA_BUNDLE", &bundle)];
    let rows = [
        (
            "no certificate authority on this machine",
            &systems[..],
            "",
            "ca-certificates",
        ),
        (
            "another authority than the server's",
            &[],
            "UnknownIssuer",
            "AWS_CA_BUNDLE",
        ),
        (
            // Its certificate is for a name and not for the address: what is said now is about that.
            "the server's authority in the bundle",
            &replaced[..],
            "not valid for",
            "AWS_CA_BUNDLE",
        ),
    ];
    for (name, variables, cause, next_step) in rows {
        let output = pull(&stage, &[variables, &[endpoint]].concat()).await?;
        assert_eq!(output.code, 4, "{name}: {}", output.stderr);
        assert!(!output.stderr.contains("panicked"), "{name}: {}", output.stderr);
        let error = &output.container("web")?["error"];
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        let host = format!("TLS with {}:443 failed", server.address());
        assert!(text("message").contains(&host), "{name}: {error}");
        assert!(text("cause").contains(cause), "{name}: {error}");
        assert!(text("next_step").contains(next_step), "{name}: {error}");
    }
    Ok(())
}
