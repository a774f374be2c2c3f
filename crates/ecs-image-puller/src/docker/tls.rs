//! Engines behind TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::{BollardRequest, Docker};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::engine::{EngineError, EngineErrorKind};

/// How an engine behind TLS is known, and how this side is known to it.
///
/// Rule: <https://docs.docker.com/engine/security/protect-access/>.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Certificates (PEM) of the authorities that may sign the engine's, and no others; `None` are the system's.
    pub ca: Option<PathBuf>,
    /// Certificate (PEM) that this side shows, and its key (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
    /// Takes any certificate of the engine, as `docker --tls` does without `--tlsverify`. Whoever stands between
    /// reads the registry's passwords.
    pub skip_verification: bool,
}

impl TlsOptions {
    /// Verified by the system's authorities, without a certificate of this side.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `ca.pem`, `cert.pem` and `key.pem` of a directory, as `DOCKER_CERT_PATH` names one.
    ///
    /// `ca.pem` is always expected, the other two where both exist.
    #[must_use]
    pub fn from_directory(directory: &Path) -> Self {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        Self {
            ca: Some(directory.join("ca.pem")),
            client: (certificate.exists() && key.exists()).then_some((certificate, key)),
            skip_verification: false,
        }
    }

    /// A client for the engine at `authority` (`host:port`).
    pub(super) fn client(&self, authority: &str, timeout: u64) -> Result<Docker, EngineError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.configuration()?)
            .https_only()
            .enable_http1()
            .build();
        // A connection for each request, as for the other kinds of addresses: an engine that was restarted is found.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        let transport = move |request: BollardRequest| {
            let answer = client.request(request);
            async move { answer.await.map_err(bollard::errors::Error::from) }
        };
        Docker::connect_with_custom_transport(
            transport,
            Some(format!("https://{authority}")),
            timeout,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(super::error::translate)
    }

    fn configuration(&self) -> Result<ClientConfig, EngineError> {
        // Named, not the process's: which provider that has is not for a library to say.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(format!("TLS: {error}")))?;
        let builder = if self.skip_verification {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(unverified::Anyone(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        match &self.client {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unreadable(key, "a private key", &error))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| {
                    unusable(format!(
                        "{} and {}: {error}",
                        certificate.display(),
                        key.display()
                    ))
                })
            }
        }
    }

    fn roots(&self) -> Result<RootCertStore, EngineError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots
                        .add(certificate)
                        .map_err(|error| unusable(format!("{}: {error}", path.display())))?;
                }
            }
            None => {
                // Single broken files of the system are none of the user's business here.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(unusable(
                "there is no authority that could have signed the engine's certificate".to_owned(),
            ));
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EngineError> {
    let read = |error: &rustls::pki_types::pem::Error| unreadable(path, "certificates", error);
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| read(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| read(&error))?;
    if certificates.is_empty() {
        return Err(read(&rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, what: &str, error: &rustls::pki_types::pem::Error) -> EngineError {
    use rustls::pki_types::pem::Error;
    let reason = match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it holds none".to_owned(),
        // The others quote the file.
        _ => "it is not PEM".to_owned(),
    };
    unusable(format!("{} cannot be read for {what}: {reason}", path.display()))
}

fn unusable(message: String) -> EngineError {
    EngineError::new(EngineErrorKind::Unreachable, message)
}

/// What `--tls` without `--tlsverify` means.
mod unverified {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    use super::{Arc, CryptoProvider};

    /// Takes every certificate; that the other side has its key is checked all the same.
    #[derive(Debug)]
    pub(super) struct Anyone(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(
                message,
                certificate,
                signed,
                &self.0.signature_verification_algorithms,
            )
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(
                message,
                certificate,
                signed,
                &self.0.signature_verification_algorithms,
            )
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
