//! A small server in the registry's place, and a client that knows nothing of HTTP but its text.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::FaultProxy;

pub(super) const BLOB: &str = "/v2/team/app/blobs/sha256:0";
pub(super) const SIZE: usize = 300_000;

/// No byte of it is the one before.
pub(super) fn blob() -> Bytes {
    (0..SIZE).map(|index| (index % 251) as u8).collect()
}

/// Endless, and counts what is taken of it.
struct Endless(Arc<AtomicU64>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1 << 16, Ordering::SeqCst);
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1 << 16])))))
    }
}

/// Serves the blob, an endless one, and what it was asked.
pub(super) async fn upstream() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let counter = Arc::clone(&counter);
                    async move {
                        let body: BoxBody<Bytes, Infallible> = match request.uri().path() {
                            BLOB => Full::new(blob()).boxed(),
                            "/endless" => Endless(counter).boxed(),
                            _ => {
                                let head =
                                    format!("{} {} {:?}", request.method(), request.uri(), request.headers());
                                let sent = request.into_body().collect().await.unwrap().to_bytes();
                                Full::new(format!("{head} {} bytes", sent.len()).into()).boxed()
                            }
                        };
                        Ok::<_, Infallible>(Response::new(body))
                    }
                });
                // Connections that are cut are what these tests are about.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (address, taken)
}

pub(super) async fn proxy() -> FaultProxy {
    FaultProxy::start(upstream().await.0).await.unwrap()
}

#[derive(Debug)]
pub(super) struct Received {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// `None` is an orderly close.
    pub(super) end: Option<ErrorKind>,
}

/// Sends `lines` with an empty line and `body` behind them, and reads until the connection ends.
pub(super) async fn ask_with(proxy: &FaultProxy, lines: &str, body: &str) -> Result<Received, ErrorKind> {
    let mut stream = TcpStream::connect(proxy.address())
        .await
        .map_err(|error| error.kind())?;
    let text = format!(
        "{}\r\nHost: registry.example.com:5000\r\nConnection: close\r\n\r\n{body}",
        lines.replace('\n', "\r\n")
    );
    stream
        .write_all(text.as_bytes())
        .await
        .map_err(|error| error.kind())?;
    let mut bytes = Vec::new();
    let mut end = None;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) => {
                end = Some(error.kind());
                break;
            }
        }
    }
    let at = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(at);
    Ok(Received {
        head: String::from_utf8(bytes).unwrap(),
        body,
        end,
    })
}

pub(super) async fn ask(proxy: &FaultProxy, lines: &str) -> Received {
    let asked = ask_with(proxy, lines, "");
    timeout(Duration::from_secs(20), asked)
        .await
        .expect("an end")
        .unwrap()
}

pub(super) async fn ask_for_blob(proxy: &FaultProxy) -> Received {
    ask(proxy, &format!("GET {BLOB} HTTP/1.1")).await
}

pub(super) fn status(received: &Received) -> &str {
    received.head.split(' ').nth(1).unwrap_or_default()
}

pub(super) fn header<'a>(received: &'a Received, name: &str) -> Option<&'a str> {
    received
        .head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
