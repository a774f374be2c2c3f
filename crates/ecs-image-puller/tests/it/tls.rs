//! Engines behind TLS.

use std::path::Path;
use std::sync::Arc;

use ecs_image_puller::{ConnectOptions, DockerEngine, DockerHost, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority, and certificates of it for a server at 127.0.0.1 and a client: `ca.pem`, `cert.pem`, `key.pem`, and
/// the server's.
fn certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let write = |name: &str, text: String| std::fs::write(directory.join(name), text).unwrap();
    write("ca.pem", authority.self_signed(&authority_key).unwrap().pem());
    let issuer = Issuer::new(authority, authority_key);
    for (name, key_name) in [("server.pem", "server-key.pem"), ("cert.pem", "key.pem")] {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        write(name, parameters.signed_by(&key, &issuer).unwrap().pem());
        write(key_name, key.serialize_pem());
    }
}

/// Answers every request with a version, to clients with a certificate of the authority.
async fn serve(directory: &Path) -> DockerHost {
    let read = |name: &str| CertificateDer::from_pem_file(directory.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read("ca.pem")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![read("server.pem")],
            PrivateKeyDer::from_pem_file(directory.join("server-key.pem")).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let Ok(mut connection) = acceptor.accept(connection).await else {
                continue;
            };
            let mut request = [0; 4096];
            if connection.read(&mut request).await.is_err() {
                continue;
            }
            let body = r#"{"ApiVersion":"1.41"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    DockerHost::parse(&format!("tcp://{address}")).unwrap()
}

#[tokio::test]
async fn both_sides_are_known_by_their_certificates() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates(ours.path());
    certificates(others.path());
    let host = serve(ours.path()).await;

    let right = TlsOptions::from_directory(ours.path());
    let mut foreign_authority = right.clone();
    foreign_authority.ca = Some(others.path().join("ca.pem"));
    let mut without_certificate = right.clone();
    without_certificate.client = None;
    let mut foreign_certificate = right.clone();
    foreign_certificate.client = TlsOptions::from_directory(others.path()).client;
    let mut unverified = right.clone();
    unverified.ca = None;
    unverified.skip_verification = true;
    let mut missing_file = right.clone();
    missing_file.ca = Some(ours.path().join("none.pem"));
    let mut not_pem = right.clone();
    not_pem.ca = Some(ours.path().join("key.pem"));

    for (name, options, connects) in [
        ("right", right, true),
        ("unverified", unverified, true),
        ("foreign authority", foreign_authority, false),
        ("without certificate", without_certificate, false),
        ("foreign certificate", foreign_certificate, false),
        ("missing file", missing_file, false),
        ("not a certificate", not_pem, false),
    ] {
        let outcome = DockerEngine::connect(&host.clone().with_tls(options), ConnectOptions::default()).await;
        assert_eq!(outcome.is_ok(), connects, "{name}: {outcome:?}");
        if let Err(diagnosis) = outcome {
            assert!(diagnosis.cause().is_some(), "{name}");
            assert!(!format!("{diagnosis:?}").contains("PRIVATE"), "{name}");
        }
    }
    // Without TLS, to a port that wants it.
    assert!(
        DockerEngine::connect(&host, ConnectOptions::default())
            .await
            .is_err()
    );
}
