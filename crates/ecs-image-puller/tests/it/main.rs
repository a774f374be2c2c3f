//! What a puller does, on a scripted engine.

mod cached;
mod cancellation;
mod credentials;
mod digests;
mod limits;
mod retries;
mod support;
mod tls;
mod wire;
