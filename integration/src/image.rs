//! Images made on the spot: nothing is fetched from anywhere.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The operating system and processor that an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// As in Go's `GOOS`: `linux`, `windows`.
    pub os: &'static str,
    /// As in Go's `GOARCH`: `amd64`, `arm64`.
    pub architecture: &'static str,
}

impl Platform {
    /// The platform of this machine, which its engine pulls by default.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            os: "linux",
            architecture,
        }
    }
}

/// A blob or manifest with the digest that names it.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) media_type: &'static str,
    pub(crate) content: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, content: Vec<u8>) -> Self {
        Self {
            digest: digest(&content),
            media_type,
            content,
        }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.content.len()})
    }
}

/// An image of one or more platforms, in the Docker schema 2 form that every engine reads.
///
/// See <https://distribution.github.io/distribution/spec/manifest-v2-2/>.
#[derive(Debug, Clone)]
pub struct Image {
    /// Layers and configurations.
    pub(crate) blobs: Vec<Blob>,
    /// The manifest of each platform.
    pub(crate) manifests: Vec<Blob>,
    /// The manifest list, where there are several platforms.
    pub(crate) index: Option<Blob>,
}

impl Image {
    /// An image for this machine with a single small layer. Different `content` gives different digests.
    ///
    /// # Errors
    /// None that depends on the arguments.
    pub fn small(content: &str) -> Result<Self> {
        Self::with_layers(Platform::of_this_machine(), &[content.as_bytes()])
    }

    /// An image with one layer per item of `layers`, each holding one file with that content.
    ///
    /// # Errors
    /// None that depends on the arguments.
    pub fn with_layers(platform: Platform, layers: &[&[u8]]) -> Result<Self> {
        let mut blobs = Vec::new();
        let mut uncompressed_digests = Vec::new();
        for (number, content) in layers.iter().enumerate() {
            let archive = archive_of_one_file(&format!("layer-{number}"), content)?;
            uncompressed_digests.push(digest(&archive));
            let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
            compressed.write_all(&archive)?;
            blobs.push(Blob::new(
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                compressed.finish()?,
            ));
        }
        let configuration = json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["/layer-0"]},
            "rootfs": {"type": "layers", "diff_ids": uncompressed_digests},
            "history": layers.iter().map(|_| json!({"created_by": "test"})).collect::<Vec<_>>(),
        });
        let configuration = Blob::new(
            "application/vnd.docker.container.image.v1+json",
            configuration.to_string().into_bytes(),
        );
        let manifest_media_type = "application/vnd.docker.distribution.manifest.v2+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_media_type,
            "config": configuration.descriptor(),
            "layers": blobs.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        blobs.push(configuration);
        let manifest = Blob::new(manifest_media_type, manifest.to_string().into_bytes());
        Ok(Self {
            blobs,
            manifests: vec![manifest],
            index: None,
        })
    }

    /// One name for several platforms.
    ///
    /// # Errors
    /// None that depends on the arguments.
    pub fn for_platforms(content: &str, platforms: &[Platform]) -> Result<Self> {
        let mut whole = Self {
            blobs: Vec::new(),
            manifests: Vec::new(),
            index: None,
        };
        let mut entries = Vec::new();
        for platform in platforms {
            let content = format!("{content} for {}", platform.architecture);
            let image = Self::with_layers(*platform, &[content.as_bytes()])?;
            for manifest in &image.manifests {
                let mut entry = manifest.descriptor();
                entry["platform"] = json!({"os": platform.os, "architecture": platform.architecture});
                entries.push(entry);
            }
            whole.blobs.extend(image.blobs);
            whole.manifests.extend(image.manifests);
        }
        let media_type = "application/vnd.docker.distribution.manifest.list.v2+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
        whole.index = Some(Blob::new(media_type, index.to_string().into_bytes()));
        Ok(whole)
    }
}

/// Bytes that no compression makes fewer, the same for the same seed (xorshift): a layer of them is as long on its way.
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    // Any start but 0, and none like its neighbour's.
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn archive_of_one_file(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, name, content)?;
    Ok(archive.into_inner()?)
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}
