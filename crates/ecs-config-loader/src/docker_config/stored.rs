//! Every credential of a configuration, the helpers' included.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use ecs_registry_auth::{Origin, RegistryCredential};

use super::DockerConfig;
use super::helper::{HelperError, HelperName, HelperRunner};
use super::layer::{HELPER_NAME_STEP, Helper, HelperUse, Layer};
use super::server;
use crate::Finding;
use crate::engine_auth::index::Entry;
use crate::engine_auth::key::{RegistryKey, shown};

/// A credential and the key that Docker keeps it under.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredCredential {
    /// The key in `auths` or `credHelpers`, or the server that a helper listed; without user info, which may be a password.
    pub key: Arc<str>,
    /// The credential.
    pub credential: RegistryCredential,
    /// Where the entry, or the helper that has it, was written.
    pub origin: Origin,
}

impl StoredCredential {
    /// A credential under `key`, which stands at `origin`.
    pub fn new(key: impl Into<Arc<str>>, credential: RegistryCredential, origin: Origin) -> Self {
        Self {
            key: shown(&key.into()).into(),
            credential,
            origin,
        }
    }
}

/// Everything that a configuration has, and what it should have had.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoredCredentials {
    /// In the order of precedence.
    pub credentials: Vec<StoredCredential>,
    /// Why there is no credential where one was expected.
    pub findings: Vec<Finding>,
}

impl DockerConfig {
    /// Every credential of this configuration: the entries, and the answers of every helper to what it lists.
    ///
    /// It never fails: what a helper does not give is a finding.
    pub async fn stored(&self) -> StoredCredentials {
        let mut stored = Collector {
            runner: &self.runner,
            found: StoredCredentials::default(),
            seen: HashSet::new(),
            given_up: HashSet::new(),
        };
        for layer in self.layers.iter() {
            stored.layer(layer).await;
        }
        stored.found
    }
}

struct Collector<'a> {
    runner: &'a HelperRunner,
    found: StoredCredentials,
    /// Keys for which there is a credential already, or for which a pull would have failed by now, as a host with its
    /// path.
    seen: HashSet<String>,
    /// Helpers that are missing or hang: each server would wait for them again.
    given_up: HashSet<HelperName>,
}

impl Collector<'_> {
    async fn layer(&mut self, layer: &Layer) {
        for helper in &layer.registry_helpers {
            let Some(key) = &helper.key else { continue };
            // Another key for the same place goes first, or leaves it to `auths`.
            if !in_charge_of(layer, key).is_some_and(|in_charge| std::ptr::eq(in_charge, helper)) {
                continue;
            }
            match self.name(helper) {
                Some(name) => {
                    let server = server::of_host(&key.registry, server::host(&key.written));
                    self.ask(helper, name, &key.written, server).await;
                }
                None => self.failed(helper, &key.written),
            }
        }
        let store = layer
            .store
            .as_ref()
            .and_then(|store| Some((store, self.name(store)?)));
        if let Some((store, name)) = store {
            for server in self.servers(layer, store, name).await {
                let key = server::key(&server);
                if in_charge_of(layer, &key).is_some_and(|in_charge| std::ptr::eq(in_charge, store)) {
                    self.ask(store, name, &key.written, &server).await;
                }
            }
        }
        let mut entries: Vec<&Entry> = layer.entries.iter().collect();
        entries.sort_by(|left, right| left.key.precedence(&right.key));
        for entry in entries {
            let written = &entry.key.written;
            if let Some(helper) = in_charge_of(layer, &entry.key) {
                self.found.findings.push(Finding::warning(
                    entry.origin.clone(),
                    format!(
                        "registry {written:?}: its credential is not used, because {} is asked instead",
                        helper.field()
                    ),
                ));
                continue;
            }
            if self.seen.contains(&place(&entry.key)) {
                continue;
            }
            match &entry.credential {
                Ok(credential) => self.add(written, credential.clone(), &entry.origin),
                Err(problem) => self.found.findings.push(
                    Finding::warning(entry.origin.clone(), format!("registry {written:?}: {problem}"))
                        .with_next_step(problem.next_step()),
                ),
            }
        }
    }

    /// The helper to run; a broken name is a finding.
    fn name<'h>(&mut self, helper: &'h Helper) -> Option<&'h HelperName> {
        match &helper.run {
            HelperUse::Run(name) => Some(name),
            HelperUse::File => None,
            HelperUse::Broken(problem) => {
                self.found.findings.push(
                    Finding::warning(helper.origin.clone(), format!("{}: {problem}", helper.field()))
                        .with_next_step(HELPER_NAME_STEP),
                );
                None
            }
        }
    }

    /// What the store lists, and the marks that `docker login` left in `auths` for those that cannot list.
    async fn servers(&mut self, layer: &Layer, store: &Helper, name: &HelperName) -> BTreeSet<String> {
        let mut servers: BTreeSet<String> = layer
            .marks
            .iter()
            .map(|mark| mark.key.written.to_string())
            .collect();
        match self.runner.list(name).await {
            Ok(listed) => servers.extend(
                listed
                    .into_iter()
                    .filter(|server| !server::is_docker_login_token(server)),
            ),
            Err(error) => self.refused(store, name, &error),
        }
        servers
    }

    async fn ask(&mut self, helper: &Helper, name: &HelperName, key: &str, server: &str) {
        if self.seen.contains(&place(&server::key(key))) {
            return;
        }
        if self.given_up.contains(name) {
            self.found.findings.push(Finding::warning(
                helper.origin.clone(),
                format!("registry {key:?}: {name} is not asked, because it could not answer before"),
            ));
            self.failed(helper, key);
            return;
        }
        match self.runner.get(name, server).await {
            Ok(Some(credential)) => self.add(key, credential, &helper.origin),
            // Final for this document; a pull goes on to the next.
            Ok(None) => self.found.findings.push(
                Finding::warning(
                    helper.origin.clone(),
                    format!("registry {key:?}: {name} has no credential for it"),
                )
                .with_next_step(format!("run `docker login {}`", server::host(key))),
            ),
            Err(error) => {
                self.refused(helper, name, &error);
                self.failed(helper, key);
            }
        }
    }

    /// A pull stops at a registry's own helper that fails. A store may know the registry by another name too.
    fn failed(&mut self, helper: &Helper, key: &str) {
        if helper.key.is_some() {
            self.seen.insert(place(&server::key(key)));
        }
    }

    fn refused(&mut self, helper: &Helper, name: &HelperName, error: &HelperError) {
        if error.concerns_all_servers() {
            self.given_up.insert(name.clone());
        }
        self.found.findings.push(
            Finding::warning(helper.origin.clone(), error.to_string()).with_next_step(error.next_step()),
        );
    }

    fn add(&mut self, key: &str, credential: RegistryCredential, origin: &Origin) {
        self.seen.insert(place(&server::key(key)));
        self.found
            .credentials
            .push(StoredCredential::new(key, credential, origin.clone()));
    }
}

/// The helper that a pull from this place would ask.
fn in_charge_of<'l>(layer: &'l Layer, key: &RegistryKey) -> Option<&'l Helper> {
    let server = server::of_host(&key.registry, key.registry.as_str());
    layer.in_charge(&key.registry, &key.path, server)
}

/// Registry and path in one spelling.
fn place(key: &RegistryKey) -> String {
    format!("{}/{}", key.registry, key.path)
}
