//! Everything that is tested against real parts, in one program: one file per part or behaviour.

mod aws;
mod bad_input;
mod clean_up;
mod engine;
mod engine_auth;
mod example;
mod faults;
mod no_fallback;
mod podman;
mod pull;
mod refused;
mod registry;
mod secrecy;
mod token_server;
