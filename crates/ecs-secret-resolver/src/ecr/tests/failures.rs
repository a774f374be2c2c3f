//! What goes wrong, and what its reader is told.

use ecs_registry_auth::{ErrorClass, ErrorName, Stage};

use super::*;
use crate::AssumeRole;

/// Stands in every answer where a token could be.
const SENTINEL: &str = "s3cr3t-t0ken-text";

struct Row {
    name: &'static str,
    answer: ResponseTemplate,
    class: ErrorClass,
    retriable: bool,
    calls: usize,
    /// In the message.
    message: Vec<&'static str>,
    /// In the cause or the next step.
    help: Vec<&'static str>,
}

impl Row {
    fn denied(name: &'static str, answer: ResponseTemplate) -> Self {
        Self {
            name,
            answer,
            class: ErrorClass::Credential,
            retriable: false,
            calls: 1,
            message: Vec::new(),
            help: Vec::new(),
        }
    }

    fn says(mut self, message: &[&'static str], help: &[&'static str]) -> Self {
        self.message = message.to_vec();
        self.help = help.to_vec();
        self
    }

    fn passing(mut self, class: ErrorClass) -> Self {
        self.class = class;
        self.retriable = true;
        self
    }

    fn tried_again(mut self) -> Self {
        self.calls = 2;
        self
    }
}

fn raw(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .insert_header("x-amzn-requestid", "11112222-req")
        .set_body_string(body)
}

fn data(json: Value) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("x-amzn-requestid", "11112222-req")
        .set_body_json(json)
}

fn token(text: &str) -> ResponseTemplate {
    data(json!({"authorizationData": [{"authorizationToken": text}]}))
}

fn encoded(decoded: &[u8]) -> ResponseTemplate {
    token(&STANDARD.encode(decoded))
}

