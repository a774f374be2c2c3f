//! A private container registry: the distribution project's own, as Debian packages it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::image::Image;
use crate::part::Part;
use crate::registry_log::{RegistryRequest, parse_log};
use crate::registry_push::{Publisher, push};
use crate::secure_registry::SecureRegistry;
use crate::token_server::{SERVICE, TokenServer};
use crate::tool;

/// Who may read from a registry.
#[derive(Debug, Clone, Copy)]
pub enum Access<'a> {
    /// Everyone, without a login.
    Open,
    /// These users with their passwords, by HTTP Basic against an htpasswd file.
    Passwords(&'a [(&'a str, &'a str)]),
    /// Whoever brings a token of this server.
    Tokens(&'a TokenServer),
}

/// By whom the tests put images into a registry with [`Access::Passwords`].
const PUBLISHER: (&str, &str) = ("publisher", "only-for-pushing");

/// A registry on a loopback port of its own, in plain HTTP: engines ask for no TLS there.
#[derive(Debug)]
pub struct Registry {
    part: Part,
    host_name: String,
    port: u16,
    publisher: Publisher,
    users: Vec<(String, String)>,
    /// The section of its configuration that says who may read.
    authentication: String,
}

impl Registry {
    /// Starts a registry that images will call `host_name`, which the engines of the test must know.
    ///
    /// # Errors
    /// `docker-registry` or `htpasswd` is missing or does not start: with its log.
    pub async fn start(host_name: &str, access: Access<'_>) -> Result<Self> {
        let mut part = Part::new("registry")?;
        let (authentication, publisher, users) = match access {
            Access::Open => (String::new(), Publisher::Anonymous, Vec::new()),
            Access::Passwords(users) => {
                let mut all: Vec<_> = users
                    .iter()
                    .map(|(name, word)| ((*name).into(), (*word).into()))
                    .collect();
                all.push((PUBLISHER.0.into(), PUBLISHER.1.into()));
                let file = part.write("htpasswd", password_file(&all)?)?;
                let section = format!(
                    "auth: {{htpasswd: {{realm: private, path: {}}}}}\n",
                    file.display()
                );
                (section, Publisher::Password(PUBLISHER.0, PUBLISHER.1), all)
            }
            Access::Tokens(server) => {
                let bundle = part.write("issuer.pem", server.certificate())?;
                let section = format!(
                    "auth: {{token: {{realm: \"{}\", service: {SERVICE}, issuer: {}, rootcertbundle: {}}}}}\n",
                    server.realm(),
                    server.issuer(),
                    bundle.display()
                );
                (section, Publisher::Token(server.clone()), Vec::new())
            }
        };
        // Below the debug level it does not say whom it lets in.
        let configuration = format!(
            "version: 0.1\n\
             log: {{level: debug, formatter: json, accesslog: {{disabled: false}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}/data}}, delete: {{enabled: true}}}}\n\
             http: {{addr: \"127.0.0.1:0\", secret: only-one-instance}}\n\
             {authentication}",
            part.directory().display()
        );
        let configuration = part.write("config.yml", configuration)?;
        let program = tool::DOCKER_REGISTRY.path()?;
        part.run(&[program.as_os_str(), "serve".as_ref(), configuration.as_os_str()])?;
        let port = part.wait_for_log(listening_port).await?;
        Ok(Self {
            part,
            host_name: host_name.to_owned(),
            port,
            publisher,
            users,
            authentication,
        })
    }

    /// The registry as images name it: `registry.example.com:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}:{}", self.host_name, self.port)
    }

    /// The full name of one image in this registry: `registry.example.com:PORT/repository:tag`.
    #[must_use]
    pub fn image(&self, repository: &str, tag: &str) -> String {
        format!("{}/{repository}:{tag}", self.host())
    }

    /// The same images for the same users, once more and over TLS on port 443: what a registry is on the internet.
    ///
    /// # Errors
    /// It does not start: with its log.
    pub async fn on_port_443(&self) -> Result<SecureRegistry> {
        SecureRegistry::start(&self.host_name, self.part.directory(), &self.authentication).await
    }

    /// Puts `image` into the registry and returns the digest of its manifest.
    ///
    /// # Errors
    /// The registry refuses it.
    pub async fn push(&self, image: &Image, repository: &str, tag: &str) -> Result<String> {
        push(
            &format!("http://127.0.0.1:{}", self.port),
            &self.publisher,
            image,
            repository,
            tag,
        )
        .await
        .with_context(|| format!("{repository}:{tag} cannot be pushed"))
    }

    /// Gives `user` another password, at once: the registry reads the file again when it has changed.
    ///
    /// # Errors
    /// The registry has no such user.
    pub fn set_password(&mut self, user: &str, password: &str) -> Result<()> {
        let Some((_, current)) = self.users.iter_mut().find(|(name, _)| name == user) else {
            bail!("{} has no user {user}", self.host());
        };
        password.clone_into(current);
        // Renamed into place: the registry must never see half a file.
        let new = self.part.write("htpasswd.new", password_file(&self.users)?)?;
        fs::rename(new, self.part.directory().join("htpasswd"))?;
        Ok(())
    }

    /// Every request for a repository so far, in order, those of [`push`](Self::push) too.
    #[must_use]
    pub fn requests(&self) -> Vec<RegistryRequest> {
        parse_log(&self.part.log())
    }
}

fn listening_port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("listening on 127.0.0.1:")?;
    rest.split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// bcrypt with its lowest cost: these passwords live for seconds.
fn password_file(users: &[(String, String)]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    for (user, password) in users {
        let mut child = Command::new(tool::HTPASSWD.path()?)
            .args(["-n", "-i", "-B", "-C", "4", user])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(password.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("htpasswd failed for user {user}: {}", output.status);
        }
        file.extend_from_slice(output.stdout.trim_ascii());
        file.push(b'\n');
    }
    Ok(file)
}
