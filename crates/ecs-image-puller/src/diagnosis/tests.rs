//! Every text that a registry or an engine is known to say, and what it means.

use ecs_registry_auth::{
    Candidate, CredentialSource, ErrorClass, ErrorName, ImageReference, Provenance, Redactor, Stage,
};

use super::{Evidence, Recovery, Verdict, diagnose};
use crate::Platform;
use crate::engine::{EngineError, EngineErrorKind};

const IMAGE: &str = "registry.example.com/team/app:v1";

struct Case {
    kind: EngineErrorKind,
    message: &'static str,
    sent: bool,
}

fn verdict(case: &Case) -> Verdict {
    let image: ImageReference = IMAGE.parse().unwrap();
    let mut provenance = Provenance::anonymous(image.registry().clone());
    if case.sent {
        provenance = Provenance::new(CredentialSource::RepositoryCredentials, image.registry().clone());
        provenance.secret = Some("arn:aws:secretsmanager:eu-west-1:111111111111:secret:app-AbCdEf".into());
    }
    let candidates = [
        Candidate::new(CredentialSource::EngineAuth, false, "it is for ghcr.io").with_key("https://ghcr.io"),
    ];
    let platforms = [Platform::parse("linux/amd64").unwrap()];
    let platform = Platform::parse("linux/arm64").unwrap();
    let error = EngineError::new(case.kind, case.message);
    let evidence = Evidence {
        image: &image,
        stage: Stage::Pull,
        provenance: &provenance,
        candidates: &candidates,
        platform: Some(&platform),
        platforms: &platforms,
        place: "unix:///var/run/docker.sock",
        redactor: &Redactor::new(),
    };
    diagnose(&error, None, &evidence)
}

/// Status, text, whether a credential was sent; class, what follows, and words of message or next step.
type Row = (
    u16,
    &'static str,
    bool,
    ErrorClass,
    Recovery,
    &'static [&'static str],
);

