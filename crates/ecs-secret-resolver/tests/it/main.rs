//! The resolver against AWS's answers, as they come over the wire.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that panics fails it, as the test itself would"
)]

mod failures;
mod fetching;
mod identities;
mod kms;
mod rotation;
mod secrecy;
mod support;
