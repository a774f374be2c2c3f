//! A registry that misbehaves on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecs_registry_auth::Secret;
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

mod body;
mod connection;
mod fault;
mod journal;
mod listener;
mod rule;
mod watch;

#[cfg(test)]
mod tests;

pub use fault::{Answer, Fault, RetryAfter};
pub use journal::RecordedRequest;
pub use rule::{Injected, Rule};
pub use watch::SecretWatch;

use journal::Journal;
use listener::Refusal;
use rule::Rules;
use watch::Watches;

/// A reverse proxy in plain HTTP between a container engine and a registry, which makes chosen requests fail in a
/// chosen way and passes all others on.
///
/// Engines take plain HTTP from registries at loopback addresses: give it to them as `127.0.0.1:PORT/team/app:v1`.
/// Bodies are passed on as they come, whatever their size. Dropping the proxy closes its port and every connection.
///
/// ```no_run
/// use ecs_image_puller::testing::fault_proxy::{Fault, FaultProxy, Rule};
///
/// # async fn example() -> std::io::Result<()> {
/// let proxy = FaultProxy::start("127.0.0.1:5000".parse().expect("an address")).await?;
/// let password = proxy.watch("correct horse");
/// let reset = proxy.inject(Rule::on("/v2/*/blobs/*", Fault::Reset { after: 100_000 }).method("GET").times(1));
/// let image = format!("{}/team/app:v1", proxy.address());
/// // … pull `image`, then:
/// assert_eq!(reset.hits(), 1);
/// assert!(proxy.requests().iter().any(|request| request.authorization.as_deref() == Some("Basic")));
/// assert!(password.sightings() > 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

/// What the proxy and its connections have in common.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    rules: Mutex<Rules>,
    journal: Journal,
    watches: Arc<Watches>,
    orders: mpsc::UnboundedSender<Refusal>,
}

impl FaultProxy {
    /// Starts a proxy for the registry at `upstream`, at a free port of 127.0.0.1. It needs a Tokio runtime with I/O
    /// and time.
    ///
    /// # Errors
    ///
    /// No port could be opened.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), upstream).await
    }

    /// The same at an address of choice: `127.0.0.2:0` is another host to whoever compares host names.
    ///
    /// # Errors
    ///
    /// The port could not be opened.
    pub async fn start_at(address: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (orders, received_orders) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            upstream,
            rules: Mutex::default(),
            journal: Journal::default(),
            watches: Arc::default(),
            orders,
        });
        let task = tokio::spawn(listener::run(listener, Arc::clone(&shared), received_orders));
        Ok(Self {
            address,
            shared,
            listener: task.abort_handle(),
        })
    }

    /// Where engines reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a rule. Of several rules that match a request, the first with turns left decides.
    pub fn inject(&self, rule: Rule) -> Injected {
        self.shared.rules().add(rule)
    }

    /// Removes every rule; what they have begun goes on.
    pub fn clear(&self) {
        self.shared.rules().clear();
    }

    /// Closes every connection and refuses new ones for so long, from when this returns: the registry restarts.
    pub async fn refuse_connections(&self, lasting: Duration) {
        self.shared.refuse(lasting).await;
    }

    /// Looks out for a secret in every request from now on.
    pub fn watch(&self, secret: impl Into<Secret<String>>) -> SecretWatch {
        self.shared.watches.add(secret.into())
    }

    /// The requests so far in the order in which they came, the latest 10,000 of them.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.journal.requests()
    }

    /// How many requests there have been in all.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.shared.journal.total()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault_for<B>(&self, request: &Request<B>) -> Option<Fault> {
        self.rules()
            .apply(request.method().as_str(), request.uri().path())
    }

    async fn refuse(&self, lasting: Duration) {
        let (closed, confirmed) = oneshot::channel();
        if self.orders.send(Refusal { lasting, closed }).is_ok() {
            // An error is a listener that has ended: connections are refused as well.
            let _ = confirmed.await;
        }
    }
}
