//! Passwords that were written in front of a host, as in a URL.

/// `[redacted]@host/…` for an image or a registry's key in which something that may be a password stands in front of
/// the host, as in a URL; `None` for any other text.
///
/// An image reference has no place for a user name, so such a text is never valid; but it ends in messages.
///
/// ```
/// use ecs_registry_auth::without_user_info;
///
/// let shown = without_user_info("alice:correct-horse@registry.example.com/app");
/// assert_eq!(shown.as_deref(), Some("[redacted]@registry.example.com/app"));
/// assert_eq!(without_user_info("registry.example.com/app:v1"), None);
/// ```
#[must_use]
pub fn without_user_info(written: &str) -> Option<String> {
    let (before_digest, digest) = match written.rsplit_once('@') {
        Some((name, digest)) if is_digest(digest) => (name, format!("@{digest}")),
        _ => (written, String::new()),
    };
    let (user_info, rest) = before_digest.rsplit_once('@')?;
    let suspicious = user_info.contains(':') || rest.contains(['/', '.', ':']);
    suspicious.then(|| format!("[redacted]@{rest}{digest}"))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with("sha") && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::without_user_info;

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        for (written, shown) in [
            (
                "https://alice:hunter2@registry.example.com/app",
                Some("[redacted]@registry.example.com/app"),
            ),
            (
                "alice:hunter2@registry.example.com/app:v1",
                Some("[redacted]@registry.example.com/app:v1"),
            ),
            (
                "alice:hun@ter2@registry.example.com/app",
                Some("[redacted]@registry.example.com/app"),
            ),
            (
                "hunter2@registry.example.com/app",
                Some("[redacted]@registry.example.com/app"),
            ),
            ("alice:hunter2@localhost", Some("[redacted]@localhost")),
            (
                "alice:hunter2@localhost/app@sha256:0123abcd",
                Some("[redacted]@localhost/app@sha256:0123abcd"),
            ),
            ("app@latest", None),
            ("app@sha256:0123", None),
            ("registry.example.com/App", None),
        ] {
            assert_eq!(without_user_info(written).as_deref(), shown, "{written}");
        }
    }
}