fn rows() -> Vec<Row> {
    let user = "User: arn:aws:sts::111111111111:assumed-role/execution/x is not authorized to perform: \
                ecr:GetAuthorizationToken on resource: * because ";
    let denial = |why: &str| refusal(400, "AccessDeniedException", &format!("{user}{why}"));
    vec![
        Row::denied(
            "denied",
            denial("no identity-based policy allows the ecr:GetAuthorizationToken action"),
        )
        .says(
            &["AccessDeniedException", "request id 11112222-req"],
            &[
                r#"{"Action":"ecr:GetAuthorizationToken","Effect":"Allow","Resource":"*"}"#,
                "add to a policy of role arn:aws:iam::111111111111:role/execution",
                "no identity-based policy allows",
            ],
        ),
        Row::denied(
            "explicit deny",
            denial("of an explicit deny in a service control policy"),
        )
        .says(
            &["AccessDeniedException"],
            &["remove the statement that denies ecr:GetAuthorizationToken"],
        ),
        Row::denied(
            "bad keys",
            refusal(
                400,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
        )
        .says(&["UnrecognizedClientException"], &["role aws, region aws"]),
        Row::denied(
            "expired keys",
            refusal(
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
        )
        .says(&["ExpiredTokenException"], &["hand in fresh keys"]),
        Row::denied(
            "clock skew",
            refusal(
                400,
                "InvalidSignatureException",
                "Signature expired: 20200101T000000Z is now earlier than",
            )
            .insert_header("date", "Wed, 01 Jan 2020 00:00:00 GMT"),
        )
        // The SDK corrects its own clock by the answer's and signs again.
        .tried_again()
        .says(
            &["InvalidSignatureException"],
            &["set this machine's clock", "ahead of AWS's"],
        ),
        Row::denied("throttled", refusal(400, "ThrottlingException", "Rate exceeded"))
            .tried_again()
            .passing(ErrorClass::Credential)
            .says(&["ThrottlingException"], &["Rate exceeded", "try again"]),
        Row::denied("server error", refusal(500, "ServerException", "busy"))
            .tried_again()
            .passing(ErrorClass::Credential)
            .says(&["ServerException"], &["try again"]),
        Row::denied(
            "web page",
            raw(200, &format!("<html><body>Log in {SENTINEL}</body></html>")),
        )
        .says(&["a web page came back"], &["log in to the network's portal"]),
        Row::denied(
            "cut off",
            raw(
                200,
                &format!("{{\"authorizationData\": [{{\"authorizationToken\": \"{SENTINEL}"),
            ),
        )
        .passing(ErrorClass::Credential)
        .says(&["cut off or not in AWS's form"], &["try again"]),
        Row::denied("never ends", token(SENTINEL).set_delay(Duration::from_secs(30)))
            .tried_again()
            .passing(ErrorClass::TimedOut)
            .says(
                &["no answer in time"],
                &[
                    "com.amazonaws.eu-west-1.ecr.api",
                    "com.amazonaws.eu-west-1.ecr.dkr",
                ],
            ),
        Row::denied("no data", data(json!({})))
            .says(&["no authorization data", "11112222-req"], &["which endpoint"]),
        Row::denied("empty data", data(json!({"authorizationData": []})))
            .says(&["no authorization data"], &[]),
        Row::denied("no token", data(json!({"authorizationData": [{}]}))).says(&["has no token"], &[]),
        Row::denied("empty token", token("")).says(&["has no token"], &[]),
        Row::denied("not base64", token(&format!("AWS:{SENTINEL}"))).says(&["is not base64"], &[]),
        Row::denied("no colon", encoded(SENTINEL.as_bytes())).says(&["has no ':'"], &[]),
        Row::denied("no user", encoded(format!(":{SENTINEL}").as_bytes()))
            .says(&["empty user name or password"], &[]),
        Row::denied("not text", encoded(&[b"AWS:\xff", SENTINEL.as_bytes()].concat()))
            .says(&["is not text"], &[]),
    ]
}

/// Everything of an error that anybody could see.
fn all_of(error: &Diagnosis) -> String {
    format!("{error:?}\n{error}\n{}", serde_json::to_string(error).unwrap())
}

#[tokio::test]
async fn every_failure_names_registry_region_role_code_and_next_step() {
    for row in rows() {
        let name = row.name;
        let server = MockServer::start().await;
        serve_answer(&server, row.answer, 99).await;
        let options = options(&server)
            .with_attempt_timeout(Duration::from_millis(500))
            .with_operation_timeout(Duration::from_secs(5));
        let tokens = EcrTokens::new(AwsContext::new(options));
        let error = resolve(&tokens.keychain(request())).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::CannotPullEcrContainer, "{name}");
        assert_eq!(error.stage(), Stage::Credential, "{name}");
        assert_eq!(error.class(), row.class, "{name}: {error}");
        assert_eq!(error.is_retriable(), row.retriable, "{name}: {error}");
        let message = error.message();
        for part in ["Amazon ECR registry 111111111111", "in eu-west-1", ROLE]
            .iter()
            .chain(&row.message)
        {
            assert!(message.contains(part), "{name}: {part:?} is not in {message:?}");
        }
        let help = format!(
            "{}\n{}",
            error.cause().unwrap_or_default(),
            error.next_step().unwrap()
        );
        for part in row.help {
            assert!(help.contains(part), "{name}: {part:?} is not in {help:?}");
        }
        let all = all_of(&error);
        for secret in [SENTINEL, &STANDARD.encode(SENTINEL), "hidden-key"] {
            assert!(!all.contains(secret), "{name}: {all}");
        }
        assert_eq!(calls(&server).await, row.calls, "{name}");
    }
}

#[tokio::test]
async fn a_denial_at_ecr_public_asks_for_both_actions() {
    let server = MockServer::start().await;
    let said = "User: arn:aws:iam::111111111111:role/execution is not authorized to perform: \
                sts:GetServiceBearerToken on resource: *";
    Mock::given(header("x-amz-target", PUBLIC_CALL))
        .respond_with(refusal(400, "AccessDeniedException", said))
        .mount(&server)
        .await;
    let keychain = tokens(&server).keychain(EcrRequest::public(identity()));
    let error = keychain
        .resolve(&image("public.ecr.aws/nginx"))
        .await
        .unwrap_err();
    assert_eq!(error.name(), ErrorName::CannotPullEcrContainer);
    let step = error.next_step().unwrap();
    assert!(
        step.contains(
            r#""Action":["ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"],"Resource":["*"]"#
        ),
        "{step}"
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_told_as_such() {
    let server = MockServer::start().await;
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: \
                arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: \
                arn:aws:iam::111111111111:role/execution</Message></Error></ErrorResponse>";
    Mock::given(wiremock::matchers::body_string_contains("Action=AssumeRole"))
        .respond_with(raw(403, body))
        .expect(1)
        .mount(&server)
        .await;
    let role = AssumeRole::new(ROLE).unwrap().with_source(identity());
    let request = EcrRequest::for_image(&image(IMAGE), Identity::assume_role(role)).unwrap();
    let error = resolve(&tokens(&server).keychain(request)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::CannotPullEcrContainer);
    for part in [
        "Amazon ECR registry 111111111111",
        "sts:AssumeRole",
        "AccessDenied",
    ] {
        assert!(error.message().contains(part), "{error}");
    }
    let step = error.next_step().unwrap();
    assert!(
        step.contains("trust policy") && step.contains("arn:aws:iam::111111111111:user/alice"),
        "{step}"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let context = AwsContext::new(
        AwsOptions::default()
            .with_region("eu-west-1")
            .with_max_attempts(1),
    );
    let keychain =
        EcrTokens::new(context).keychain(request().with_endpoint_override(&format!("http://{address}")));
    let error = resolve(&keychain).await.unwrap_err();
    assert!(
        error.message().contains(&format!("{address} cannot be reached")),
        "{error}"
    );
    assert!(
        error
            .next_step()
            .unwrap()
            .contains("com.amazonaws.eu-west-1.ecr.api"),
        "{error:?}"
    );
    assert!(error.is_retriable());
}

#[tokio::test]
async fn neither_tokens_nor_logs_show_a_password() {
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_env_filter("ecs_secret_resolver=trace")
        .finish();
    let server = MockServer::start().await;
    serve(&server, &format!("AWS:{SENTINEL}"), 1).await;
    let tokens = tokens(&server);
    let keychain = tokens.keychain(request());
    let resolved = {
        let _guard = tracing::subscriber::set_default(subscriber);
        resolve(&keychain).await.unwrap()
    };
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("token fetched"), "{logged}");
    for shown in [logged, format!("{resolved:?} {keychain:?} {tokens:?}")] {
        for secret in [
            SENTINEL,
            &STANDARD.encode(format!("AWS:{SENTINEL}")),
            "hidden-key",
        ] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
