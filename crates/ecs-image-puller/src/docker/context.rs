//! Docker contexts: engines by name.
//!
//! Rule: <https://github.com/docker/cli/blob/master/cli/context/store/store.go>.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::{DockerHost, DockerHostError, TlsOptions};

/// The name that stands for no context.
pub(super) const DEFAULT: &str = "default";

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The context that `docker context use` chose.
pub(super) fn current(config: &Path) -> Result<Option<String>, DockerHostError> {
    let path = config.join("config.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DockerHostError::file(&path, &error.to_string())),
    };
    let file: ConfigFile = serde_json::from_slice(&text).map_err(|error| json(&path, &error))?;
    Ok(file.current_context.filter(|name| !name.is_empty()))
}

/// The engine of a context.
pub(super) fn load(config: &Path, name: &str) -> Result<DockerHost, DockerHostError> {
    let contexts = config.join("contexts");
    // Directories are named by the hash of the context's name; the name itself stands in the file.
    let directories = match std::fs::read_dir(contexts.join("meta")) {
        Ok(directories) => directories,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent(name)),
        Err(error) => return Err(DockerHostError::file(&contexts, &error.to_string())),
    };
    let mut broken = None;
    for directory in directories.flatten() {
        let path = directory.path().join("meta.json");
        let Ok(text) = std::fs::read(&path) else { continue };
        match serde_json::from_slice::<Metadata>(&text) {
            Ok(metadata) if metadata.name == name => {
                let endpoint = metadata
                    .endpoints
                    .docker
                    .ok_or_else(|| DockerHostError::context(name, "it has no Docker endpoint"))?;
                let tls = contexts.join("tls").join(directory.file_name()).join("docker");
                return host(&endpoint, &tls);
            }
            Ok(_) => {}
            // Perhaps another one; it counts only if the right one is not found.
            Err(error) => broken = Some(json(&path, &error)),
        }
    }
    Err(broken.unwrap_or_else(|| absent(name)))
}

fn host(endpoint: &Endpoint, tls: &Path) -> Result<DockerHost, DockerHostError> {
    let host = DockerHost::parse(&endpoint.host)?;
    let file = |name: &str| Some(tls.join(name)).filter(|path| path.exists());
    let options = TlsOptions {
        ca: file("ca.pem"),
        client: file("cert.pem").zip(file("key.pem")),
        skip_verification: endpoint.skip_tls_verify,
    };
    if options == TlsOptions::default() {
        return Ok(host);
    }
    Ok(host.with_tls(options))
}

fn absent(name: &str) -> DockerHostError {
    DockerHostError::context(name, "it does not exist: see docker context ls")
}

fn json(path: &Path, error: &serde_json::Error) -> DockerHostError {
    let place = format!(
        "it is not the expected JSON (line {}, column {})",
        error.line(),
        error.column()
    );
    DockerHostError::file(path, &place)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{DockerHost, HostChoice};

    fn write(path: &std::path::Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_first_that_names_an_engine_wins() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path();
        write(
            &config.join("config.json"),
            r#"{"auths": {}, "currentContext": "used"}"#,
        );
        for (directory, name, host) in [
            ("aa", "used", "tcp://used.example.com:1"),
            ("bb", "edge", "unix:///edge.sock"),
        ] {
            write(
                &config.join("contexts/meta").join(directory).join("meta.json"),
                &format!(
                    r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
                ),
            );
        }
        let some = |text: &str| Some(text.to_owned());
        for (argument, docker_host, docker_context, expected) in [
            (some("unix:///a"), some("unix:///b"), some("edge"), "unix:///a"),
            (None, some("unix:///b"), some("edge"), "unix:///b"),
            (None, some(""), some("edge"), "unix:///edge.sock"),
            (None, None, None, "tcp://used.example.com:1"),
            (None, None, some(""), "tcp://used.example.com:1"),
            (None, None, some("default"), "unix:///var/run/docker.sock"),
        ] {
            let choice = HostChoice {
                argument,
                docker_host,
                docker_context,
                docker_config: Some(config.to_owned()),
                ..HostChoice::default()
            };
            assert_eq!(choice.resolve().unwrap().to_string(), expected, "{choice:?}");
        }
        let missing = HostChoice {
            docker_context: some("nowhere"),
            docker_config: Some(config.to_owned()),
            ..HostChoice::default()
        };
        assert!(missing.resolve().unwrap_err().to_string().contains("nowhere"));
    }

    #[test]
    fn the_certificates_of_a_context_make_it_tls() {
        let home = tempfile::tempdir().unwrap();
        let contexts = home.path().join("contexts");
        write(
            &contexts.join("meta/aa/meta.json"),
            r#"{"Name":"edge","Endpoints":{"docker":{"Host":"tcp://edge.example.com"}}}"#,
        );
        write(&contexts.join("tls/aa/docker/ca.pem"), "");
        let choice = HostChoice {
            docker_context: Some("edge".to_owned()),
            docker_config: Some(home.path().to_owned()),
            ..HostChoice::default()
        };
        assert_eq!(
            choice.resolve().unwrap().to_string(),
            "https://edge.example.com:2376"
        );
    }

    #[test]
    fn broken_files_are_named() {
        let home = tempfile::tempdir().unwrap();
        write(
            &home.path().join("config.json"),
            "{\"auths\": {\"x\": {\"auth\": \"c2VjcmV0",
        );
        let choice = HostChoice {
            docker_config: Some(home.path().to_owned()),
            ..HostChoice::default()
        };
        let error = choice.resolve().unwrap_err().to_string();
        assert!(
            error.contains("config.json") && !error.contains("c2Vj"),
            "{error}"
        );
    }

    #[test]
    fn nothing_said_is_the_default() {
        let home = tempfile::tempdir().unwrap();
        let choice = HostChoice {
            docker_config: Some(home.path().to_owned()),
            ..HostChoice::default()
        };
        assert_eq!(choice.resolve().unwrap(), DockerHost::default());
        assert_eq!(HostChoice::default().resolve().unwrap(), DockerHost::default());
    }

    #[test]
    fn variables_of_tls_count_unless_they_are_empty() {
        for (verify, tls, expected) in [
            (None, None, "tcp://h:1"),
            (Some(""), Some(""), "tcp://h:1"),
            (Some("1"), None, "https://h:1"),
            // As the docker command has it: any text.
            (Some("0"), None, "https://h:1"),
            (None, Some("1"), "https://h:1"),
        ] {
            let choice = HostChoice {
                docker_host: Some("tcp://h:1".to_owned()),
                docker_tls_verify: verify.map(str::to_owned),
                docker_tls: tls.map(str::to_owned),
                docker_cert_path: Some("/certs".into()),
                ..HostChoice::default()
            };
            assert_eq!(
                choice.resolve().unwrap().to_string(),
                expected,
                "{verify:?} {tls:?}"
            );
        }
    }
}