const ROWS: &[Row] = {
    use ErrorClass::{Configuration, Credential, NotFound, Other, RateLimited, Refused};
    use Recovery::{AnotherCredential, CoolDown, Final, Retry};
    &[
        // What an engine says of a registry's usual refusal: the code without the message.
        (
            500,
            "error pulling image configuration: download failed after attempts=6: denied",
            true,
            Refused,
            AnotherCredential,
            &["denied access", "may pull team/app"],
        ),
        (
            403,
            "denied",
            true,
            Refused,
            AnotherCredential,
            &["denied access"],
        ),
        (
            500,
            "error pulling image configuration: download failed after attempts=1: unknown blob",
            true,
            NotFound,
            Final,
            &["not everything that it names", "push the image again"],
        ),
        (
            500,
            "error pulling image configuration: image config verification failed for digest sha256:00",
            true,
            Other,
            Retry,
            &["does not match its digest"],
        ),
        (
            500,
            "error unmarshalling content: invalid character '<' looking for beginning of value",
            true,
            Other,
            Final,
            &["does not answer as a registry", "login page"],
        ),
        (
            500,
            "Head \"https://r/v2/\": no basic auth credentials",
            false,
            Refused,
            AnotherCredential,
            &["https://ghcr.io", "none was sent"],
        ),
        (
            500,
            "unauthorized: authentication required",
            true,
            Refused,
            AnotherCredential,
            &["refused the credential", "secret:app-AbCdEf", "rotate"],
        ),
        (
            500,
            "unauthorized: authentication required",
            false,
            Refused,
            AnotherCredential,
            &["none was sent"],
        ),
        (
            500,
            "Get \"https://registry-1.docker.io/v2/\": unauthorized: incorrect username or password",
            true,
            Refused,
            AnotherCredential,
            &["e-mail"],
        ),
        (
            404,
            "denied: requested access to the resource is denied",
            true,
            Refused,
            AnotherCredential,
            &["do not tell"],
        ),
        (
            404,
            "pull access denied for team/app, repository does not exist or may require 'docker login'",
            true,
            Refused,
            AnotherCredential,
            &["do not tell", "secret:app-AbCdEf"],
        ),
        (
            404,
            "pull access denied for team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            false,
            Refused,
            AnotherCredential,
            &["ECS_ENGINE_AUTH_DATA"],
        ),
        (
            401,
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            true,
            Refused,
            AnotherCredential,
            &["repository:team/app:pull"],
        ),
        (
            404,
            "manifest for registry.example.com/team/app:v1 not found: manifest unknown: manifest unknown",
            true,
            NotFound,
            Final,
            &["no tag \"v1\""],
        ),
        (
            404,
            "name unknown: repository name not known to registry",
            true,
            NotFound,
            Final,
            &["no repository team/app"],
        ),
        (
            404,
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            true,
            NotFound,
            Final,
            &["linux/arm64", "linux/amd64"],
        ),
        (
            500,
            "toomanyrequests: You have reached your pull rate limit. You may increase the limit",
            true,
            RateLimited,
            Final,
            &["quota", "pull-through cache"],
        ),
        (
            500,
            "toomanyrequests: You have reached your unauthenticated pull rate limit.",
            false,
            RateLimited,
            Final,
            &["without a credential", "https://ghcr.io"],
        ),
        (
            500,
            "Too Many Requests (HAP429).",
            true,
            RateLimited,
            CoolDown(None),
            &["fewer requests"],
        ),
        (
            500,
            "toomanyrequests: Rate exceeded",
            false,
            RateLimited,
            CoolDown(None),
            &["fewer requests"],
        ),
        (
            500,
            "error parsing HTTP 429 response body: invalid character 'T' looking for beginning of value",
            false,
            RateLimited,
            CoolDown(None),
            &[],
        ),
        (
            403,
            "denied: Your Authorization Token has expired. Please run 'aws ecr get-login'",
            true,
            Refused,
            AnotherCredential,
            &["expired", "clock"],
        ),
        (
            403,
            "denied: User: arn:aws:sts::111111111111:assumed-role/x/y is not authorized to perform: ecr:BatchGetImage on resource: z",
            true,
            Refused,
            Final,
            &["ecr:BatchGetImage"],
        ),
        (
            403,
            "User: arn:aws:sts::111111111111:assumed-role/x/y is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
            true,
            Credential,
            Final,
            &["role x", "\"ecr:GetAuthorizationToken\"", "\"Resource\":\"*\""],
        ),
        (
            500,
            "Get \"https://r/v2/\": x509: certificate signed by unknown authority",
            true,
            Other,
            Final,
            &["/etc/docker/certs.d/registry.example.com/ca.crt"],
        ),
        (
            500,
            "Get \"https://r/v2/\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            true,
            Other,
            Final,
            &["clock"],
        ),
        (
            500,
            "Get \"https://r/v2/\": http: server gave HTTP response to HTTPS client",
            true,
            Other,
            Final,
            &["insecure-registries"],
        ),
        (
            500,
            "Get \"https://r/v2/\": dial tcp: lookup r on 192.0.2.1:53: no such host",
            true,
            Other,
            Retry,
            &["resolve", "network configuration"],
        ),
        (
            500,
            "Get \"https://r/v2/\": dial tcp 192.0.2.1:443: connect: connection refused",
            true,
            Other,
            Retry,
            &["refuses connections", "proxy"],
        ),
        (
            500,
            "Get \"https://r/v2/\": dial tcp 192.0.2.1:443: i/o timeout",
            true,
            Other,
            Retry,
            &["network configuration"],
        ),
        (
            500,
            "Get \"https://r/v2/\": net/http: TLS handshake timeout",
            true,
            Other,
            Retry,
            &["network configuration"],
        ),
        (
            500,
            "Get \"https://r/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            true,
            Other,
            Retry,
            &["network configuration"],
        ),
        (
            500,
            "Get \"https://r/v2/\": proxyconnect tcp: dial tcp 192.0.2.1:3128: connect: connection refused",
            true,
            Other,
            Retry,
            &["HTTPS_PROXY"],
        ),
        (
            500,
            "write /var/lib/docker/tmp/x: no space left on device",
            true,
            Other,
            Final,
            &["full", "free space"],
        ),
        (
            500,
            "filesystem layer verification failed for digest sha256:ab",
            true,
            Other,
            Retry,
            &["does not match its digest"],
        ),
        (500, "unexpected EOF", true, Other, Retry, &["broke"]),
        (500, "Get \"https://r/v2/\": EOF", true, Other, Retry, &["broke"]),
        (
            500,
            "received unexpected HTTP status: 503 Service Unavailable",
            true,
            Other,
            Retry,
            &["failed to answer"],
        ),
        (
            500,
            "image operating system \"windows\" cannot be used on this platform",
            true,
            NotFound,
            Final,
            &["not built for"],
        ),
        (
            500,
            "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support is disabled by default",
            true,
            Other,
            Final,
            &["push the image again"],
        ),
        (
            500,
            "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported since containerd v2.1",
            true,
            Other,
            Final,
            &["push the image again"],
        ),
        (
            400,
            "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client",
            true,
            ErrorClass::EngineUnreachable,
            Final,
            &["newer version"],
        ),
        (
            400,
            "invalid tag format",
            true,
            Configuration,
            Final,
            &["task definition"],
        ),
        (
            401,
            "<html>go away</html>",
            true,
            Refused,
            AnotherCredential,
            &["refused the credential"],
        ),
        (
            403,
            "<html>go away</html>",
            true,
            Refused,
            AnotherCredential,
            &["denied"],
        ),
        // What an identity token is to a registry that knows no token server.
        (
            500,
            "Get \"https://registry.example.com/v2/\": no basic auth credentials",
            true,
            Refused,
            AnotherCredential,
            &[
                "wants a user name and a password",
                "is something else",
                "identity token",
            ],
        ),
        // A web server that is no registry, as the engine tells it.
        (
            500,
            "error parsing HTTP 404 response body: invalid character 'p' after top-level value: \"404 page not found\\n\"",
            true,
            NotFound,
            Final,
            &["has no tag"],
        ),
        (
            500,
            "error parsing HTTP 401 response body: invalid character '<' looking for beginning of value: \"<h1>\"",
            true,
            Refused,
            AnotherCredential,
            &["refused the credential"],
        ),
        (
            500,
            "error parsing HTTP 403 response body: unexpected end of JSON input: \"\"",
            true,
            Refused,
            AnotherCredential,
            &["denied"],
        ),
        (
            500,
            "error parsing HTTP 429 response body: unexpected end of JSON input: \"\"",
            true,
            RateLimited,
            CoolDown(None),
            &["fewer requests"],
        ),
        (
            500,
            "error parsing HTTP 408 response body: unexpected end of JSON input: \"\"",
            true,
            Other,
            Retry,
            &["in time"],
        ),
        (
            500,
            "error parsing HTTP 418 response body: unexpected end of JSON input: \"\"",
            true,
            Other,
            Final,
            &["could not get"],
        ),
        (
            500,
            "something nobody has seen",
            true,
            Other,
            Retry,
            &["could not get"],
        ),
        (
            409,
            "something nobody has seen",
            true,
            Other,
            Final,
            &["could not get"],
        ),
    ]
};

