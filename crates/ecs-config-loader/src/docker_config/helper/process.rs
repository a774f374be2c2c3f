//! One run of a helper: its input, its bounded output and its end.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::failure::Failure;

/// The most that a helper may print on either stream, in bytes: far more than any credential.
pub(super) const OUTPUT_LIMIT: usize = 64 * 1024;

/// What a helper left behind.
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Zeroizing<Vec<u8>>,
    pub(super) stderr: Zeroizing<Vec<u8>>,
}

/// Runs `program action` with `input` on its standard input. Dropping the future kills it and whatever it started.
pub(super) async fn run<'a>(
    program: &Path,
    action: &str,
    input: &str,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Output, Failure> {
    let mut command = Command::new(program);
    command
        .arg(action)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut process = Process(command.spawn().map_err(|error| Failure::start(&error))?);

    let Process(child) = &mut process;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin
            && let Err(error) = stdin.write_all(input.as_bytes()).await
            // Whoever does not read its input may still have an answer.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(Failure::pipe(&error));
        }
        Ok(())
    };
    // Output first, then the end: until it is waited for, the process keeps its id, and so does its group.
    let ((), stdout, stderr) = tokio::try_join!(write, read(stdout), read(stderr))?;
    let status = child.wait().await.map_err(|error| Failure::pipe(&error))?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// Reads to the end into one buffer that never moves, so that it leaves no copy behind.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut buffer = Zeroizing::new(vec![0; OUTPUT_LIMIT + 1]);
    let mut filled = 0;
    if let Some(mut pipe) = pipe {
        loop {
            let count = pipe
                .read(&mut buffer[filled..])
                .await
                .map_err(|error| Failure::pipe(&error))?;
            if count == 0 {
                break;
            }
            filled += count;
            if filled > OUTPUT_LIMIT {
                return Err(Failure::TooMuchOutput);
            }
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// A started helper. It does not outlive this value unless it was waited for.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // `kill_on_drop` ends the helper alone; a script's children would live on and keep its pipes.
        #[cfg(unix)]
        if let Some(group) = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // An error means that the group is gone.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(unix)]
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file()
}
