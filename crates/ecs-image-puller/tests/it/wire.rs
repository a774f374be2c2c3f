//! What goes over the connection to an engine.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use ecs_image_puller::{
    ConnectOptions, DockerEngine, DockerHost, Engine, EngineError, EngineErrorKind, PullFrame, PullOrder,
};
use ecs_registry_auth::{ErrorClass, ErrorName, ImageReference, RegistryCredential};
use futures_util::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An engine that says which versions of the API it speaks.
async fn engine_of(newest: &str, oldest: &str) -> (MockServer, DockerHost) {
    let server = MockServer::start().await;
    let version = json!({"Version": "1", "ApiVersion": newest, "MinAPIVersion": oldest, "Os": "linux", "Arch": "amd64"});
    Mock::given(path("/version"))
        .respond_with(ResponseTemplate::new(200).set_body_json(version))
        .mount(&server)
        .await;
    let host = DockerHost::parse(&format!("tcp://{}", server.address())).unwrap();
    (server, host)
}

async fn connect(host: &DockerHost) -> DockerEngine {
    DockerEngine::connect(host, ConnectOptions::default())
        .await
        .unwrap()
}

fn image(written: &str) -> ImageReference {
    written.parse().unwrap()
}

#[tokio::test]
async fn requests_carry_the_newest_version_that_both_sides_know() {
    for (newest, oldest, spoken) in [("1.41", "1.12", "v1.41"), ("1.60", "1.44", "v1.53")] {
        let (server, host) = engine_of(newest, oldest).await;
        // Refuses what has no version or another one, as engines refuse old clients.
        Mock::given(path(format!("/{spoken}/images/app:v1/json")))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"Id": "sha256:id"})))
            .mount(&server)
            .await;
        let details = connect(&host).await.inspect("app:v1").await.unwrap().unwrap();
        assert_eq!(details.id, "sha256:id");
    }
}

#[tokio::test]
async fn an_engine_without_a_common_version_is_refused_with_both_ranges() {
    let (_server, host) = engine_of("1.70", "1.60").await;
    let diagnosis = DockerEngine::connect(&host, ConnectOptions::default())
        .await
        .unwrap_err();
    assert_eq!(diagnosis.name(), ErrorName::CannotGetDockerclient);
    let cause = diagnosis.cause().unwrap();
    assert!(
        cause.contains("1.60 to 1.70") && cause.contains("1.32 to 1.53"),
        "{cause}"
    );
}

