//! What a registry has seen, read from its log.

use serde_json::Value;

/// How the registry took the credential of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// None was presented, and one is needed.
    Anonymous,
    /// A user name with a wrong password, or a token that does not hold.
    Refused,
    /// It was right, or the registry asks for none.
    Accepted,
}

/// One request for something in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRequest {
    /// The HTTP method.
    pub method: String,
    /// The path and query, from `/v2/` on.
    pub path: String,
    /// With what success.
    pub login: Login,
    /// As whom, where the registry let somebody in by password.
    pub user: Option<String>,
    identifier: String,
}

impl RegistryRequest {
    /// Whether it asked for a manifest, that is, for an image.
    #[must_use]
    pub fn is_for_manifest(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD") && self.path.contains("/manifests/")
    }
}

/// The requests in a log in JSON lines. The API's root is left out: every client asks there first whether a login is needed.
pub(crate) fn parse_log(log: &str) -> Vec<RegistryRequest> {
    let mut requests: Vec<RegistryRequest> = Vec::new();
    for line in log.lines().filter(|line| line.starts_with('{')) {
        // The last line may still be in the middle of being written.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let message = text("msg");
        let login = if message.contains("invalid authorization credential")
            || message.contains("authorization token required")
        {
            Login::Anonymous
        } else if message.starts_with("error authorizing context") {
            Login::Refused
        } else {
            Login::Accepted
        };
        let (identifier, path) = (text("http.request.id"), text("http.request.uri"));
        if identifier.is_empty() || path == "/v2/" || message.starts_with("error authenticating user") {
            continue;
        }
        let user = event["auth.user.name"].as_str().map(str::to_owned);
        // Later lines about a request know more.
        match requests
            .iter_mut()
            .find(|request| request.identifier == identifier)
        {
            Some(request) => {
                request.login = login;
                request.user = user.or(request.user.take());
            }
            None => requests.push(RegistryRequest {
                method: text("http.request.method").to_owned(),
                path: path.to_owned(),
                login,
                user,
                identifier: identifier.to_owned(),
            }),
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(identifier: &str, path: &str, rest: &str) -> String {
        format!(
            r#"{{"http.request.id": "{identifier}", "http.request.method": "GET", "http.request.uri": "{path}", {rest}}}"#
        )
    }

    #[test]
    fn a_request_is_told_by_its_last_line_and_pings_are_left_out() {
        let log = [
            "127.0.0.1 - - an access log line".to_owned(),
            line(
                "0",
                "/v2/",
                r#""msg": "error authorizing context: … invalid authorization credential""#,
            ),
            line("1", "/v2/a/manifests/v1", r#""msg": "authorized request""#),
            line(
                "1",
                "/v2/a/manifests/v1",
                r#""msg": "response completed", "auth.user.name": "alice""#,
            ),
            line(
                "2",
                "/v2/a/manifests/v1",
                r#""msg": "error authenticating user \"alice\": authentication failure""#,
            ),
            line(
                "2",
                "/v2/a/manifests/v1",
                r#""msg": "error authorizing context: basic: authentication failure""#,
            ),
            line(
                "3",
                "/v2/a/blobs/x",
                r#""msg": "error authorizing context: … invalid authorization credential""#,
            ),
            r#"{"half a li"#.to_owned(),
        ]
        .join("\n");
        let requests = parse_log(&log);
        let logins: Vec<_> = requests.iter().map(|request| request.login).collect();
        assert_eq!(logins, [Login::Accepted, Login::Refused, Login::Anonymous]);
        let users: Vec<_> = requests.iter().map(|request| request.user.as_deref()).collect();
        assert_eq!(users, [Some("alice"), None, None]);
        assert_eq!(
            requests
                .iter()
                .map(RegistryRequest::is_for_manifest)
                .collect::<Vec<_>>(),
            [true, true, false]
        );
    }
}
