//! What can go wrong between an engine and a registry.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, header};
use serde_json::json;

/// What happens to a request that a [`Rule`](super::Rule) matches.
///
/// Positions are counted from 0 in the bytes of the answer's body; a body that ends before one arrives whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The proxy answers with this status and the error body that a registry would send: [`Answer::status`].
    Status(u16),
    /// The proxy answers.
    Answer(Answer),
    /// `307 Temporary Redirect` to the same path and query at another place: `http://127.0.0.2:5000`.
    Redirect {
        /// Scheme and host of the other place.
        to: String,
    },
    /// `401 Unauthorized` with a bearer challenge whose token server is elsewhere.
    ///
    /// Rule: <https://distribution.github.io/distribution/spec/auth/token/>.
    Realm {
        /// URL of the token server.
        realm: String,
    },
    /// The registry's answer, and a TCP reset once this many bytes of the body are sent.
    Reset {
        /// Bytes of the body that are sent.
        after: u64,
    },
    /// The registry's answer, whose connection closes in good order before the body has the length that was announced.
    Truncate {
        /// Bytes of the body that are sent.
        after: u64,
    },
    /// The registry's answer with every bit of one byte turned over.
    WrongByte {
        /// Position of the byte.
        at: u64,
    },
    /// The registry's answer, which stops and keeps the connection open until the other side closes it.
    Stall {
        /// Bytes of the body that are sent.
        after: u64,
    },
    /// The registry's answer, slowly.
    Slow {
        /// Bytes per second, at least 1.
        rate: u64,
    },
    /// Nothing for so long, then the registry's answer.
    Delay(Duration),
    /// Every connection is closed without an answer, and no new one is accepted for so long: the registry restarts.
    Refuse {
        /// How long connections are refused.
        lasting: Duration,
    },
}

/// An answer of the proxy's own.
///
/// ```
/// use std::time::Duration;
///
/// use ecs_image_puller::testing::fault_proxy::{Answer, Fault, RetryAfter};
///
/// let wait = Fault::Answer(Answer::status(429).with_retry_after(RetryAfter::Seconds(2)));
/// let portal = Fault::Answer(Answer::status(200).with_body("text/html", "<html>Please log in</html>"));
/// # assert_ne!(wait, portal);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    retry_after: Option<RetryAfter>,
    headers: Vec<(String, String)>,
    body: Option<(String, Bytes)>,
}

impl Answer {
    /// A status from 200 to 599, with an error body as the registry's own answers of that status have it.
    ///
    /// With 401 goes a challenge for basic authentication, unless [`with_header`](Self::with_header) sets another.
    ///
    /// Rule: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            headers: Vec::new(),
            body: None,
        }
    }

    /// The same with a `Retry-After` header.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: RetryAfter) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body in place of the registry's error body.
    #[must_use]
    pub fn with_body(mut self, media_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        self.body = Some((media_type.into(), body.into()));
        self
    }

    /// The answer to a request for `path`. A status or header that HTTP does not know becomes a 500 that says so: a
    /// test sees its own mistake.
    pub(super) fn to_response(&self, path: &str) -> Response<Bytes> {
        if !(200..600).contains(&self.status) {
            return mistake(&format!("{} is not the status of an answer", self.status));
        }
        let mut response = Response::builder().status(self.status);
        if let Some(retry_after) = self.retry_after {
            response = response.header(header::RETRY_AFTER, retry_after.to_value());
        }
        let challenged = |(name, _): &(String, String)| name.eq_ignore_ascii_case("www-authenticate");
        if self.status == 401 && !self.headers.iter().any(challenged) {
            response = response.header(header::WWW_AUTHENTICATE, "Basic realm=\"fault proxy\"");
        }
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        let (media_type, body) = match &self.body {
            Some((media_type, body)) => (media_type.as_str(), body.clone()),
            None => ("application/json", registry_error(self.status, path)),
        };
        response
            .header(header::CONTENT_TYPE, media_type)
            .body(body)
            .unwrap_or_else(|error| mistake(&error.to_string()))
    }
}

/// When a registry wants to be asked again.
///
/// Rule: <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// The date that is so far away when the answer is sent, cut to whole seconds as HTTP dates are.
    Date(Duration),
}

impl RetryAfter {
    fn to_value(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(away) => httpdate::fmt_http_date(SystemTime::now() + away),
        }
    }
}