#[tokio::test]
async fn what_is_not_an_engine_is_told_from_one_that_is_not_there() {
    let html = MockServer::start().await;
    Mock::given(path("/version"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>secret</html>"))
        .mount(&html)
        .await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone_address = gone.local_addr().unwrap();
    drop(gone);
    let folder = tempfile::tempdir().unwrap();
    for (address, words) in [
        (format!("tcp://{}", html.address()), "not a container engine"),
        (
            format!("tcp://{}", silent.local_addr().unwrap()),
            "did not answer within",
        ),
        (format!("tcp://{gone_address}"), "no connection"),
        (
            format!("unix://{}/none.sock", folder.path().display()),
            "no connection",
        ),
    ] {
        let mut options = ConnectOptions::default();
        options.timeout = Duration::from_millis(200);
        let diagnosis = DockerEngine::connect(&DockerHost::parse(&address).unwrap(), options)
            .await
            .unwrap_err();
        assert_eq!(diagnosis.class(), ErrorClass::EngineUnreachable, "{address}");
        assert!(diagnosis.message().contains(words), "{diagnosis}");
        assert!(diagnosis.next_step().is_some());
        assert!(!format!("{diagnosis:?}").contains("secret"));
    }
}

#[tokio::test]
async fn concurrent_requests_carry_each_its_own_credential() {
    let (server, host) = engine_of("1.41", "1.12").await;
    Mock::given(method("GET"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_delay(Duration::from_millis(20))
                .set_body_json(json!({"Descriptor": {"mediaType": "m", "digest": "sha256:1", "size": 1}, "Platforms": []})),
        )
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_millis(20)))
        .mount(&server)
        .await;
    let engine = connect(&host).await;
    let calls = (0..30_u32).map(|number| {
        let engine = engine.clone();
        async move {
            let image = image(&format!("registry.example.com/app{number}:v1"));
            // Every third goes without.
            let credential = (!number.is_multiple_of(3))
                .then(|| RegistryCredential::basic("u", format!("p>?~{number}").as_str()));
            engine.distribution(&image, credential.as_ref()).await.unwrap();
            let order = PullOrder::new(&image, "v1").with_credential(credential.as_ref());
            let frames: Vec<_> = engine.pull(order).await.unwrap().collect().await;
            assert!(frames.is_empty(), "{frames:?}");
        }
    });
    futures_util::future::join_all(calls).await;

    let requests = server.received_requests().await.unwrap();
    let mut seen = 0;
    for request in requests.iter().filter(|request| request.url.path() != "/version") {
        let url = request.url.as_str().replace("%2F", "/");
        let name = url.split("registry.example.com/app").nth(1).unwrap();
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        let number: u32 = digits.parse().unwrap();
        let header = request.headers.get("x-registry-auth");
        assert_eq!(header.is_some(), !number.is_multiple_of(3), "{url}");
        if let Some(header) = header {
            let json: serde_json::Value =
                serde_json::from_slice(&URL_SAFE.decode(header.as_bytes()).unwrap()).unwrap();
            assert_eq!(
                json,
                json!({"username": "u", "password": format!("p>?~{number}")}),
                "{url}"
            );
        }
        assert!(!url.contains("p>?~"));
        seen += 1;
    }
    assert_eq!(seen, 60);
}

#[tokio::test]
async fn a_pull_asks_for_name_version_and_platform_and_reads_every_message() {
    let (server, host) = engine_of("1.41", "1.12").await;
    let body =
        "{\"status\":\"Pulling from team/app\",\"id\":\"v1\"}\r\n{\"error\":\"no space left on device\"}\r\n";
    Mock::given(method("POST"))
        .and(path("/v1.41/images/create"))
        .and(query_param("fromImage", "registry.example.com/team/app"))
        .and(query_param("tag", "sha256:0123"))
        .and(query_param("platform", "linux/arm/v7"))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .mount(&server)
        .await;
    let (image, platform) = (
        image("registry.example.com/team/app:v1"),
        "linux/arm/v7".parse().unwrap(),
    );
    let engine = connect(&host).await;
    let order = PullOrder::new(&image, "sha256:0123").with_platform(Some(&platform));
    let frames: Vec<_> = engine.pull(order).await.unwrap().collect().await;
    assert_eq!(
        frames,
        [
            Ok(PullFrame::layer("v1", "Pulling from team/app")),
            Ok(PullFrame::failed("no space left on device")),
        ]
    );
}

#[tokio::test]
async fn answers_keep_their_status_and_their_text() {
    let (server, host) = engine_of("1.41", "1.12").await;
    let engine = connect(&host).await;
    let image = image("registry.example.com/app:v1");
    for (status, body, kind, text) in [
        (
            401,
            r#"{"message":"unauthorized"}"#,
            EngineErrorKind::Answer(401),
            "unauthorized",
        ),
        (
            404,
            r#"{"message":"manifest unknown"}"#,
            EngineErrorKind::Answer(404),
            "manifest unknown",
        ),
        (
            429,
            r#"{"message":"toomanyrequests"}"#,
            EngineErrorKind::Answer(429),
            "toomanyrequests",
        ),
        (
            502,
            "<html>bad</html>",
            EngineErrorKind::Answer(502),
            "<html>bad</html>",
        ),
        // podman and engines before API 1.30 have no such endpoint.
        (404, "Not Found\n", EngineErrorKind::Unsupported, "Not Found"),
        (
            404,
            r#"{"message":"page not found"}"#,
            EngineErrorKind::Unsupported,
            "page not found",
        ),
        // The page of a web server that is no registry, as the engine quotes it.
        (
            404,
            r#"{"message":"error parsing HTTP 404 response body: \"404 page not found\""}"#,
            EngineErrorKind::Answer(404),
            "error parsing",
        ),
        (200, "{", EngineErrorKind::Malformed, ""),
        (200, "{}", EngineErrorKind::Malformed, ""),
    ] {
        let answer = Mock::given(path("/v1.41/distribution/registry.example.com/app:v1/json"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .mount_as_scoped(&server)
            .await;
        let error = engine.distribution(&image, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert!(error.message().contains(text), "{error}");
        drop(answer);
    }
    assert_eq!(engine.inspect("absent:v1").await, Ok(None));
}

/// An engine whose connections end as they should not.
#[tokio::test]
async fn a_connection_that_ends_in_the_middle_is_an_interruption() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let version = r#"{"ApiVersion":"1.41"}"#;
        let whole = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{version}",
            version.len()
        );
        let frame = "{\"status\":\"Downloading\",\"id\":\"a\"}\n";
        let cut = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{frame}\r\n",
            frame.len()
        );
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = connection.read(&mut request).await.unwrap();
            let answer = if String::from_utf8_lossy(&request[..read]).contains("/version ") {
                &whole
            } else {
                &cut
            };
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let engine = connect(&DockerHost::parse(&format!("tcp://{address}")).unwrap()).await;
    assert_eq!(engine.api_version(), "1.41");
    let image = image("registry.example.com/app:v1");
    let frames: Vec<Result<PullFrame, EngineError>> = engine
        .pull(PullOrder::new(&image, "v1"))
        .await
        .unwrap()
        .collect()
        .await;
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(
        frames[1].as_ref().unwrap_err().kind(),
        EngineErrorKind::Interrupted
    );
    // The engine that comes back may be another version: it is asked again.
    assert_eq!(engine.api_version(), "");
    engine.version().await.unwrap();
    assert_eq!(engine.api_version(), "1.41");
}
