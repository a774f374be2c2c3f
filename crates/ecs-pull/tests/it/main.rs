//! The command as its users run it, as far as it needs no engine, no registry and no AWS.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

mod arguments;
mod config;
mod explain;
mod policy;
mod support;
