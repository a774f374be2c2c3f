//! An address where nobody answers.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::TcpSocket;

/// A loopback port that refuses connections for as long as the value lives. A port that was only free a moment ago may
/// by now be that of another test's part.
#[derive(Debug)]
pub struct ClosedPort {
    socket: TcpSocket,
}

impl ClosedPort {
    /// Takes a free port.
    ///
    /// # Errors
    /// There is none.
    pub fn take() -> Result<Self> {
        // Not for reuse, or others could take it as well for as long as nobody listens.
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { socket })
    }

    /// Its number.
    ///
    /// # Errors
    /// None that is known.
    pub fn number(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn connections_are_refused_and_nobody_else_gets_the_port() -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let _guard = runtime.enter();
        let closed = ClosedPort::take()?;
        let refused = TcpStream::connect(("127.0.0.1", closed.number()?)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(std::net::TcpListener::bind(("127.0.0.1", closed.number()?)).is_err());
        Ok(())
    }
}
