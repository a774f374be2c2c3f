//! Engines on another machine, through the `ssh` command.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use bollard::{BollardRequest, Docker};
use ecs_registry_auth::SECRET_VARIABLES;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tower_service::Service;

use crate::engine::EngineError;

/// Whom `ssh` is to connect to.
///
/// Everything else (keys, jump hosts, known hosts) is `ssh`'s own configuration, as with the docker command.
///
/// Rule: <https://github.com/docker/cli/blob/master/cli/connhelper/connhelper.go>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshTarget {
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

impl SshTarget {
    /// `[user@]host[:port]`.
    pub(super) fn parse(rest: &str) -> Result<Self, &'static str> {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err("a path after the host is not supported");
        }
        let (user, address) = match rest.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password in an address is not supported: use a key");
        }
        let host_end = address.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match address[host_end..].rsplit_once(':') {
            None => (address, None),
            Some((host, port)) => {
                let port = port.parse().map_err(|_| "its port is not a number up to 65535")?;
                (&address[..host_end + host.len()], Some(port))
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // What begins with a dash, `ssh` would take as an option.
        let word = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "._-:%".contains(character))
        };
        if !word(host) {
            return Err("its host is not a name or an address");
        }
        if user.is_some_and(|user| !word(user)) {
            return Err("its user name is not one that ssh takes");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }

    /// A client whose connections are `ssh` processes.
    pub(super) fn client(&self, timeout: u64) -> Result<Docker, EngineError> {
        let connector = Connector {
            program: "ssh".into(),
            arguments: self.arguments(),
        };
        client(connector, timeout)
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(user) = &self.user {
            arguments.extend(["-l".into(), user.into()]);
        }
        if let Some(port) = self.port {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        // Without a terminal, and never waiting for an answer that nobody gives.
        for argument in ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "--"] {
            arguments.push(argument.into());
        }
        arguments.push(self.host.clone().into());
        arguments.extend(["docker", "system", "dial-stdio"].map(OsString::from));
        arguments
    }
}

fn client(connector: Connector, timeout: u64) -> Result<Docker, EngineError> {
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector);
    let transport = move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(bollard::errors::Error::from) }
    };
    Docker::connect_with_custom_transport(
        transport,
        Some("http://docker"),
        timeout,
        bollard::API_DEFAULT_VERSION,
    )
    .map_err(super::error::translate)
}

impl fmt::Display for SshTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(formatter, "[{}]", self.host)?,
            false => formatter.write_str(&self.host)?,
        }
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Starts a process for each connection.
#[derive(Clone, Debug)]
struct Connector {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Connector {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What ssh has to say (host keys, permissions) is for whoever runs this program.
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        // `SendEnv` or a command of its configuration would give them away; the rest (agent, home) ssh needs.
        for secret in SECRET_VARIABLES {
            command.env_remove(secret);
        }
        command
    }
}

impl Service<http::Uri> for Connector {
    type Response = TokioIo<Pipe>;
    type Error = io::Error;
    type Future = std::future::Ready<Result<TokioIo<Pipe>, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        std::future::ready(Pipe::start(self).map(TokioIo::new))
    }
}

/// A process whose input and output are the connection. It is ended when the connection is dropped.
#[derive(Debug)]
struct Pipe {
    input: ChildStdin,
    output: ChildStdout,
    _process: Child,
}

impl Pipe {
    fn start(connector: &Connector) -> io::Result<Self> {
        let mut process = connector.command().spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("the command ssh cannot be run: {error}"))
        })?;
        let piped = process.stdin.take().zip(process.stdout.take());
        let (input, output) = piped.ok_or_else(|| io::Error::other("ssh was started without pipes"))?;
        Ok(Self {
            input,
            output,
            _process: process,
        })
    }
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_the_arguments_of_the_docker_command() {
        let arguments = |written: &str| -> String {
            let arguments = SshTarget::parse(written).unwrap().arguments();
            let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        };
        assert_eq!(
            arguments("alice@engine.example.com:2222"),
            "-l alice -p 2222 -T -o BatchMode=yes -o ConnectTimeout=30 -- engine.example.com docker system dial-stdio"
        );
        assert!(arguments("[::1]:22").contains("-- ::1 docker"));
    }

    #[tokio::test]
    async fn a_process_is_the_connection() {
        let answer = "HTTP/1.1 200 OK\\r\\nContent-Length: 21\\r\\n\\r\\n{\"ApiVersion\":\"1.41\"}";
        let connector = Connector {
            program: "sh".into(),
            arguments: [
                "-c".into(),
                format!("read line; printf '{answer}'; cat > /dev/null").into(),
            ]
            .into(),
        };
        let version = client(connector, 5).unwrap().version().await.unwrap();
        assert_eq!(version.api_version.as_deref(), Some("1.41"));
    }

    #[tokio::test]
    async fn the_process_gets_no_secret_and_everything_else() {
        let connector = Connector {
            program: "sh".into(),
            arguments: ["-c".into(), "env".into()].into(),
        };
        let mut command = connector.command();
        // As if this process had them: what is removed stays removed, whatever is inherited.
        let removed: Vec<_> = command
            .as_std()
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_os_string())
            .collect();
        for name in [
            "ECS_ENGINE_AUTH_DATA",
            "ECS_ENGINE_AUTH_DATA_KMS",
            "DOCKER_AUTH_CONFIG",
        ] {
            assert!(removed.contains(&name.into()), "{name}");
        }
        let told = command.output().await.unwrap().stdout;
        assert!(String::from_utf8_lossy(&told).contains("PATH="));
    }

    #[tokio::test]
    async fn a_missing_command_is_no_connection() {
        let connector = Connector {
            program: "/nonexistent/ssh".into(),
            arguments: Vec::new(),
        };
        let error = client(connector, 5).unwrap().version().await.unwrap_err();
        let error = crate::docker::error::translate(error);
        assert_eq!(error.kind(), crate::EngineErrorKind::Unreachable);
    }
}
