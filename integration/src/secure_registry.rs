//! A registry where images need no port: TLS on 443, with a certificate authority of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::part::Part;
use crate::registry_log::{RegistryRequest, parse_log};
use crate::tool;

/// A second `docker-registry` over the files of another one, on a loopback address where port 443 is free.
#[derive(Debug)]
pub struct SecureRegistry {
    part: Part,
    host_name: String,
    address: Ipv4Addr,
    authority: String,
}

impl SecureRegistry {
    pub(crate) async fn start(host_name: &str, storage: &Path, authentication: &str) -> Result<Self> {
        let mut part = Part::new("registry")?;
        let Certificates {
            authority,
            certificate,
            key,
        } = certificates(host_name)?;
        let certificate = part.write("certificate.pem", certificate)?;
        let key = part.write("key.pem", key)?;
        let address = free_address()?;
        let configuration = format!(
            "version: 0.1\n\
             log: {{level: debug, formatter: json, accesslog: {{disabled: false}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}/data}}}}\n\
             http: {{addr: \"{address}:443\", secret: only-one-instance, tls: {{certificate: {}, key: {}}}}}\n\
             {authentication}",
            storage.display(),
            certificate.display(),
            key.display()
        );
        let configuration = part.write("config.yml", configuration)?;
        let program = tool::DOCKER_REGISTRY.path()?;
        part.run(&[program.as_os_str(), "serve".as_ref(), configuration.as_os_str()])?;
        part.wait_for_log(|log| log.contains("listening on").then_some(()))
            .await?;
        Ok(Self {
            part,
            host_name: host_name.to_owned(),
            address,
            authority,
        })
    }

    /// The name in its certificate.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Where it listens: an address of 127.0.0.0/8.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The certificate, in PEM, of the authority that vouches for it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Every request for a repository so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RegistryRequest> {
        parse_log(&self.part.log())
    }
}

/// PEM, all of it.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

fn certificates(host_name: &str) -> Result<Certificates> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Example authority");
    let authority_key = KeyPair::generate()?;
    let authority = parameters.self_signed(&authority_key)?;
    let issuer = Issuer::new(parameters, authority_key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![host_name.to_owned()])?.signed_by(&key, &issuer)?;
    Ok(Certificates {
        authority: authority.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// Every address of 127.0.0.0/8 has a port 443 of its own. Which one is tried first depends on the process, so that two
/// runs at once do not meet; within a process none is given out twice, because a registry takes it only later.
fn free_address() -> Result<Ipv4Addr> {
    const FIRST: u32 = 0x7f01_0000;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(256) % 0xf0_0000;
    std::iter::repeat_with(|| start + TRIED.fetch_add(1, Ordering::Relaxed))
        .take(256)
        .map(|offset| Ipv4Addr::from(FIRST + offset))
        .find(|address| TcpListener::bind((*address, 443)).is_ok())
        .context("no loopback address has a free port 443")
}
