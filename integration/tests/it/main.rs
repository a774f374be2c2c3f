//! Everything that is tested against real parts, in one program: one file per part or behaviour.

mod aws;
mod clean_up;
mod engine;
mod podman;
mod registry;
mod token_server;
