//! From a path to a text, within bounds.

use std::io;
use std::path::Path;

use ecs_registry_auth::Origin;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::Finding;
use crate::layers::FileText;

/// The most bytes a configuration file may have: thousands of registries fit many times.
pub(crate) const MAXIMUM_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a file that may be missing.
pub(crate) async fn read_optional(path: &Path) -> Result<Option<FileText>, Finding> {
    match read_bounded(path).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, None, &error)),
    }
}

/// Reads a file that must be there; `named_by` is the setting that names it.
pub(crate) async fn read(path: &Path, named_by: Option<Origin>) -> Result<FileText, Finding> {
    read_bounded(path)
        .await
        .map_err(|error| unreadable(path, named_by.as_ref(), &error))
}

async fn read_bounded(path: &Path) -> io::Result<FileText> {
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = tokio::fs::File::open(path).await?;
    // Room for all of it: a buffer that grows leaves copies behind.
    let expected = metadata.len().min(MAXIMUM_BYTES);
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(expected).unwrap_or_default() + 1,
    ));
    file.take(MAXIMUM_BYTES + 1).read_to_end(&mut content).await?;
    if content.len() as u64 > MAXIMUM_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAXIMUM_BYTES} bytes"
        )));
    }
    Ok(FileText {
        path: path.to_owned(),
        content,
        readable_by_others: readable_by_others(&metadata),
    })
}

#[cfg(unix)]
fn readable_by_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::fs::Metadata) -> bool {
    false
}

fn unreadable(path: &Path, named_by: Option<&Origin>, error: &io::Error) -> Finding {
    let next_step = match error.kind() {
        io::ErrorKind::NotFound => "create it, or name another file",
        io::ErrorKind::PermissionDenied => "run as a user that may read it",
        _ => "name a regular file that can be read",
    };
    let named_by = named_by.map_or_else(String::new, |origin| format!(" ({origin} names it)"));
    Finding::error(
        Origin::file(path),
        format!("it cannot be read{named_by}: {error}"),
    )
    .with_next_step(next_step)
}
