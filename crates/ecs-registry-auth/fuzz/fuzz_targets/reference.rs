//! Any text as an image reference.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz_body.rs"]
mod fuzz_body;

fuzz_target!(|input: &[u8]| fuzz_body::parse_anything(input));
