//! Behaviour of the loader and of the engine-auth keychain, through the public interface.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

mod checking;
mod conformance;
#[cfg(unix)]
mod docker_config;
#[cfg(unix)]
mod docker_config_files;
mod encrypted;
mod explaining;
mod fuzz_body;
#[cfg(unix)]
mod helpers;
mod importing;
mod limits;
mod loading;
mod properties;
mod watching;
mod writing_env_file;
