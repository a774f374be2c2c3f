//! Files and standard input.

use std::io::Read;
use std::path::Path;

use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use super::Failure;
use ecs_pull::ExitCode;

/// No document that ECS takes is larger; more is a mistake such as the wrong file.
const LIMIT: u64 = 16 * 1024 * 1024;

/// A file, or standard input for `-`. The text is erased when dropped, since it may hold keys.
///
/// Read on a thread of its own: a terminal or a pipe may say nothing for ever, and an interrupt must be noticed then.
pub(crate) async fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Origin), Failure> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || read_now(&path)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Failure::new(
            ExitCode::Other,
            format!("reading failed: {error}"),
            "report this as a bug",
        )),
    }
}

fn read_now(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Origin), Failure> {
    let is_stdin = path == Path::new("-");
    let origin = if is_stdin {
        Origin::other("standard input")
    } else {
        Origin::file(path)
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let outcome = if is_stdin {
        std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
    };
    match outcome {
        Ok(count) if count as u64 > LIMIT => Err(Failure::new(
            ExitCode::Configuration,
            format!("{origin}: larger than 16 MiB"),
            "check that this is the file you mean",
        )),
        Ok(_) => Ok((bytes, origin)),
        Err(error) => Err(Failure::new(
            ExitCode::Configuration,
            format!("{origin}: cannot be read: {error}"),
            "check the path and its permissions",
        )),
    }
}
