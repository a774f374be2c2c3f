//! Accepts connections, and for a while does not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{Shared, connection};

/// Connections that wait to be accepted: more than an engine opens at once.
const BACKLOG: u32 = 1024;

/// An order to be gone for a while.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) lasting: Duration,
    /// Told once connections are refused.
    pub(super) closed: oneshot::Sender<()>,
}

/// Runs until it is dropped, which ends every connection.
pub(super) async fn run(
    mut listener: TcpListener,
    shared: Arc<Shared>,
    mut orders: mpsc::UnboundedReceiver<Refusal>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, or a connection that is gone already: the next one may be fine.
                Err(error) => {
                    tracing::debug!(%error, "fault proxy: a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            Some(order) = orders.recv() => match refuse(listener, &mut connections, order).await {
                Ok(reopened) => listener = reopened,
                Err(error) => {
                    tracing::error!(%error, "fault proxy: its port is lost, connections stay refused");
                    return;
                }
            },
        }
    }
}

/// Closes the listener and every connection, and listens again at the same address when the time is over.
async fn refuse(
    listener: TcpListener,
    connections: &mut JoinSet<()>,
    order: Refusal,
) -> io::Result<TcpListener> {
    let address = listener.local_addr()?;
    drop(listener);
    // A socket that is bound and does not listen refuses connections, and keeps the port from everybody else.
    let reserved = reserve(address)?;
    connections.shutdown().await;
    // Whoever gave the order may be gone: a request ends with its connection.
    let _ = order.closed.send(());
    tokio::time::sleep(order.lasting).await;
    reserved.listen(BACKLOG)
}

fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections that were just closed hold on to the address for a while.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
