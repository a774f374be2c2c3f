//! Putting an image into a registry over its own API, without an engine.
//!
//! See <https://distribution.github.io/distribution/spec/api/#pushing-an-image>.

use anyhow::{Context, Result};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Url};

use crate::image::{Blob, Image};
use crate::token_server::TokenServer;

/// As whom to push.
#[derive(Debug, Clone)]
pub(crate) enum Publisher {
    Anonymous,
    Password(&'static str, &'static str),
    Token(TokenServer),
}

impl Publisher {
    fn sign(&self, request: RequestBuilder, repository: &str) -> Result<RequestBuilder> {
        Ok(match self {
            Self::Anonymous => request,
            Self::Password(user, password) => request.basic_auth(user, Some(password)),
            Self::Token(server) => request.bearer_auth(server.token(repository, &["pull", "push"])?),
        })
    }
}

/// Pushes everything that `image` consists of and returns the digest that `tag` then stands for.
pub(crate) async fn push(
    registry: &str,
    publisher: &Publisher,
    image: &Image,
    repository: &str,
    tag: &str,
) -> Result<String> {
    let client = Client::builder().no_proxy().build()?;
    for blob in &image.blobs {
        let start = client.post(format!("{registry}/v2/{repository}/blobs/uploads/"));
        let started = publisher
            .sign(start, repository)?
            .send()
            .await?
            .error_for_status()?;
        let location = started
            .headers()
            .get(LOCATION)
            .context("no upload location")?
            .to_str()?;
        let mut location: Url = started.url().join(location)?;
        location.query_pairs_mut().append_pair("digest", &blob.digest);
        let upload = client.put(location).body(blob.content.clone());
        publisher
            .sign(upload, repository)?
            .send()
            .await?
            .error_for_status()?;
    }
    let tagged = image
        .index
        .as_ref()
        .or(image.manifests.first())
        .context("an image without a manifest")?;
    let by_digest = image
        .manifests
        .iter()
        .map(|manifest| (manifest, manifest.digest.as_str()));
    for (manifest, reference) in by_digest.chain([(tagged, tag)]) {
        let Blob {
            media_type, content, ..
        } = manifest;
        let put = client
            .put(format!("{registry}/v2/{repository}/manifests/{reference}"))
            .header(CONTENT_TYPE, *media_type)
            .body(content.clone());
        publisher
            .sign(put, repository)?
            .send()
            .await?
            .error_for_status()?;
    }
    Ok(tagged.digest.clone())
}
