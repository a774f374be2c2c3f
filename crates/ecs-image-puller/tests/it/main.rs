//! What a puller does, on a scripted engine.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod cached;
mod cancellation;
mod credentials;
mod digests;
mod kills;
mod limits;
mod record;
mod retries;
mod sharing;
mod support;
mod tls;
mod wire;
