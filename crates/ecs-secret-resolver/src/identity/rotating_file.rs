//! A shared credentials file that somebody else keeps replacing.

use std::path::{Path, PathBuf};

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

/// The keys of one profile of a shared credentials file, read again whenever they are asked for.
///
/// On ECS Anywhere the SSM agent writes such a file and replaces it before its keys end. The SDK's own provider
/// reads a file once and keeps it for ever.
///
/// A file that does not exist, or has no such profile, is "not loaded" (the next provider of a chain is asked); a
/// file that cannot be read or parsed is an error.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-anywhere.html>.
#[derive(Clone, Debug)]
pub struct RotatingFileProvider {
    path: PathBuf,
    profile: String,
}

impl RotatingFileProvider {
    /// The file and the profile in it, usually `default`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, profile: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            profile: profile.into(),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn load(&self) -> provider::Result {
        match tokio::fs::try_exists(&self.path).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(CredentialsError::not_loaded(format!(
                    "{} does not exist",
                    self.path.display()
                )));
            }
            Err(error) => return Err(CredentialsError::provider_error(error)),
        }
        let files = EnvConfigFiles::builder()
            .with_file(EnvConfigFileKind::Credentials, &self.path)
            .build();
        // The provider keeps what it has read: a new one reads again.
        ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::without_region().with_http_client(offline()))
            .profile_files(files)
            .profile_name(&self.profile)
            .build()
            .provide_credentials()
            .await
    }
}

/// The SDK's provider wants an HTTP client for profiles that assume roles. This one's keys are in the file itself.
fn offline() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(Offline))
}

#[derive(Debug)]
struct Offline;

impl HttpConnector for Offline {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let error = "a rotating credentials file holds keys; profiles that assume a role belong elsewhere";
        HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())))
    }
}

impl ProvideCredentials for RotatingFileProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, access_key_id: &str) {
        let text = format!(
            "[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = hidden\naws_session_token = hidden\n\
             [other]\naws_access_key_id = OTHER\naws_secret_access_key = hidden\n"
        );
        std::fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn a_replaced_file_is_seen_at_the_next_call() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let provider = RotatingFileProvider::new(&path, "default");
        for access_key_id in ["FIRST", "SECOND"] {
            write(&path, access_key_id);
            let credentials = provider.provide_credentials().await.unwrap();
            assert_eq!(credentials.access_key_id(), access_key_id);
        }
        let other = RotatingFileProvider::new(&path, "other");
        assert_eq!(
            other.provide_credentials().await.unwrap().access_key_id(),
            "OTHER"
        );
    }

    #[tokio::test]
    async fn absent_is_not_loaded_and_broken_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let provider = RotatingFileProvider::new(&path, "default");
        let absent = provider.provide_credentials().await.unwrap_err();
        assert!(
            matches!(absent, CredentialsError::CredentialsNotLoaded(_)),
            "{absent:?}"
        );

        write(&path, "FIRST");
        let no_profile = RotatingFileProvider::new(&path, "nobody");
        let absent = no_profile.provide_credentials().await.unwrap_err();
        assert!(
            matches!(absent, CredentialsError::CredentialsNotLoaded(_)),
            "{absent:?}"
        );

        std::fs::write(&path, "[default\naws_access_key_id").unwrap();
        let broken = provider.provide_credentials().await.unwrap_err();
        assert!(
            matches!(broken, CredentialsError::InvalidConfiguration(_)),
            "{broken:?}"
        );
    }
}
