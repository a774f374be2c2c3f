//! What must hold for any text at all as an image reference. The fuzz target runs the same body.

use ecs_registry_auth::{ImageReference, Registry};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Parses the input, and everything that can be made of the image, again.
pub(crate) fn parse_anything(input: &[u8]) {
    let written = String::from_utf8_lossy(input);
    let image = match ImageReference::parse(&written) {
        Ok(image) => image,
        Err(error) => {
            // A message stays short, whatever was written.
            assert!(error.to_string().len() <= written.len().min(300) * 12 + 400);
            return;
        }
    };
    assert_eq!(image.as_str(), written);
    assert_eq!(image.registry(), &Registry::from_host(image.domain()));
    assert_eq!(image.name(), format!("{}/{}", image.domain(), image.repository()));

    let same = ImageReference::parse(image.name()).expect("a whole name is a reference");
    assert_eq!(
        (same.name(), same.tag(), same.digest()),
        (image.name(), None, None)
    );

    let pinned = ImageReference::parse(&image.pinned_to(DIGEST)).expect("a pinned image is a reference");
    assert_eq!((pinned.name(), pinned.tag()), (image.name(), None));
    assert_eq!(pinned.digest(), Some(DIGEST));
}

#[cfg(test)]
mod tests {
    use super::parse_anything;
    use proptest::prelude::*;

    #[test]
    fn long_inputs_parse_or_fail() {
        for text in ["A", "a", "a/A", "a:A", "Ä", "a@A", "A@a:"] {
            parse_anything(text.repeat(100_000).as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn any_bytes_parse_or_fail(input in prop::collection::vec(any::<u8>(), 0..100)) {
            parse_anything(&input);
        }

        #[test]
        fn any_plausible_text_parses_or_fails(
            input in r"(https?://)?([A-Za-z0-9.\[\]:_-]{0,12}/){0,3}[a-zA-Z0-9._/-]{0,12}(:[a-zA-Z0-9._-]{0,9})?(@[a-z0-9]{1,7}:[0-9a-fA-F]{0,64})?"
        ) {
            parse_anything(input.as_bytes());
        }
    }
}
