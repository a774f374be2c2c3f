//! The resolver against AWS's answers, as they come over the wire.

mod failures;
mod fetching;
mod identities;
mod kms;
mod rotation;
mod support;
