//! Whether a secret came by, without keeping what came by.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use ecs_registry_auth::Secret;
use http::request::Parts;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// Of each request's body, so many bytes are searched: forms with tokens are short, layers are not searched whole.
const SEARCHED: usize = 64 * 1024;

/// Encoders disagree on the bits that the last character leaves over, and on padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Tells whether a secret was sent to a proxy since it is watched for.
///
/// It is looked for in the target, the headers and the first 64 KiB of the body of each request: as it is, in percent
/// encoding, and in either alphabet of base64, so inside basic authentication too.
#[derive(Clone, Debug)]
pub struct SecretWatch(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    secret: Secret<String>,
    sightings: AtomicU64,
}

impl SecretWatch {
    /// In how many places (heads and bodies of requests) the secret was seen.
    #[must_use]
    pub fn sightings(&self) -> u64 {
        self.0.sightings.load(Ordering::SeqCst)
    }
}

/// The secrets that a proxy looks for.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<Vec<SecretWatch>>);

impl Watches {
    pub(super) fn add(&self, secret: Secret<String>) -> SecretWatch {
        let watch = SecretWatch(Arc::new(Watched {
            secret,
            sightings: AtomicU64::new(0),
        }));
        self.lock().push(watch.clone());
        watch
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SecretWatch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn search_head(&self, head: &Parts) {
        let mut text = Zeroizing::new(head.uri.to_string());
        for (name, value) in &head.headers {
            text.push('\n');
            text.push_str(name.as_str());
            text.push('\n');
            text.push_str(&Zeroizing::new(
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ));
        }
        self.search(&text);
    }

    fn search(&self, text: &str) {
        let watches = self.lock();
        if watches.is_empty() || text.is_empty() {
            return;
        }
        let readings = readings(text);
        for watch in watches.iter() {
            let secret = watch.0.secret.expose().as_str();
            if readings.iter().any(|reading| reading.contains(secret)) {
                watch.0.sightings.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// Every way in which a text can be read.
fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let mut readings = vec![
        Zeroizing::new(text.to_owned()),
        decoded(text),
        // Forms write a space as a plus sign.
        decoded(&Zeroizing::new(text.replace('+', " "))),
    ];
    let in_base64 = |character: char| character.is_ascii_alphanumeric() || "+/-_".contains(character);
    let mut words = Vec::new();
    for word in readings[..2]
        .iter()
        .flat_map(|reading| reading.split(|character| !in_base64(character)))
    {
        let standard = Zeroizing::new(word.replace('-', "+").replace('_', "/"));
        if let Ok(bytes) = LENIENT.decode(standard.as_bytes()) {
            let bytes = Zeroizing::new(bytes);
            words.push(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    readings.append(&mut words);
    readings
}

/// The body of a request, searched on its way.
#[derive(Debug)]
pub(super) struct SearchedBody {
    inner: Incoming,
    start: Zeroizing<Vec<u8>>,
    watches: Option<Arc<Watches>>,
}

impl SearchedBody {
    pub(super) fn new(inner: Incoming, watches: Arc<Watches>) -> Self {
        Self {
            inner,
            start: Zeroizing::default(),
            watches: Some(watches),
        }
    }

    fn search(&mut self) {
        if let Some(watches) = self.watches.take() {
            watches.search(&Zeroizing::new(String::from_utf8_lossy(&self.start).into_owned()));
        }
    }
}

impl Drop for SearchedBody {
    fn drop(&mut self) {
        self.search();
    }
}

impl Body for SearchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(_)) = (frame.data_ref(), &self.watches) {
                    let room = SEARCHED - self.start.len();
                    self.start.extend_from_slice(&data[..data.len().min(room)]);
                    if self.start.len() == SEARCHED {
                        self.search();
                    }
                }
            }
            Poll::Ready(_) => self.search(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::Watches;

    #[test]
    fn a_secret_is_seen_in_every_dress_and_nothing_else_is() {
        for (text, expected) in [
            ("s3cret>?~ & more", true),
            // alice:s3cret>?~ & more
            ("Basic YWxpY2U6czNjcmV0Pj9+ICYgbW9yZQ==", true),
            ("Basic YWxpY2U6czNjcmV0Pj9-ICYgbW9yZQ", true),
            ("token=YWxpY2U6czNjcmV0Pj9%2BICYgbW9yZQ%3D%3D", true),
            ("password=s3cret%3E%3F~%20%26%20more", true),
            ("password=s3cret%3E%3F~+%26+more", true),
            ("s3cret>?~ & less", false),
            ("Basic YWxpY2U6ZWxzZQ==", false),
        ] {
            let watches = Watches::default();
            let watch = watches.add("s3cret>?~ & more".into());
            watches.search(text);
            assert_eq!(watch.sightings(), u64::from(expected), "{text}");
            assert!(!format!("{watch:?}").contains("s3cret"));
        }
    }
}
