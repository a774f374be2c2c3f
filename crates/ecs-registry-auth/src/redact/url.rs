//! URLs inside a text: their user info and their query string.

use std::borrow::Cow;

use super::REDACTED;

/// Query parameters that say what was asked for and hold no secret: those of the registry's token request, of the
/// registry's and of the engine's API.
const HARMLESS: [&str; 13] = [
    "service",
    "scope",
    "ns",
    "platform",
    "tag",
    "fromImage",
    "repo",
    "n",
    "last",
    "digest",
    "mount",
    "from",
    "artifactType",
];

/// Takes user info and the values of query parameters out of every URL in the text.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let mut result = String::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("://").map(|offset| from + offset) {
        let start = found + 3;
        let end = text[start..]
            .find(is_end)
            .map_or(text.len(), |offset| start + offset);
        from = end;
        if !text[..found]
            .chars()
            .next_back()
            .is_some_and(|last| last.is_ascii_alphanumeric())
        {
            continue;
        }
        let url = &text[start..end];
        if let Cow::Owned(cleaned) = clean_url(url) {
            result.push_str(&text[done..start]);
            result.push_str(&cleaned);
            done = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    result.push_str(&text[done..]);
    Cow::Owned(result)
}

/// What cannot be part of a URL, and so ends it.
fn is_end(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '"' | '<' | '>' | '`')
}

/// A URL without its scheme.
fn clean_url(url: &str) -> Cow<'_, str> {
    let authority_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    // A password may hold a slash that its owner did not escape: whatever an `@` ends before the query is user info,
    // unless it is the `@` of a digest.
    let before_query = url.find(['?', '#']).unwrap_or(url.len());
    let user_info_end = match url[..authority_end].rfind('@') {
        Some(at) => Some(at),
        None if url[..authority_end].contains(':') => url[..before_query]
            .rfind('@')
            .filter(|at| !is_digest(&url[at + 1..]) && !is_host_and_port(&url[..authority_end])),
        None => None,
    };
    let query = url.find('?');
    if user_info_end.is_none() && query.is_none() {
        return Cow::Borrowed(url);
    }
    let mut cleaned = String::with_capacity(url.len());
    let rest = match user_info_end {
        Some(at) => {
            cleaned.push_str(REDACTED);
            at
        }
        None => 0,
    };
    match query.filter(|query| *query >= rest) {
        None => cleaned.push_str(&url[rest..]),
        Some(query) => {
            cleaned.push_str(&url[rest..=query]);
            clean_query(&url[query + 1..], &mut cleaned);
        }
    }
    if cleaned == url {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(cleaned)
    }
}

fn clean_query(query: &str, cleaned: &mut String) {
    for (number, pair) in query.split('&').enumerate() {
        if number > 0 {
            cleaned.push('&');
        }
        match pair.split_once('=') {
            Some((name, value)) if HARMLESS.contains(&name) || value.is_empty() => cleaned.push_str(pair),
            Some((name, value)) => {
                cleaned.push_str(name);
                cleaned.push('=');
                cleaned.push_str(REDACTED);
                // The punctuation with which an error text goes on after the URL.
                cleaned.push_str(&value[value.trim_end_matches([':', ',', '.', ';', ')']).len()..]);
            }
            // Without a name there is no telling what it is.
            None if pair.is_empty() || HARMLESS.contains(&pair) => cleaned.push_str(pair),
            None => cleaned.push_str(REDACTED),
        }
    }
}

fn is_host_and_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_digest(text: &str) -> bool {
    ["sha256:", "sha384:", "sha512:"]
        .iter()
        .any(|algorithm| text.starts_with(algorithm))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn user_info_and_query_values_are_taken_out() {
        for (text, expected) in [
            ("no url here", "no url here"),
            (
                "Get https://r.example.com/v2/: EOF",
                "Get https://r.example.com/v2/: EOF",
            ),
            (
                "https://alice:pw@r.example.com/v2/",
                "https://[redacted]@r.example.com/v2/",
            ),
            (
                "https://alice:p/w@r.example.com/v2/",
                "https://[redacted]@r.example.com/v2/",
            ),
            (
                "https://alice:p@w@r.example.com/v2/",
                "https://[redacted]@r.example.com/v2/",
            ),
            ("https://token@r.example.com", "https://[redacted]@r.example.com"),
            (
                "\"https://auth.example.com/token?account=alice&scope=repository%3Aapp%3Apull&service=r\": EOF",
                "\"https://auth.example.com/token?account=[redacted]&scope=repository%3Aapp%3Apull&service=r\": EOF",
            ),
            (
                "Get https://s3.example.com/b?X-Amz-Signature=ab12&X-Amz-Date=1: 403",
                "Get https://s3.example.com/b?X-Amz-Signature=[redacted]&X-Amz-Date=[redacted]: 403",
            ),
            (
                "https://r.example.com/?opaque",
                "https://r.example.com/?[redacted]",
            ),
            (
                "https://r.example.com/?a=1 and ://x?y=1",
                "https://r.example.com/?a=[redacted] and ://x?y=1",
            ),
            (
                "http://127.0.0.1:5000/v2/app@sha256:ab/x and https://u:p@h",
                "http://127.0.0.1:5000/v2/app@sha256:ab/x and https://[redacted]@h",
            ),
        ] {
            assert_eq!(clean(text), expected, "{text}");
        }
    }
}