pub(super) fn mistake(what: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("the fault proxy cannot answer: {what}\n")));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn registry_error(status: u16, path: &str) -> Bytes {
    let (code, message) = match status {
        401 => ("UNAUTHORIZED", "authentication required"),
        403 => ("DENIED", "requested access to the resource is denied"),
        404 if path.contains("/blobs/") => ("BLOB_UNKNOWN", "blob unknown to registry"),
        404 if path.contains("/manifests/") => ("MANIFEST_UNKNOWN", "manifest unknown"),
        404 => ("NAME_UNKNOWN", "repository name not known to registry"),
        429 => ("TOOMANYREQUESTS", "too many requests"),
        503 => ("UNAVAILABLE", "service unavailable"),
        _ => ("UNKNOWN", "unknown error"),
    };
    Bytes::from(json!({"errors": [{"code": code, "message": message, "detail": null}]}).to_string())
}

/// What happens to the body of the registry's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    Cut { after: u64, reset: bool },
    WrongByte { at: u64 },
    Stall { after: u64 },
    Slow { rate: u64 },
}

impl Fault {
    /// What is left to do once the registry has answered.
    pub(super) fn of_body(&self) -> Option<BodyFault> {
        match *self {
            Self::Reset { after } => Some(BodyFault::Cut { after, reset: true }),
            Self::Truncate { after } => Some(BodyFault::Cut { after, reset: false }),
            Self::WrongByte { at } => Some(BodyFault::WrongByte { at }),
            Self::Stall { after } => Some(BodyFault::Stall { after }),
            Self::Slow { rate } => Some(BodyFault::Slow { rate: rate.max(1) }),
            _ => None,
        }
    }

    /// The answer, where the registry is not asked. `target` is path and query of the request.
    pub(super) fn own_answer(&self, path: &str, target: &str) -> Option<Response<Bytes>> {
        let answer = match self {
            Self::Status(status) => Answer::status(*status),
            Self::Answer(answer) => answer.clone(),
            Self::Redirect { to } => Answer::status(307)
                .with_header("location", format!("{}{target}", to.trim_end_matches('/')))
                .with_body("text/plain", Bytes::new()),
            Self::Realm { realm } => {
                let scope = match repository(path) {
                    Some(repository) => format!(",scope=\"repository:{repository}:pull\""),
                    None => String::new(),
                };
                let challenge = format!("Bearer realm=\"{realm}\",service=\"fault proxy\"{scope}");
                Answer::status(401).with_header("www-authenticate", challenge)
            }
            _ => return None,
        };
        Some(answer.to_response(path))
    }
}

/// `team/app` of `/v2/team/app/blobs/sha256:…`.
fn repository(path: &str) -> Option<&str> {
    let below = path.strip_prefix("/v2/")?;
    ["/manifests/", "/blobs/", "/tags/"]
        .iter()
        .find_map(|kind| below.rfind(kind))
        .map(|end| &below[..end])
}

#[cfg(test)]
mod tests {
    use super::{Answer, repository};

    #[test]
    fn an_error_has_the_code_that_a_registry_gives_it() {
        for (status, path, code) in [
            (401, "/v2/", "UNAUTHORIZED"),
            (403, "/v2/app/manifests/v1", "DENIED"),
            (404, "/v2/app/manifests/v1", "MANIFEST_UNKNOWN"),
            (404, "/v2/app/blobs/sha256:0", "BLOB_UNKNOWN"),
            (404, "/v2/app/tags/list", "NAME_UNKNOWN"),
            (429, "/v2/", "TOOMANYREQUESTS"),
            (500, "/v2/", "UNKNOWN"),
            (503, "/v2/", "UNAVAILABLE"),
        ] {
            let response = Answer::status(status).to_response(path);
            assert_eq!(response.status().as_u16(), status);
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["errors"][0]["code"], code, "{status} {path}");
        }
    }

    #[test]
    fn what_http_does_not_know_is_answered_with_the_mistake() {
        for answer in [
            Answer::status(100),
            Answer::status(999),
            Answer::status(503).with_header("two words", "x"),
            Answer::status(503).with_header("x", "two\nlines"),
        ] {
            let response = answer.to_response("/v2/");
            assert_eq!(response.status().as_u16(), 500, "{answer:?}");
            assert!(
                response.body().starts_with(b"the fault proxy cannot answer"),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn the_repository_is_what_stands_before_the_last_kind() {
        for (path, expected) in [
            ("/v2/team/app/blobs/sha256:0", Some("team/app")),
            ("/v2/blobs/manifests/v1", Some("blobs")),
            ("/v2/", None),
            ("/token", None),
        ] {
            assert_eq!(repository(path), expected, "{path}");
        }
    }
}
