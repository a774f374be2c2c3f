//! Every failure that users meet with Secrets Manager, STS, KMS and role keys, and the diagnosis it deserves.

use std::time::Duration;

use ecs_registry_auth::{ErrorClass, ErrorName};
use ecs_secret_resolver::{AwsContext, AwsOptions, Identity, ResolverSettings, SecretResolver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::ResponseTemplate;

use crate::support::{
    ARN, Aws, PASSWORD, ROLE, assumed, config_for, error, keychain, ok, resolve, role_keys, shown, value,
    xml_error,
};

struct Row {
    what: &'static str,
    answer: ResponseTemplate,
    /// Parts of the message.
    message: &'static [&'static str],
    /// Parts of the next step.
    next_step: &'static [&'static str],
    /// Whether AWS has given a value, so that its request is not what failed.
    is_value: bool,
}

const STATEMENT: &str = r#"{"Action":"secretsmanager:GetSecretValue","Effect":"Allow","Resource":"arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf"}"#;

fn rows() -> Vec<Row> {
    vec![
        Row {
            what: "identity policy",
            answer: error(
                400,
                "AccessDeniedException",
                "User: arn:aws:sts::111111111111:assumed-role/execution/ecs-pull is not authorized to perform: \
                 secretsmanager:GetSecretValue on resource: \
                 arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf because no identity-based policy \
                 allows the secretsmanager:GetSecretValue action",
            ),
            message: &["AccessDeniedException"],
            next_step: &[
                "add to a policy of role arn:aws:iam::111111111111:role/execution",
                STATEMENT,
            ],
            is_value: false,
        },
        Row {
            what: "names with KMS in them",
            answer: error(
                400,
                "AccessDeniedException",
                "User: arn:aws:sts::111111111111:assumed-role/app-KMS-exec/ecs-pull is not authorized to perform: \
                 secretsmanager:GetSecretValue on resource: \
                 arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf because no identity-based policy \
                 allows the secretsmanager:GetSecretValue action",
            ),
            message: &["AccessDeniedException"],
            next_step: &[STATEMENT],
            is_value: false,
        },
        Row {
            what: "a denied action of KMS",
            answer: error(
                400,
                "AccessDeniedException",
                "User: arn:aws:sts::111111111111:assumed-role/execution/ecs-pull is not authorized to perform: \
                 kms:Decrypt on the resource associated with this ciphertext",
            ),
            message: &["AccessDeniedException"],
            next_step: &[
                r#""Action":"kms:Decrypt""#,
                r#""kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com""#,
            ],
            is_value: false,
        },
        Row {
            what: "the key by its former name",
            answer: error(
                400,
                "AccessDeniedException",
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or \
                 you are not allowed to access.",
            ),
            message: &["AccessDeniedException"],
            next_step: &[r#""Action":"kms:Decrypt""#],
            is_value: false,
        },
        Row {
            what: "KMS denies in its own name",
            answer: error(400, "KMSAccessDeniedException", "Access to KMS is denied"),
            message: &["KMSAccessDeniedException"],
            next_step: &[r#""Action":"kms:Decrypt""#, "add to a policy of role"],
            is_value: false,
        },
        Row {
            what: "the key does not decrypt",
            answer: error(
                400,
                "DecryptionFailure",
                "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
            ),
            message: &["DecryptionFailure"],
            next_step: &["look at the KMS key of the secret: it must be enabled, not pending deletion"],
            is_value: false,
        },
        Row {
            what: "resource policy of another account",
            answer: error(
                400,
                "AccessDeniedException",
                "User: x is not authorized to perform: secretsmanager:GetSecretValue on resource: \
                 arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf because no resource-based policy \
                 allows the secretsmanager:GetSecretValue action",
            ),
            message: &["AccessDeniedException"],
            next_step: &[
                "owner of arn:aws:secretsmanager",
                "(account 222222222222)",
                r#""Principal":{"AWS":"arn:aws:iam::111111111111:role/execution"}"#,
            ],
            is_value: false,
        },
        Row {
            what: "explicit deny",
            answer: error(
                400,
                "AccessDeniedException",
                "User: x is not authorized to perform: secretsmanager:GetSecretValue on resource: y with an explicit deny in \
                 an identity-based policy",
            ),
            message: &["AccessDeniedException"],
            next_step: &["remove the statement that denies secretsmanager:GetSecretValue"],
            is_value: false,
        },
        Row {
            what: "denial in XML without the SDK's code",
            answer: xml_error(
                403,
                "AccessDenied",
                "User: arn:aws:iam::111111111111:user/x is not authorized to perform: secretsmanager:GetSecretValue",
            ),
            message: &["AccessDenied"],
            next_step: &[STATEMENT],
            is_value: false,
        },
        Row {
            what: "denial without any body",
            answer: ResponseTemplate::new(403).insert_header("x-amzn-requestid", "11112222-request"),
            message: &["access denied", "HTTP status 403"],
            next_step: &[STATEMENT],
            is_value: false,
        },
        Row {
            what: "not found",
            answer: error(
                400,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            message: &["ResourceNotFoundException"],
            next_step: &["check the ARN: eu-west-1 of account 222222222222"],
            is_value: false,
        },
        Row {
            what: "marked for deletion",
            answer: error(
                400,
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
            message: &["InvalidRequestException"],
            next_step: &["restore the secret"],
            is_value: false,
        },
        Row {
            what: "no value",
            answer: error(
                400,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
            ),
            message: &["ResourceNotFoundException"],
            next_step: &["put a value into the secret"],
            is_value: false,
        },
        Row {
            what: "expired keys",
            answer: error(
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            message: &["ExpiredTokenException"],
            next_step: &["hand in fresh keys"],
            is_value: false,
        },
        Row {
            what: "expired keys of a query service",
            answer: xml_error(403, "ExpiredToken", "The provided token has expired."),
            message: &["ExpiredToken"],
            next_step: &["hand in fresh keys"],
            is_value: false,
        },
        Row {
            what: "wrong secret key",
            answer: error(
                400,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for \
                 this request should have been\n'POST\nx-amz-security-token:role-session-token'",
            ),
            message: &["InvalidSignatureException"],
            next_step: &["check the secret access key"],
            is_value: false,
        },
        Row {
            what: "clock skew",
            answer: error(
                400,
                "InvalidSignatureException",
                "Signature expired: 20990101T000000Z is now earlier than 20990101T010000Z",
            )
            .insert_header("date", "Thu, 01 Jan 2099 00:00:00 GMT"),
            message: &["InvalidSignatureException"],
            next_step: &["set this machine's clock", "s behind AWS's"],
            is_value: false,
        },
        Row {
            what: "keys of another partition",
            answer: error(
                400,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            message: &["UnrecognizedClientException"],
            next_step: &["role aws, region aws, resource aws"],
            is_value: false,
        },
        Row {
            what: "a refused request",
            answer: error(400, "InvalidParameterException", "Invalid name."),
            message: &["InvalidParameterException"],
            next_step: &["check how the secret is named"],
            is_value: false,
        },
        Row {
            what: "throttling",
            answer: error(400, "ThrottlingException", "Rate exceeded"),
            message: &["ThrottlingException"],
            next_step: &["try again"],
            is_value: false,
        },
        Row {
            what: "internal error",
            answer: error(
                500,
                "InternalServiceError",
                "An error occurred on the server side.",
            ),
            message: &["InternalServiceError"],
            next_step: &["try again"],
            is_value: false,
        },
        Row {
            what: "a captive proxy's page as a success",
            answer: ResponseTemplate::new(200)
                .insert_header("x-amzn-requestid", "11112222-request")
                .set_body_raw(
                    "<!DOCTYPE html><html><body>Log in hunter2-never-shown</body></html>",
                    "text/html",
                ),
            message: &["a web page came back"],
            next_step: &["exempt AWS's endpoints from the proxy"],
            is_value: false,
        },
        Row {
            what: "a captive proxy's page as an error",
            answer: ResponseTemplate::new(511)
                .insert_header("x-amzn-requestid", "11112222-request")
                .set_body_raw("<html>Log in</html>", "text/html"),
            message: &["a web page came back", "HTTP status 511"],
            next_step: &["log in to the network's portal"],
            is_value: false,
        },
        Row {
            what: "truncated JSON",
            answer: ResponseTemplate::new(200)
                .insert_header("x-amzn-requestid", "11112222-request")
                .set_body_raw(
                    "{\"ARN\":\"a\",\"SecretString\":\"{\\\"password\\\":\\\"hunter2-never-shown",
                    "application/x-amz-json-1.1",
                ),
            message: &["cut off or not in AWS's form"],
            next_step: &["try again"],
            is_value: false,
        },
        Row {
            what: "plain text as a value",
            answer: ok(serde_json::json!({"ARN": ARN, "VersionId": "v7", "SecretString": PASSWORD})),
            message: &["(version v7)", "invalid schema: it is plain text, not JSON"],
            next_step: &["{\"username\": \"NAME\", \"password\": \"PASSWORD OR TOKEN\"}"],
            is_value: true,
        },
        Row {
            what: "a misnamed field",
            answer: ok(serde_json::json!({
                "ARN": ARN, "VersionId": "v7", "SecretString": "{\"user\":\"alice\",\"password\":\"hunter2-never-shown\"}"
            })),
            message: &[
                "AuthorizationData is malformed, empty field: username (it has password: a string, user: a string)",
            ],
            next_step: &["JSON object in double quotes"],
            is_value: true,
        },
        Row {
            what: "no value at all",
            answer: ok(serde_json::json!({"ARN": ARN, "VersionId": "v7"})),
            message: &["empty secrets value"],
            next_step: &["JSON object in double quotes"],
            is_value: true,
        },
    ]
}

#[tokio::test]
async fn every_answer_gets_its_diagnosis() {
    for row in rows() {
        let aws = Aws::start().await;
        aws.on_secret(row.answer).await;
        let keychain = keychain(&aws.resolver(), ARN, Identity::ready(role_keys()));
        let diagnosis = resolve(&keychain).await.unwrap_err();
        shown(&diagnosis);
        let message = diagnosis.message();
        assert_eq!(
            diagnosis.name(),
            ErrorName::ResourceInitialization,
            "{}",
            row.what
        );
        assert_eq!(
            diagnosis.class(),
            ErrorClass::Credential,
            "{}: {message}",
            row.what
        );
        for part in [ARN, "eu-west-1", ROLE].iter().chain(row.message) {
            assert!(message.contains(part), "{}: {message:?} lacks {part:?}", row.what);
        }
        assert_eq!(
            message.contains("request id 11112222-request"),
            !row.is_value,
            "{}: {message}",
            row.what
        );
        let next_step = diagnosis.next_step().unwrap_or_default();
        for part in row.next_step {
            assert!(
                next_step.contains(part),
                "{}: {next_step:?} lacks {part:?}",
                row.what
            );
        }
    }
}

/// STS answers in XML, with codes of its own for what other services say in theirs.
#[tokio::test]
async fn keys_that_sts_does_not_take_are_told_as_those_of_the_source() {
    for (code, said, next_step) in [
        (
            "ExpiredToken",
            "The security token included in the request is expired",
            "renew the session",
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            "use keys of the same partition that exist: role aws, region aws",
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            "check the secret access key",
        ),
        (
            "ValidationError",
            "1 validation error detected",
            "correct what the cause names",
        ),
    ] {
        let aws = Aws::start().await;
        aws.on_assume_role(xml_error(403, code, said)).await;
        let diagnosis = resolve(&keychain(&aws.resolver(), ARN, assumed()))
            .await
            .unwrap_err();
        shown(&diagnosis);
        let told = format!(": sts:AssumeRole: {code} (request id 11112222-request)");
        assert!(diagnosis.message().ends_with(&told), "{diagnosis:?}");
        assert!(diagnosis.cause().unwrap().contains(said), "{diagnosis:?}");
        let step = diagnosis.next_step().unwrap();
        assert!(step.contains(next_step), "{code}: {step}");
        assert_eq!(aws.count("GetSecretValue").await, 0, "{code}");
    }
}

#[tokio::test]
async fn a_denied_role_names_the_trust_statement() {
    let aws = Aws::start().await;
    aws.on_assume_role(xml_error(
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/dev is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::111111111111:role/execution",
    ))
    .await;
    let diagnosis = resolve(&keychain(&aws.resolver(), ARN, assumed()))
        .await
        .unwrap_err();
    shown(&diagnosis);
    assert!(
        diagnosis
            .message()
            .ends_with(": sts:AssumeRole: AccessDenied (request id 11112222-request)"),
        "{}",
        diagnosis.message()
    );
    let next_step = diagnosis.next_step().unwrap();
    for part in [
        "ecs-tasks.amazonaws.com",
        "trust policy of role arn:aws:iam::111111111111:role/execution",
        r#"{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/dev"}}"#,
        "caller's own credentials",
    ] {
        assert!(next_step.contains(part), "{next_step:?} lacks {part:?}");
    }
    assert_eq!(aws.count("GetSecretValue").await, 0);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let options = AwsOptions::default()
        .with_endpoint_url(format!("http://{host}"))
        .with_region("eu-west-1")
        .with_max_attempts(1);
    let resolver = SecretResolver::new(AwsContext::new(options), ResolverSettings::default());
    let diagnosis = resolve(&keychain(&resolver, ARN, Identity::ready(role_keys())))
        .await
        .unwrap_err();
    let message = diagnosis.message();
    assert!(
        message.contains(&format!("{host} cannot be reached")),
        "{message}"
    );
    let next_step = diagnosis.next_step().unwrap();
    assert!(
        next_step.contains("com.amazonaws.eu-west-1.secretsmanager"),
        "{next_step}"
    );
    assert!(diagnosis.is_retriable());
}

/// Answers every connection with some bytes and keeps it open.
async fn raw_server(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
            open.push(stream);
        }
    });
    (host, server)
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 900\r\n\r\n{\"ARN\":";
    let (host, server) = raw_server(HALF).await;
    let context = AwsContext::from_sdk_config(config_for(&format!("http://{host}")).await);
    let resolver = SecretResolver::new(context, ResolverSettings::default());
    let started = std::time::Instant::now();
    let diagnosis = resolve(&keychain(&resolver, ARN, Identity::ready(role_keys())))
        .await
        .unwrap_err();
    server.abort();
    assert_eq!(diagnosis.class(), ErrorClass::TimedOut, "{diagnosis:?}");
    assert!(diagnosis.message().contains("no answer in time"), "{diagnosis:?}");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_plain_answer_to_tls_is_a_tls_failure() {
    let (host, server) = raw_server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let options = AwsOptions::default()
        .with_endpoint_url(&host)
        .with_region("eu-west-1")
        .with_max_attempts(1);
    let resolver = SecretResolver::new(AwsContext::new(options), ResolverSettings::default());
    let diagnosis = resolve(&keychain(&resolver, ARN, Identity::ready(role_keys())))
        .await
        .unwrap_err();
    server.abort();
    assert!(
        diagnosis.message().contains(&format!("TLS with {host} failed")),
        "{diagnosis:?}"
    );
    assert!(
        diagnosis.next_step().unwrap().contains("AWS_CA_BUNDLE"),
        "{diagnosis:?}"
    );
}

#[tokio::test]
async fn an_unusable_ca_bundle_is_an_error_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "not PEM",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1 is not",
        ),
    ] {
        let path = directory.path().join("bundle.pem");
        std::fs::write(&path, content).unwrap();
        let context = AwsContext::new(
            AwsOptions::default()
                .with_region("eu-west-1")
                .with_ca_bundle(&path),
        );
        let resolver = SecretResolver::new(context, ResolverSettings::default());
        let diagnosis = resolve(&keychain(&resolver, ARN, Identity::ready(role_keys())))
            .await
            .unwrap_err();
        assert!(diagnosis.message().contains(expected), "{diagnosis:?}");
        assert!(diagnosis.message().contains("bundle.pem"), "{diagnosis:?}");
        assert_eq!(diagnosis.class(), ErrorClass::Configuration);
    }
}

#[tokio::test]
async fn throttling_and_server_errors_are_retried_and_denials_are_not() {
    for (answer, calls) in [
        (error(400, "ThrottlingException", "Rate exceeded"), 2),
        (error(503, "ServiceUnavailable", "later"), 2),
        (error(400, "AccessDeniedException", "no"), 1),
    ] {
        let aws = Aws::start().await;
        aws.once("secretsmanager.GetSecretValue", answer).await;
        aws.on_secret(value("alice", "v1")).await;
        let answer = resolve(&keychain(&aws.resolver(), ARN, Identity::ready(role_keys()))).await;
        assert_eq!(answer.is_ok(), calls == 2);
        assert_eq!(aws.count("GetSecretValue").await, calls);
    }
}

#[tokio::test]
async fn a_denied_arn_that_ends_in_a_word_may_be_partial() {
    for (suffix, is_doubtful) in [("docker", true), ("AbCdEf", false)] {
        let aws = Aws::start().await;
        aws.on_secret(error(400, "AccessDeniedException", "no")).await;
        let arn = format!("arn:aws:secretsmanager:eu-west-1:222222222222:secret:prod-{suffix}");
        let diagnosis = resolve(&keychain(&aws.resolver(), &arn, Identity::ready(role_keys())))
            .await
            .unwrap_err();
        let next_step = diagnosis.next_step().unwrap();
        assert!(next_step.contains(&format!("{arn}\"}}")), "{next_step}");
        let hint = r#"; if the secret's name itself ends in "docker""#;
        assert_eq!(next_step.contains(hint), is_doubtful, "{next_step}");
    }
}

#[tokio::test]
async fn a_partial_arn_and_a_name_get_the_pattern_of_their_whole_arn() {
    let aws = Aws::start().await;
    aws.on_secret(error(400, "AccessDeniedException", "no")).await;
    let resolver = aws.resolver();
    for (secret, resource) in [
        (
            "arn:aws:secretsmanager:eu-west-1:222222222222:secret:login",
            "arn:aws:secretsmanager:eu-west-1:222222222222:secret:login-??????",
        ),
        (
            "login",
            "arn:aws:secretsmanager:eu-west-1:111111111111:secret:login-??????",
        ),
    ] {
        let diagnosis = resolve(&keychain(&resolver, secret, Identity::ready(role_keys())))
            .await
            .unwrap_err();
        assert!(diagnosis.next_step().unwrap().contains(resource), "{diagnosis:?}");
    }
}
