//! What must hold for any input at all. The fuzz target runs the same body.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ecs_config_loader::{Environment, Loader};

/// Loads a configuration whose env-file, JSON file and auth data are parts of `input`, and asks it everything.
pub(crate) fn load_anything(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (env_file, json_file, data) = (part(), part(), String::from_utf8_lossy(part()));
    for auth_type in ["docker", "dockercfg"] {
        let environment = Environment::from_iter([
            ("ECS_ENGINE_AUTH_TYPE", auth_type),
            ("ECS_ENGINE_AUTH_DATA", &data),
        ]);
        for loader in [Loader::new(environment), Loader::new(Environment::default())] {
            let loader = loader
                .without_default_files()
                .env_file_text("ecs.config", env_file)
                .json_file_text("config.json", json_file);
            for strict in [false, true] {
                ask(&loader.clone().strict(strict));
            }
        }
    }
}

fn ask(loader: &Loader) {
    let config = match now(loader.load()) {
        Ok(config) => config,
        Err(errors) => {
            assert!(!errors.findings().is_empty());
            return;
        }
    };
    let shown = config.show();
    assert_eq!(shown.registries.len(), config.engine_auth.len());
    let keys: Vec<String> = shown.registries.into_iter().map(|shown| shown.registry).collect();
    let images = keys.iter().map(|registry| format!("{registry}/team/app"));
    for image in images.chain(["nginx".to_owned()]) {
        // A key need not be a host that an image can name.
        let Ok(image) = image.parse() else {
            continue;
        };
        let candidates = config.engine_auth.candidates(&image);
        let chosen: Vec<_> = candidates.iter().filter(|candidate| candidate.chosen).collect();
        match config.engine_auth.lookup(&image) {
            Ok(Some(resolved)) => {
                assert_eq!(chosen.len(), 1);
                assert_eq!(chosen[0].key, resolved.provenance.key);
                assert_eq!(&resolved.provenance.registry, image.registry());
            }
            Ok(None) | Err(_) => assert!(chosen.is_empty()),
        }
    }
}

/// The result of a future that has no reason to wait: no file is read and nothing is decrypted.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("loading texts does not wait"),
    }
}

#[cfg(test)]
mod tests {
    use super::load_anything;
    use proptest::prelude::*;

    /// Pieces that make inputs which get past the first check.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("\0".to_owned()),
            Just("ECS_ENGINE_AUTH_TYPE=docker\n".to_owned()),
            Just("ECS_ENGINE_AUTH_DATA=".to_owned()),
            Just("{\"ghcr.io\": {\"username\": \"u\", \"password\": \"p\"}}".to_owned()),
            Just("{\"EngineAuthType\": \"dockercfg\", \"EngineAuthData\": {\"ghcr.io/team\": {\"auth\": \"dTpw\"}}}".to_owned()),
            "[-={}\"':,/a-z0-9 \\\\\n\r\u{feff}\u{e9}]{0,12}",
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_load_or_fail(input in prop::collection::vec(any::<u8>(), 0..400)) {
            load_anything(&input);
        }

        #[test]
        fn any_mixture_of_plausible_pieces_loads_or_fails(pieces in prop::collection::vec(piece(), 0..12)) {
            load_anything(pieces.concat().as_bytes());
        }
    }
}
