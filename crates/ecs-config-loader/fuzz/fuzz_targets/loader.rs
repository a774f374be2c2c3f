//! Any bytes as `ecs.config`, as the agent's JSON file and as auth data.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/fuzz_body.rs"]
mod fuzz_body;

fuzz_target!(|input: &[u8]| fuzz_body::load_anything(input));
