//! Everything that is tested against real parts, in one program: one file per part or behaviour.

mod aws;
mod bad_input;
mod clean_up;
mod digest_first;
mod engine;
mod engine_auth;
mod engine_restart;
mod engine_tls;
mod equal_pulls;
mod example;
mod failures;
mod faults;
mod interrupt;
mod network;
mod no_fallback;
mod podman;
mod podman_pull;
mod progress;
mod pull;
mod refused;
mod registry;
mod rights;
mod rotation;
mod secrecy;
mod time_limits;
mod token_server;
