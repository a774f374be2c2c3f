//! Engines that are not at the usual socket: behind TLS, and by the name of a Docker context.

use std::fs;
use std::path::Path;

use anyhow::Result;
use integration::{Engine, Image, Site};
use serde_json::json;
use sha2::{Digest, Sha256};

async fn site() -> Result<(Site, String)> {
    let engine = Engine::start_with_tls(&["registry.example.com"]).await?;
    let site = Site::with_engine(engine).await?;
    site.registry
        .push(&Image::small("app")?, "team/app", "v1")
        .await?;
    let image = site.registry.image("team/app", "v1");
    Ok((site, image))
}

#[tokio::test]
async fn an_engine_behind_tls_is_used_with_the_certificates_of_the_docker_command() -> Result<()> {
    let (site, image) = site().await?;
    let (host, certificates) = site.engine.tls()?;
    let variables = [
        ("DOCKER_HOST", host.to_owned()),
        ("DOCKER_TLS_VERIFY", "1".to_owned()),
        ("DOCKER_CERT_PATH", certificates.display().to_string()),
    ];
    let output = site.ecs_pull(&["pull", &image])?.envs(variables).run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(site.engine.has(&image).await?);
    Ok(())
}

#[tokio::test]
async fn an_engine_that_is_not_known_and_one_that_does_not_know_the_client_are_unreachable() -> Result<()> {
    let (site, image) = site().await?;
    let (host, certificates) = site.engine.tls()?;
    let strange = site.path("strange");
    let without_client = site.path("without-client");
    for directory in [&strange, &without_client] {
        fs::create_dir(directory)?;
    }
    // The client's own certificate signed nobody else's.
    fs::copy(certificates.join("cert.pem"), strange.join("ca.pem"))?;
    fs::copy(certificates.join("ca.pem"), without_client.join("ca.pem"))?;
    for (verify, directory) in [("1", &strange), ("1", &without_client), ("", &without_client)] {
        let variables = [
            ("DOCKER_HOST", host.to_owned()),
            ("DOCKER_TLS_VERIFY", verify.to_owned()),
            ("DOCKER_CERT_PATH", directory.display().to_string()),
        ];
        let run = site.ecs_pull(&["--output", "json", "pull", &image])?;
        let output = run.envs(variables).run().await?;
        assert_eq!(output.code, 7, "{}: {}", directory.display(), output.stderr);
        let error = &output.json()?["containers"][0]["error"];
        assert_eq!(error["name"], "CannotGetDockerclientError", "{error}");
        let address = host.trim_start_matches("tcp://");
        assert!(output.stderr.contains(address), "{}", output.stderr);
    }
    assert!(!site.engine.has(&image).await?);
    Ok(())
}

#[tokio::test]
async fn a_docker_context_names_the_engine_and_its_certificates() -> Result<()> {
    let (site, image) = site().await?;
    let (host, certificates) = site.engine.tls()?;
    let configuration = site.path(".docker");
    write_context(&configuration, "edge", host, certificates)?;

    let chosen = site
        .ecs_pull(&["pull", &image])?
        .without_env("DOCKER_HOST")
        .envs([("DOCKER_CONTEXT", "edge")]);
    let output = chosen.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(site.engine.has(&image).await?);
    site.engine.remove(&image).await?;

    // As `docker context use` leaves it.
    fs::write(
        configuration.join("config.json"),
        json!({"currentContext": "edge"}).to_string(),
    )?;
    let current = site.ecs_pull(&["pull", &image])?.without_env("DOCKER_HOST");
    let output = current.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(site.engine.has(&image).await?);

    let missing = site
        .ecs_pull(&["pull", &image])?
        .without_env("DOCKER_HOST")
        .envs([("DOCKER_CONTEXT", "elsewhere")]);
    let output = missing.run().await?;
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("elsewhere"), "{}", output.stderr);
    Ok(())
}

/// As `docker context create` writes one: a context's directory is named by the digest of its name.
fn write_context(configuration: &Path, name: &str, host: &str, certificates: &Path) -> Result<()> {
    let digits: String = Sha256::digest(name)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let meta = configuration.join("contexts/meta").join(&digits);
    let tls = configuration.join("contexts/tls").join(&digits).join("docker");
    for directory in [&meta, &tls] {
        fs::create_dir_all(directory)?;
    }
    let endpoint = json!({"Host": host, "SkipTLSVerify": false});
    let text = json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}).to_string();
    fs::write(meta.join("meta.json"), text)?;
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::copy(certificates.join(file), tls.join(file))?;
    }
    Ok(())
}