#[test]
fn every_known_text_has_its_class_its_consequence_and_its_next_step() {
    for &(status, message, sent, class, recovery, words) in ROWS {
        let kind = EngineErrorKind::Answer(status);
        let verdict = verdict(&Case { kind, message, sent });
        let diagnosis = &verdict.diagnosis;
        assert_eq!(diagnosis.class(), class, "{message}");
        assert_eq!(verdict.recovery, recovery, "{message}");
        assert_eq!(
            diagnosis.is_retriable(),
            matches!(recovery, Recovery::Retry | Recovery::CoolDown(_)),
            "{message}"
        );
        let text = format!("{diagnosis} / {}", diagnosis.next_step().unwrap_or_default());
        for word in words {
            assert!(text.contains(word), "{message}: {text} lacks {word}");
        }
        // The registry or the image is always named.
        assert!(
            text.contains("registry.example.com") || text.contains("team/app") || text.contains("engine at"),
            "{text}"
        );
    }
}

#[test]
fn the_same_text_inside_a_stream_means_the_same() {
    for &(status, message, sent, class, ..) in ROWS
        .iter()
        .filter(|row| row.1.is_ascii() && !row.1.contains("nobody") && !row.1.contains("html"))
    {
        let kind = EngineErrorKind::Stream;
        assert_eq!(
            verdict(&Case { kind, message, sent }).diagnosis.class(),
            class,
            "{status} {message}"
        );
    }
}

#[test]
fn failures_of_the_engine_itself_have_their_own_name() {
    for (kind, recovery) in [
        (EngineErrorKind::Unreachable, Recovery::Retry),
        (EngineErrorKind::Interrupted, Recovery::Retry),
    ] {
        let verdict = verdict(&Case {
            kind,
            message: "connection refused",
            sent: true,
        });
        assert_eq!(verdict.diagnosis.name(), ErrorName::CannotGetDockerclient);
        assert_eq!(verdict.diagnosis.class(), ErrorClass::EngineUnreachable);
        assert_eq!(verdict.recovery, recovery);
        assert!(
            verdict
                .diagnosis
                .message()
                .contains("unix:///var/run/docker.sock")
        );
    }
}

#[test]
fn the_hints_that_the_agent_gives_are_given() {
    let hints = [
        (
            "Check that the role has the permissions",
            "check that the role has the permissions",
        ),
        ("Check whether the image exists", "check whether the image exists"),
        (
            "Check your network configuration",
            "check the network configuration",
        ),
    ];
    let mut seen = 0;
    for line in include_str!("../../tests/vectors/message.jsonl").lines() {
        let vector: serde_json::Value = serde_json::from_str(line).unwrap();
        let augmented = vector["augmented"].as_str().unwrap();
        let message: &'static str = vector["input"].as_str().unwrap().to_owned().leak();
        let verdict = verdict(&Case {
            kind: EngineErrorKind::Answer(500),
            message,
            sent: true,
        });
        // What the agent leaves without a hint has a class here all the same.
        assert!(verdict.diagnosis.next_step().is_some(), "{message}");
        if let Some((_, ours)) = hints.iter().find(|(agents, _)| augmented.contains(agents)) {
            seen += 1;
            let next_step = verdict.diagnosis.next_step().unwrap();
            assert!(next_step.contains(ours), "{message}: {next_step}");
        }
    }
    assert_eq!(seen, hints.len());
}

#[test]
fn a_page_of_html_is_cut_and_stands_on_one_line() {
    let message: &'static str = format!("<html>\r\n{}", "x\u{1b}[31m ".repeat(5000)).leak();
    let verdict = verdict(&Case {
        kind: EngineErrorKind::Answer(502),
        message,
        sent: true,
    });
    let cause = verdict.diagnosis.cause().unwrap();
    assert!(cause.chars().count() <= 1001);
    assert!(!cause.contains(char::is_control));
}
