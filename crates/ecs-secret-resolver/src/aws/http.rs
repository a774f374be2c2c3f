//! The one HTTP client that every AWS service shares.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::trust::TrustSource;

type Timeouts = (Option<Duration>, Option<Duration>);

/// Connects through the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name (the SDK's default client
/// ignores them), and says in its errors which host it could not reach.
#[derive(Debug)]
pub(super) struct AwsHttpClient {
    tls: TlsContext,
    trust: TrustSource,
    /// One connection pool for each pair of connect and read timeouts: as good as always just one.
    connectors: Mutex<Vec<(Timeouts, SharedHttpConnector)>>,
}

impl AwsHttpClient {
    pub(super) fn new(tls: TlsContext, trust: TrustSource) -> Self {
        Self {
            tls,
            trust,
            connectors: Mutex::default(),
        }
    }
}

impl HttpClient for AwsHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = connectors.iter().find(|(key, _)| *key == timeouts) {
            return connector.clone();
        }
        let mut builder = Connector::builder()
            .connector_settings(settings.clone())
            .proxy_config(ProxyConfig::from_env());
        builder.set_sleep_impl(components.sleep_impl());
        let inner = builder
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(self.tls.clone())
            .build();
        let connector = SharedHttpConnector::new(NamingConnector {
            inner: SharedHttpConnector::new(inner),
            trust: self.trust.clone(),
        });
        connectors.push((timeouts, connector.clone()));
        connector
    }
}

#[derive(Debug)]
struct NamingConnector {
    inner: SharedHttpConnector,
    trust: TrustSource,
}

impl HttpConnector for NamingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let host = host_of(request.uri());
        let trust = self.trust.clone();
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| named(error, host, trust)) })
    }
}

/// The error that the SDK hands on when an endpoint could not be reached.
#[derive(Debug)]
pub(crate) struct Unreachable {
    /// Host and port.
    pub(crate) host: String,
    pub(crate) trust: TrustSource,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be reached", self.host)
    }
}

impl Error for Unreachable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The same error with the host's name; what the SDK decides on (kind and connection) stays.
fn named(error: ConnectorError, host: String, trust: TrustSource) -> ConnectorError {
    let (timeout, io, user, other) = (
        error.is_timeout(),
        error.is_io(),
        error.is_user(),
        error.as_other(),
    );
    let connection = error.connection_metadata().cloned();
    let source = Box::new(Unreachable {
        host,
        trust,
        source: error.into_source(),
    });
    let named = if timeout {
        ConnectorError::timeout(source)
    } else if io {
        ConnectorError::io(source)
    } else if user {
        ConnectorError::user(source)
    } else {
        ConnectorError::other(source, other)
    };
    match connection {
        Some(connection) => named.with_connection(connection),
        None => named,
    }
}

/// `host:port` of a URI, without user info, path and query.
fn host_of(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("https", uri));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    match (has_port, scheme) {
        (true, _) => host.to_owned(),
        (false, "http") => format!("{host}:80"),
        (false, _) => format!("{host}:443"),
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn the_host_is_shown_with_its_port_and_nothing_else() {
        for (uri, host) in [
            (
                "https://sts.eu-west-1.amazonaws.com/",
                "sts.eu-west-1.amazonaws.com:443",
            ),
            ("http://user:pass@[::1]:4566/path?q=1", "[::1]:4566"),
            ("http://[::1]", "[::1]:80"),
            ("http://localhost#x", "localhost:80"),
        ] {
            assert_eq!(host_of(uri), host, "{uri}");
        }
    }
}
