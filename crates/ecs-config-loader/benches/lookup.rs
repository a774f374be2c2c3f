//! Reading auth data, and finding the credential for an image, with 1, 10 and 1,000 registries.
//!
//! Run with `cargo bench -p ecs-config-loader`. Besides times it prints the allocations of each call.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use divan::{AllocProfiler, Bencher, black_box};
use ecs_config_loader::{AuthType, EngineAuth, Strictness};
use ecs_registry_auth::{ImageReference, Origin};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const REGISTRIES: [usize; 3] = [1, 10, 1_000];

fn main() {
    divan::main();
}

/// Every registry has a key for a namespace, as where two accounts use one registry.
fn data(registries: usize) -> String {
    let entries: Vec<String> = (0..registries)
        .map(|number| {
            format!(r#""https://r{number}.example.com/team": {{"username": "u", "password": "p{number}"}}"#)
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn auth(registries: usize) -> EngineAuth {
    let place = Origin::environment("ECS_ENGINE_AUTH_DATA");
    let data = data(registries);
    EngineAuth::parse(AuthType::Docker, &data, &place, Strictness::Lenient)
        .unwrap()
        .0
}

fn image(registry: usize) -> ImageReference {
    format!("r{registry}.example.com/team/app:v1").parse().unwrap()
}

#[divan::bench(args = REGISTRIES)]
fn parse(bencher: Bencher<'_, '_>, registries: usize) {
    let data = data(registries);
    let place = Origin::environment("ECS_ENGINE_AUTH_DATA");
    bencher.bench_local(|| {
        EngineAuth::parse(AuthType::Docker, black_box(&data), &place, Strictness::Lenient).unwrap()
    });
}

#[divan::bench(args = REGISTRIES)]
fn lookup_hit(bencher: Bencher<'_, '_>, registries: usize) {
    let auth = auth(registries);
    let image = image(registries / 2);
    assert!(auth.lookup(&image).unwrap().is_some());
    bencher.bench_local(|| auth.lookup(black_box(&image)).is_ok_and(|found| found.is_some()));
}

#[divan::bench(args = REGISTRIES)]
fn lookup_miss(bencher: Bencher<'_, '_>, registries: usize) {
    let auth = auth(registries);
    let image: ImageReference = "other.example.com/team/app:v1".parse().unwrap();
    assert!(auth.lookup(&image).unwrap().is_none());
    bencher.bench_local(|| auth.lookup(black_box(&image)).is_ok_and(|found| found.is_some()));
}

/// As the agent's figures are measured: from the text of the reference to the credential.
#[divan::bench(args = REGISTRIES)]
fn parse_reference_and_look_up(bencher: Bencher<'_, '_>, registries: usize) {
    let auth = auth(registries);
    let written = image(registries / 2).to_string();
    bencher.bench_local(|| {
        let image: ImageReference = black_box(&written).parse().unwrap();
        auth.lookup(&image).is_ok_and(|found| found.is_some())
    });
}
