//! What to say about a text that is not an image reference.

use ecs_registry_auth::{ImageReference, ReferenceErrorKind};

use crate::Problem;

/// Message and next step.
pub(crate) fn explain(written: &str, kind: &ReferenceErrorKind) -> (String, &'static str) {
    if let Some(redacted) = without_user_info(written) {
        return (
            format!("image {redacted:?} has a user name or password in front of its host"),
            "remove it, put it into a Secrets Manager secret named in \"repositoryCredentials\", and change the \
             password: task definitions are readable by many",
        );
    }
    let next_step = if ["${", "$(", "{{", "<", "%"]
        .iter()
        .any(|mark| written.contains(mark))
    {
        "fill in the placeholder: the tool that deploys this document does that before it registers it"
    } else if written.contains(char::is_whitespace) {
        "remove the white space"
    } else {
        match kind {
            ReferenceErrorKind::Scheme => "leave out the scheme",
            ReferenceErrorKind::Uppercase(_) => "write the repository in lower case",
            ReferenceErrorKind::ImageId(_) => "name a repository: an image id cannot be pulled",
            // What is cut off in a digest makes some of them fail the grammar and others the digest's own rules.
            _ if written.contains('@') => {
                "copy the whole digest: \"sha256:\" and 64 lower-case hexadecimal digits"
            }
            _ => "write the image as [host[:port]/]path[:tag][@digest]",
        }
    };
    let shown: String = written.chars().take(300).collect();
    (format!("image {shown:?}: {kind}"), next_step)
}

/// The image as it may be shown.
pub(crate) fn presentable(written: &str, reference: &Result<ImageReference, Problem>) -> String {
    match reference {
        // A reference has no place for a password.
        Ok(_) => written.to_owned(),
        Err(_) => without_user_info(written).unwrap_or_else(|| written.to_owned()),
    }
}

/// `[redacted]@host/…` if something stands in front of the host that may be a password, as in a URL.
fn without_user_info(written: &str) -> Option<String> {
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
