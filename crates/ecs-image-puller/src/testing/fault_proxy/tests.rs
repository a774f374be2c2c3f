//! The proxy before a small server.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Answer, Fault, FaultProxy, RecordedRequest, RetryAfter, Rule};

mod support;

use support::{BLOB, SIZE, ask, ask_for_blob, ask_with, blob, header, proxy, status, upstream};

#[tokio::test]
async fn without_a_rule_everything_passes_both_ways() {
    let proxy = proxy().await;
    let received = ask_for_blob(&proxy).await;
    assert_eq!((status(&received), received.end), ("200", None));
    assert_eq!(header(&received, "content-length"), Some("300000"));
    assert!(received.body == blob(), "another blob");

    let lines = "POST /v2/app?a=b%2F HTTP/1.1\nContent-Length: 5\nX-Kept: yes\nKeep-Alive: 5\nTE: trailers";
    let received = ask_with(&proxy, lines, "12345").await.unwrap();
    let seen = String::from_utf8(received.body).unwrap();
    assert!(
        seen.starts_with("POST /v2/app?a=b%2F ") && seen.ends_with(" 5 bytes"),
        "{seen}"
    );
    assert!(
        seen.contains("registry.example.com:5000") && seen.contains("x-kept"),
        "{seen}"
    );
    assert!(!seen.contains("keep-alive") && !seen.contains("\"te\""), "{seen}");

    let received = ask(&proxy, &format!("HEAD {BLOB} HTTP/1.1")).await;
    assert_eq!(
        (header(&received, "content-length"), received.body.len()),
        (Some("300000"), 0)
    );
}

