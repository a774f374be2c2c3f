//! What kind of body an answer has: nothing of it is kept but AWS's own code and message.

/// Longer error texts are cut: some of AWS's quote the whole request.
const LONGEST: usize = 600;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// HTML.
    WebPage,
    /// An error in XML, as STS sends it.
    Xml {
        code: Option<String>,
        message: Option<String>,
    },
    Other,
}

impl Body {
    pub(super) fn classify(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(4096)];
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if !text.starts_with('<') {
            return Self::Other;
        }
        let code = element(text, "Code");
        let message = element(text, "Message");
        let lower = text.to_ascii_lowercase();
        if code.is_none() && (lower.contains("<html") || lower.starts_with("<!doctype html")) {
            return Self::WebPage;
        }
        Self::Xml {
            code: code.and_then(|code| first_line(&code)),
            message: message.and_then(|message| first_line(&unescaped(&message))),
        }
    }
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (content, _) = after.split_once(&format!("</{name}>"))?;
    Some(content.trim().to_owned())
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The first line alone, without control characters: the error of a wrong signature goes on with the canonical
/// request and the session token in it.
pub(super) fn first_line(text: &str) -> Option<String> {
    let line: String = text
        .trim()
        .lines()
        .next()?
        .chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn aws_errors_in_xml_are_told_from_web_pages() {
        let denied = "<ErrorResponse>\n<Error><Code>AccessDenied</Code><Message>User: &quot;x&quot; is not\nallowed</Message>";
        assert_eq!(
            Body::classify(denied.as_bytes()),
            Body::Xml {
                code: Some("AccessDenied".to_owned()),
                message: Some("User: \"x\" is not".to_owned()),
            }
        );
        for page in [
            "<!DOCTYPE html><p>Log in",
            "\u{feff} <HTML><body>",
            "<?xml version='1.0'?><html lang=en>",
        ] {
            assert_eq!(Body::classify(page.as_bytes()), Body::WebPage, "{page}");
        }
        for other in ["", "{\"Code\":1}", "plain", "{"] {
            assert_eq!(Body::classify(other.as_bytes()), Body::Other, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Body::classify(&bytes);
        }

        #[test]
        fn one_short_line_is_kept(text in "\\PC{0,900}(\n.*)?") {
            let line = first_line(&text).unwrap_or_default();
            prop_assert!(!line.contains('\n') && line.chars().count() <= LONGEST);
        }
    }
}
