//! Which certificate authorities AWS endpoints are checked against.

use std::path::Path;
use std::sync::Arc;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::diagnosis::configuration_error;
use ecs_registry_auth::Diagnosis;

/// Where the certificate authorities come from, for the message of a TLS failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrustSource {
    /// The system's store, with this many usable certificates.
    System(usize),
    /// The bundle that the user named, alone: as in the other AWS SDKs, it replaces the system's store.
    Bundle(Arc<Path>),
}

/// The certificate authorities, checked here because the HTTP client panics on those that it cannot use.
///
/// A machine without any is no error yet: endpoints may be plain HTTP. See [`TrustSource`] for when one is not.
pub(super) fn load(bundle: Option<&Path>) -> Result<(TlsContext, TrustSource), Diagnosis> {
    let (certificates, source) = match bundle {
        Some(path) => (read_bundle(path)?, TrustSource::Bundle(path.into())),
        None => {
            let loaded = rustls_native_certs::load_native_certs();
            for error in &loaded.errors {
                tracing::debug!(%error, "a certificate of the system's store cannot be read");
            }
            let usable: Vec<_> = loaded.certs.into_iter().filter(is_authority).collect();
            let count = usable.len();
            (usable, TrustSource::System(count))
        }
    };
    let mut store = TrustStore::empty();
    if !certificates.is_empty() {
        store.add_pem_certificate(to_pem(&certificates));
    }
    let context = TlsContext::builder()
        .with_trust_store(store)
        .build()
        .map_err(|error| configuration_error(format!("the TLS client cannot be set up: {error}")))?;
    Ok((context, source))
}

fn read_bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, Diagnosis> {
    let failed = |what: String| {
        configuration_error(format!("CA bundle {}: {what}", path.display())).with_next_step(
            "name a PEM file of certificate authorities in AWS_CA_BUNDLE, or unset it to use the system's store",
        )
    };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| failed("not PEM".to_owned()))?;
    if certificates.is_empty() {
        return Err(failed("holds no certificate".to_owned()));
    }
    for (index, certificate) in certificates.iter().enumerate() {
        if !is_authority(certificate) {
            return Err(failed(format!(
                "certificate {} is not an X.509 certificate that can be trusted",
                index + 1
            )));
        }
    }
    Ok(certificates)
}

fn is_authority(certificate: &CertificateDer<'static>) -> bool {
    webpki::anchor_from_trusted_cert(certificate).is_ok()
}

/// PEM is the only form the HTTP client takes.
fn to_pem(certificates: &[CertificateDer<'static>]) -> Vec<u8> {
    let mut pem = String::new();
    for certificate in certificates {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut encoded = STANDARD.encode(certificate);
        while encoded.len() > 64 {
            let rest = encoded.split_off(64);
            pem.push_str(&encoded);
            pem.push('\n');
            encoded = rest;
        }
        pem.push_str(&encoded);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}