#[tokio::test]
async fn requests_are_recorded_without_their_credentials() {
    let proxy = proxy().await;
    let (right, other) = (proxy.watch("hunter2"), proxy.watch("not sent"));
    proxy.inject(Rule::on("/v2/", Fault::Status(401)));
    ask(&proxy, "GET /v2/?x=y HTTP/1.1").await;
    // alice:hunter2
    let lines = format!("GET {BLOB} HTTP/1.1\nAuthorization: Basic YWxpY2U6aHVudGVyMg==\nRange: bytes=5-");
    ask(&proxy, &lines).await;
    assert_eq!(right.sightings(), 1);
    let form = "grant_type=refresh_token&refresh_token=hunter2";
    ask_with(
        &proxy,
        &format!("POST /token HTTP/1.1\nContent-Length: {}", form.len()),
        form,
    )
    .await
    .unwrap();

    let requests = proxy.requests();
    let expected = RecordedRequest {
        method: "GET".into(),
        path: "/v2/".into(),
        authorization: None,
        range: None,
        status: Some(401),
        bytes: requests[0].bytes,
        fault: Some(Fault::Status(401)),
    };
    assert_eq!(requests[0], expected);
    let expected = RecordedRequest {
        path: BLOB.into(),
        authorization: Some("Basic".into()),
        range: Some("bytes=5-".into()),
        status: Some(200),
        bytes: SIZE as u64,
        fault: None,
        ..expected
    };
    assert_eq!(requests[1], expected);
    assert_eq!(proxy.request_count(), 3);
    assert_eq!((right.sightings(), other.sightings()), (2, 0));
    let shown = format!("{proxy:?}{requests:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("YWxp"), "{shown}");
}

#[tokio::test]
async fn a_status_comes_as_often_as_asked_and_then_the_registry_answers() {
    let proxy = proxy().await;
    let injected = proxy.inject(Rule::on("/v2/*/blobs/*", Fault::Status(503)).times(2));
    for expected in ["503", "503", "200"] {
        assert_eq!(status(&ask_for_blob(&proxy).await), expected);
    }
    assert_eq!(injected.hits(), 2);
    proxy.inject(Rule::on("*", Fault::Status(500)));
    proxy.clear();
    assert_eq!(status(&ask_for_blob(&proxy).await), "200");
}

#[tokio::test]
async fn retry_after_is_a_number_or_a_date() {
    let proxy = proxy().await;
    let limited = |retry_after| Fault::Answer(Answer::status(429).with_retry_after(retry_after));
    proxy.inject(Rule::on("*", limited(RetryAfter::Seconds(7))).times(1));
    let received = ask_for_blob(&proxy).await;
    assert_eq!(
        (status(&received), header(&received, "retry-after")),
        ("429", Some("7"))
    );
    assert!(String::from_utf8_lossy(&received.body).contains("TOOMANYREQUESTS"));

    proxy.inject(Rule::on("*", limited(RetryAfter::Date(Duration::from_secs(60)))));
    let received = ask_for_blob(&proxy).await;
    let date = httpdate::parse_http_date(header(&received, "retry-after").unwrap()).unwrap();
    let away = date.duration_since(SystemTime::now()).unwrap();
    assert!((50..=60).contains(&away.as_secs()), "{away:?}");
}

#[tokio::test]
async fn answers_redirects_and_challenges_are_those_that_were_asked_for() {
    let proxy = proxy().await;
    let html = Answer::status(200).with_body("text/html", "<html>log in</html>");
    proxy.inject(Rule::on("/v2/", Fault::Answer(html)));
    let received = ask(&proxy, "GET /v2/ HTTP/1.1").await;
    assert_eq!(
        (status(&received), header(&received, "content-type")),
        ("200", Some("text/html"))
    );
    assert_eq!(received.body, b"<html>log in</html>");

    proxy.inject(Rule::on(
        "/v2/*/blobs/*",
        Fault::Redirect {
            to: "http://127.0.0.2:1/".into(),
        },
    ));
    let received = ask(&proxy, &format!("GET {BLOB}?a=b HTTP/1.1")).await;
    let location = format!("http://127.0.0.2:1{BLOB}?a=b");
    assert_eq!(
        (status(&received), header(&received, "location")),
        ("307", Some(location.as_str()))
    );

    proxy.inject(Rule::on(
        "*/manifests/*",
        Fault::Realm {
            realm: "http://127.0.0.2:1/token".into(),
        },
    ));
    let received = ask(&proxy, "GET /v2/team/app/manifests/v1 HTTP/1.1").await;
    let challenge = "Bearer realm=\"http://127.0.0.2:1/token\",service=\"fault proxy\",scope=\"repository:team/app:pull\"";
    assert_eq!(
        (status(&received), header(&received, "www-authenticate")),
        ("401", Some(challenge))
    );
}

#[tokio::test]
async fn bodies_are_cut_where_they_shall_be() {
    for (fault, end) in [
        (Fault::Reset { after: 100_000 }, Some(ErrorKind::ConnectionReset)),
        (Fault::Truncate { after: 100_000 }, None),
    ] {
        let proxy = proxy().await;
        proxy.inject(Rule::on(BLOB, fault.clone()).times(1));
        let received = ask_for_blob(&proxy).await;
        assert_eq!(header(&received, "content-length"), Some("300000"), "{fault:?}");
        assert_eq!((received.body.len(), received.end), (100_000, end), "{fault:?}");
        assert!(received.body == blob()[..100_000], "{fault:?}");
        assert_eq!(proxy.requests()[0].bytes, 100_000, "{fault:?}");
        assert_eq!(ask_for_blob(&proxy).await.body.len(), SIZE, "{fault:?}");
    }
}

#[tokio::test]
async fn exactly_one_byte_is_wrong() {
    for at in [0, 1, 150_000, SIZE - 1] {
        let proxy = proxy().await;
        proxy.inject(Rule::on(BLOB, Fault::WrongByte { at: at as u64 }));
        let received = ask_for_blob(&proxy).await;
        let right = blob();
        let wrong: Vec<usize> = (0..SIZE)
            .filter(|index| received.body[*index] != right[*index])
            .collect();
        assert_eq!((received.body.len(), wrong), (SIZE, vec![at]));
    }
}

#[tokio::test]
async fn a_stalled_body_neither_goes_on_nor_ends() {
    let proxy = proxy().await;
    proxy.inject(Rule::on(BLOB, Fault::Stall { after: 1000 }));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream
        .write_all(format!("GET {BLOB} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut received = Vec::new();
    let end = timeout(Duration::from_millis(500), stream.read_to_end(&mut received)).await;
    assert!(end.is_err(), "the body ended: {end:?}");
    let head = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(received.len() - head, 1000);
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_a_delayed_answer_comes() {
    let proxy = proxy().await;
    proxy.inject(Rule::on(BLOB, Fault::Slow { rate: 600_000 }));
    let begin = Instant::now();
    assert!(ask_for_blob(&proxy).await.body == blob());
    let took = begin.elapsed().as_millis();
    assert!((400..3000).contains(&took), "{took} ms for half a second's bytes");

    proxy.inject(Rule::on("/v2/", Fault::Delay(Duration::from_millis(300))));
    let begin = Instant::now();
    assert_eq!(status(&ask(&proxy, "GET /v2/ HTTP/1.1").await), "200");
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn connections_are_refused_for_a_while_and_accepted_again_at_the_same_port() {
    let proxy = proxy().await;
    let mut kept = TcpStream::connect(proxy.address()).await.unwrap();
    kept.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(kept.read(&mut [0; 1000]).await.unwrap() > 0);

    proxy.refuse_connections(Duration::from_millis(400)).await;
    assert_eq!(
        kept.read(&mut [0; 1000]).await.unwrap(),
        0,
        "an open connection was kept"
    );
    assert_eq!(
        ask_with(&proxy, "GET /v2/ HTTP/1.1", "").await.unwrap_err(),
        ErrorKind::ConnectionRefused
    );
    sleep(Duration::from_millis(600)).await;
    assert_eq!(status(&ask(&proxy, "GET /v2/ HTTP/1.1").await), "200");

    proxy.inject(
        Rule::on(
            BLOB,
            Fault::Refuse {
                lasting: Duration::from_millis(400),
            },
        )
        .times(1),
    );
    let received = ask_for_blob(&proxy).await;
    assert_eq!((received.head.as_str(), received.end), ("", None));
    assert_eq!(
        ask_with(&proxy, "GET /v2/ HTTP/1.1", "").await.unwrap_err(),
        ErrorKind::ConnectionRefused
    );
    sleep(Duration::from_millis(600)).await;
    assert_eq!(status(&ask_for_blob(&proxy).await), "200");
    assert_eq!(
        proxy
            .requests()
            .iter()
            .filter(|request| request.status.is_none())
            .count(),
        1
    );
}

#[tokio::test]
async fn nothing_is_asked_of_the_registry_that_the_engine_does_not_take() {
    let (upstream, taken) = upstream().await;
    let proxy = FaultProxy::start(upstream).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // The start arrives although the body has no end.
    assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
    sleep(Duration::from_millis(300)).await;
    let before = taken.load(Ordering::SeqCst);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(
        taken.load(Ordering::SeqCst),
        before,
        "it goes on although nobody reads"
    );
    assert!(before < 64 << 20, "{before} bytes are held somewhere");
}

#[tokio::test]
async fn dropping_it_closes_its_port_and_every_connection() {
    let proxy = proxy().await;
    let address = proxy.address();
    proxy.inject(Rule::on(BLOB, Fault::Stall { after: 0 }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {BLOB} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
    drop(proxy);
    let end = timeout(Duration::from_secs(5), stream.read(&mut [0; 1000]))
        .await
        .expect("an end");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn a_registry_that_is_gone_is_a_bad_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = FaultProxy::start(gone).await.unwrap();
    assert_eq!(status(&ask(&proxy, "GET /v2/ HTTP/1.1").await), "502");
}
