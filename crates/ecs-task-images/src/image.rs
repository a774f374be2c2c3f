//! What to say about a text that is not an image reference.

use ecs_registry_auth::{ImageReference, ReferenceErrorKind, without_user_info};

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
