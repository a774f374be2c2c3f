//! The grammar of references, as one pass over the text.
//!
//! Rule: <https://github.com/distribution/reference/blob/main/regexp.go>.

use std::ops::Range;

use super::ReferenceErrorKind;

const PATH_MAX: usize = 255;
const TAG_MAX: usize = 128;

pub(super) struct Parsed {
    pub(super) domain: String,
    pub(super) path: String,
    pub(super) tag: Option<Range<usize>>,
    pub(super) digest: Option<Range<usize>>,
}

pub(super) fn parse(written: &str) -> Result<Parsed, ReferenceErrorKind> {
    if written.len() == 64
        && written
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(ReferenceErrorKind::ImageId(written.to_owned()));
    }
    if written.starts_with("http://") || written.starts_with("https://") {
        return Err(ReferenceErrorKind::Scheme);
    }
    let (domain, remainder) = split_domain(written);
    let remainder_start = written.len() - remainder.len();

    let (before_digest, digest) = match remainder.find('@') {
        Some(at) => (&remainder[..at], Some(remainder_start + at + 1..written.len())),
        None => (remainder, None),
    };
    let (path, tag) = match before_digest.find(':') {
        Some(colon) => (
            &before_digest[..colon],
            Some(remainder_start + colon + 1..remainder_start + before_digest.len()),
        ),
        None => (before_digest, None),
    };

    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ReferenceErrorKind::Uppercase(path.to_owned()));
    }
    if !is_domain(domain) || !path.split('/').all(is_path_component) {
        return Err(ReferenceErrorKind::Format);
    }
    if tag.clone().is_some_and(|tag| !is_tag(&written[tag])) {
        return Err(ReferenceErrorKind::Format);
    }
    if let Some(digest) = digest.clone() {
        check_digest(&written[digest])?;
    }
    let domain = if domain == "index.docker.io" {
        "docker.io"
    } else {
        domain
    };
    let path = if domain == "docker.io" && !path.contains('/') {
        format!("library/{path}")
    } else {
        path.to_owned()
    };
    if path.len() > PATH_MAX {
        return Err(ReferenceErrorKind::TooLong);
    }
    Ok(Parsed {
        domain: domain.to_owned(),
        path,
        tag,
        digest,
    })
}

/// A first component is a host when it could not be the namespace of a repository on Docker Hub.
fn split_domain(written: &str) -> (&str, &str) {
    match written.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => ("docker.io", written),
    }
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = if let Some(bracketed) = domain.strip_prefix('[') {
        let Some((address, after)) = bracketed.split_once(']') else {
            return false;
        };
        if address.is_empty()
            || !address
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        {
            return false;
        }
        match after.strip_prefix(':') {
            Some(port) => return is_port(port),
            None => return after.is_empty(),
        }
    } else {
        match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        }
    };
    host.split('.').all(is_domain_component) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_domain_component(component: &str) -> bool {
    !component.is_empty()
        && !component.starts_with('-')
        && !component.ends_with('-')
        && component
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `[a-z0-9]+` runs joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges_are_words = bytes.first().is_some_and(is_word) && bytes.last().is_some_and(is_word);
    edges_are_words
        && bytes
            .chunk_by(|left, right| is_word(left) == is_word(right))
            .all(|run| {
                run.first().is_some_and(is_word)
                    || matches!(run, b"." | b"_" | b"__")
                    || run.iter().all(|byte| *byte == b'-')
            })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_MAX).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag
            .bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// Rule: <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>.
fn check_digest(digest: &str) -> Result<(), ReferenceErrorKind> {
    let (algorithm, encoded) = digest.split_once(':').ok_or(ReferenceErrorKind::Format)?;
    let algorithm_is_well_formed = algorithm.split(['-', '_', '+', '.']).all(|part| {
        part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let encoded_is_hex = encoded.len() >= 32 && encoded.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !algorithm_is_well_formed || !encoded_is_hex {
        return Err(ReferenceErrorKind::Format);
    }
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(ReferenceErrorKind::DigestAlgorithm),
    };
    if encoded.len() != length {
        return Err(ReferenceErrorKind::DigestLength);
    }
    if encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ReferenceErrorKind::DigestFormat);
    }
    Ok(())
}
