//! Into an `ecs.config`: its other lines stay as they are, and nobody ever sees half of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use super::ImportedAuth;
use crate::file::MAXIMUM_BYTES;
use crate::{ConfigErrors, Finding, names};

/// The settings that an import replaces, whether it sets them again or not.
const REPLACED: [&str; 4] = [
    names::AUTH_TYPE,
    names::AUTH_DATA,
    names::AUTH_DATA_KMS,
    names::AUTH_KMS_KEY,
];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Writes the settings into the env-file at `path`, in the place of those that were there; all other lines stay byte
/// for byte. A missing file is created, in a directory that must exist.
///
/// The file appears as a whole or not at all. It can be read by its owner alone (mode 0600) and keeps its owner,
/// where this process may give files away. A symbolic link stays, and what it points to is replaced.
///
/// It blocks for as long as the file system takes.
///
/// # Errors
///
/// [`ConfigErrors`] when the file cannot be read or written.
pub fn write_env_file(path: &Path, imported: &ImportedAuth) -> Result<(), ConfigErrors> {
    write(path, imported).map_err(|error| {
        let next_step = match error.kind() {
            io::ErrorKind::NotFound => "create the directory first",
            io::ErrorKind::PermissionDenied => "run as a user that may write there, as root with sudo",
            io::ErrorKind::StorageFull => "free some space on that disk",
            _ => "name a regular file in a directory that can be written",
        };
        ConfigErrors::new(vec![
            Finding::error(Origin::file(path), format!("it cannot be written: {error}"))
                .with_next_step(next_step),
        ])
    })
}

fn write(path: &Path, imported: &ImportedAuth) -> io::Result<()> {
    let existing = Existing::read(path)?;
    let (target, content) = match &existing {
        Some(existing) => (existing.path.as_path(), existing.content.as_slice()),
        None => (path, &[][..]),
    };
    let merged = merge(content, imported);
    let directory = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ecs.config.");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    let mut temporary = builder.tempfile_in(directory)?;
    temporary.write_all(&merged)?;
    if let Some(existing) = &existing {
        keep_owner(temporary.as_file(), existing);
    }
    temporary.as_file().sync_all()?;
    temporary.persist(target).map_err(|error| error.error)?;
    sync_directory(directory)
}

struct Existing {
    /// Where it really is.
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
    #[cfg_attr(not(unix), expect(dead_code, reason = "owners are a matter of unix"))]
    metadata: fs::Metadata,
}

impl Existing {
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > MAXIMUM_BYTES {
            return Err(io::Error::other(format!(
                "it has more than {MAXIMUM_BYTES} bytes"
            )));
        }
        let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
        let mut content = Zeroizing::new(Vec::with_capacity(room));
        File::open(&path)?.read_to_end(&mut content)?;
        Ok(Some(Self {
            path,
            content,
            metadata,
        }))
    }
}

#[cfg(unix)]
fn keep_owner(file: &File, existing: &Existing) {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let (user, group) = (existing.metadata.uid(), existing.metadata.gid());
    if let Err(error) = fchown(file, Some(user), Some(group)) {
        tracing::warn!(
            path = %existing.path.display(),
            %error,
            "the file changes its owner to the user who writes it"
        );
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Existing) {}

/// Makes the new name durable.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The content with the settings in the place of the first one that they replace, else at its end.
fn merge(content: &[u8], imported: &ImportedAuth) -> Zeroizing<Vec<u8>> {
    let (mark, content) = match content.strip_prefix(BYTE_ORDER_MARK) {
        Some(content) => (BYTE_ORDER_MARK, content),
        None => (&[][..], content),
    };
    let lines = imported.lines();
    let line_end: &[u8] = match content.iter().position(|byte| *byte == b'\n') {
        Some(position) if content[..position].ends_with(b"\r") => b"\r\n",
        _ => b"\n",
    };
    // Room for all of it and for a carriage return per line.
    let room = mark.len() + content.len() + lines.expose().len() + 8;
    let mut merged = Zeroizing::new(Vec::with_capacity(room));
    merged.extend_from_slice(mark);
    let mut written = false;
    let write_lines = |merged: &mut Vec<u8>| {
        for line in lines.expose().lines() {
            merged.extend_from_slice(line.as_bytes());
            merged.extend_from_slice(line_end);
        }
    };
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        if !is_replaced(line) {
            merged.extend_from_slice(line);
        } else if !written {
            write_lines(&mut merged);
            written = true;
        }
    }
    if !written {
        if !content.is_empty() && !content.ends_with(b"\n") {
            merged.extend_from_slice(line_end);
        }
        write_lines(&mut merged);
    }
    merged
}

/// Whether the readers of the file take this line for one of the settings.
fn is_replaced(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'=').next().unwrap_or_default();
    let Ok(name) = std::str::from_utf8(name) else {
        return false;
    };
    name.len() < line.len() && REPLACED.contains(&name.trim_start())
}
