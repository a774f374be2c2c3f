//! One connection of an engine.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::body::FaultyBody;
use super::watch::SearchedBody;
use super::{Fault, Shared};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers the requests of one connection until either side closes it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Slow bodies consist of small pieces, each of which has to leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "fault proxy: no TCP_NODELAY");
    }
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Resettable {
        stream,
        reset: Arc::clone(&reset),
    };
    let service = service_fn(|request| answer(request, Arc::clone(&shared), Arc::clone(&reset)));
    let connection = server::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "fault proxy: a connection ended early");
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reset: Arc<AtomicBool>,
) -> Result<Response<BoxBody<Bytes, io::Error>>, Infallible> {
    let fault = shared.fault_for(&request);
    let entry = shared.journal.begin(&request, fault.clone());
    let path = request.uri().path().to_owned();
    let target = request
        .uri()
        .path_and_query()
        .map_or_else(|| path.clone(), ToString::to_string);
    let (head, body) = request.into_parts();
    shared.watches.search_head(&head);
    let request = Request::from_parts(head, SearchedBody::new(body, Arc::clone(&shared.watches)));

    let own = fault.as_ref().and_then(|fault| fault.own_answer(&path, &target));
    let response = match own {
        Some(response) => response.map(whole),
        None => {
            match fault {
                Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
                Some(Fault::Refuse { lasting }) => {
                    shared.refuse(lasting).await;
                    // The listener ends every connection, this one too, before it confirms that it is closed.
                    std::future::pending::<()>().await;
                }
                _ => {}
            }
            let body_fault = fault.as_ref().and_then(Fault::of_body);
            match forward(request, &target, shared.upstream).await {
                Ok(response) => {
                    let entry = Arc::clone(&entry);
                    response.map(|body| FaultyBody::new(body, body_fault, reset, entry).boxed())
                }
                Err(error) => {
                    let text = format!("the fault proxy cannot reach {}: {error}\n", shared.upstream);
                    let mut response = Response::new(whole(text.into()));
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response
                }
            }
        }
    };
    entry.answered(response.status().as_u16());
    Ok(response)
}

fn whole(body: Bytes) -> BoxBody<Bytes, io::Error> {
    Full::new(body).map_err(|never| match never {}).boxed()
}

/// Asks the registry, over a connection of its own: a kept one that the registry has closed would be a fault that
/// nobody asked for.
async fn forward(
    mut request: Request<SearchedBody>,
    target: &str,
    upstream: SocketAddr,
) -> Result<Response<Incoming>, Error> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    // It ends with the body of the answer.
    tokio::spawn(connection);
    *request.uri_mut() = Uri::try_from(target)?;
    remove_hop_by_hop(request.headers_mut());
    let mut response = sender.send_request(request).await?;
    remove_hop_by_hop(response.headers_mut());
    Ok(response)
}

/// Rule: <https://www.rfc-editor.org/rfc/rfc9110#field.connection>.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always = [
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
    ];
    for name in named.into_iter().chain(always) {
        headers.remove(name);
    }
}

/// A connection that can end in a reset instead of an orderly close.
#[derive(Debug)]
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::warn!(%error, "fault proxy: a connection is closed in good order instead of reset");
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
