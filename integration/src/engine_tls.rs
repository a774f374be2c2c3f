//! The certificates of an engine that is reached over TCP, and of whoever may use it.

use std::path::PathBuf;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};

use crate::part::Part;

/// Where the engine's own files lie; clients find theirs in [`CLIENT`].
const ENGINE: &str = "engine-tls";
/// `ca.pem`, `cert.pem` and `key.pem`, as `DOCKER_CERT_PATH` names their directory.
const CLIENT: &str = "client-tls";

/// Makes an authority, and by it a certificate of 127.0.0.1 for the engine and one for its clients.
///
/// Returns the engine's options and the clients' directory.
///
/// Rule: <https://docs.docker.com/engine/security/protect-access/>.
pub(crate) fn set_up(part: &Part) -> Result<(Vec<String>, PathBuf)> {
    let directory = part.directory();
    for name in [ENGINE, CLIENT] {
        std::fs::create_dir_all(directory.join(name))?;
    }
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, "authority of the engine");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&key)?.pem();
    let issuer = Issuer::new(parameters, key);

    let local = [SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())];
    for (name, usage, addresses) in [
        (ENGINE, ExtendedKeyUsagePurpose::ServerAuth, &local[..]),
        (CLIENT, ExtendedKeyUsagePurpose::ClientAuth, &[]),
    ] {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.subject_alt_names = addresses.to_vec();
        parameters.extended_key_usages = vec![usage];
        let certificate = parameters.signed_by(&key, &issuer)?.pem();
        part.write(&format!("{name}/ca.pem"), &authority)?;
        part.write(&format!("{name}/cert.pem"), certificate)?;
        part.write(&format!("{name}/key.pem"), key.serialize_pem())?;
    }
    let of_engine = |name: &str| directory.join(ENGINE).join(name).display().to_string();
    let options = vec![
        "--host=tcp://127.0.0.1:0".to_owned(),
        "--tlsverify".to_owned(),
        format!("--tlscacert={}", of_engine("ca.pem")),
        format!("--tlscert={}", of_engine("cert.pem")),
        format!("--tlskey={}", of_engine("key.pem")),
    ];
    Ok((options, directory.join(CLIENT)))
}

/// The port of the listener that is not the socket.
pub(crate) fn port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("API listen on 127.0.0.1:")?;
    let digits = rest.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}
