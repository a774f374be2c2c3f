//! A record on disk, shared with other processes.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadOnlyDatabase, StorageError};
use zeroize::Zeroizing;

use super::identity::{LENGTH, random_bytes};
use super::{Entry, Holder, Identity, IdentityKey, Known, RecordError, Subject, tables};

/// The database opens one process at a time; each has it for milliseconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

const DATABASE: &str = "pulls.redb";
const KEY: &str = "pulls.key";
const LOCK: &str = "pulls.lock";

/// What is remembered of a few thousand images fits many times over.
const CACHE: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub(super) struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn look_up(&self, subject: &Subject, holder: Option<&Holder>) -> Result<Known, RecordError> {
        let path = self.directory.join(DATABASE);
        match fs::metadata(&path) {
            // Nobody has recorded anything yet, and a look is no reason to make files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Known::default()),
            Err(error) => return Err(failed(&path)(error)),
            Ok(_) => {}
        }
        let _lock = self.lock()?;
        let key = self.key()?;
        let identities = holder.map(|holder| holder.identities(&key));
        let database = self.database()?;
        tables::look_up(
            &database,
            subject,
            identities.as_ref().map_or(&[], <[_; 2]>::as_slice),
        )
        .map_err(damaged(&path))
    }

    pub(super) fn enter(&self, subject: &Subject, holder: &Holder, entry: Entry) -> Result<(), RecordError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory).map_err(failed(&self.directory))?;
        let _lock = self.lock()?;
        let identity = holder.identity(&self.key()?);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if self.stands(subject, identity, entry, now) {
            return Ok(());
        }
        tables::enter(&self.database()?, subject, identity, entry, now)
            .map_err(damaged(&self.directory.join(DATABASE)))
    }

    /// Whether nothing has to be written. Opening the database for a look waits for no disk, as opening it to write
    /// does. Whatever keeps it from being looked at is left to who writes.
    fn stands(&self, subject: &Subject, identity: Identity, entry: Entry, now: u64) -> bool {
        ReadOnlyDatabase::open(self.directory.join(DATABASE))
            .ok()
            .and_then(|database| tables::has(&database, subject, identity, entry, now).ok())
            .unwrap_or(false)
    }

    /// Held until it is dropped, or until the process ends in whatever way.
    fn lock(&self) -> Result<File, RecordError> {
        let path = self.directory.join(LOCK);
        let file = private(&path, OpenOptions::new().read(true).write(true).create(true))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LONGEST_WAIT => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => return Err(RecordError::Busy { path }),
                Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
            }
        }
    }

    /// The key of this record, made when there is none. Needs the lock.
    fn key(&self) -> Result<IdentityKey, RecordError> {
        let path = self.directory.join(KEY);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.new_key(&path),
            Err(error) => return Err(failed(&path)(error)),
        };
        let mut bytes = Zeroizing::new([0; LENGTH]);
        file.read_exact(&mut *bytes).map_err(failed(&path))?;
        Ok(IdentityKey::new(&bytes))
    }

    fn new_key(&self, path: &Path) -> Result<IdentityKey, RecordError> {
        let bytes = random_bytes();
        let new = path.with_extension("key.new");
        let mut file = private(&new, OpenOptions::new().write(true).create(true).truncate(true))?;
        file.write_all(&*bytes)
            .and_then(|()| file.sync_all())
            .map_err(failed(&new))?;
        self.publish(&new, path)?;
        Ok(IdentityKey::new(&bytes))
    }

    /// The database, made when there is none. Needs the lock.
    fn database(&self) -> Result<Database, RecordError> {
        let path = self.directory.join(DATABASE);
        let opened = Database::builder().set_cache_size(CACHE).open(&path);
        match opened {
            Ok(database) => Ok(database),
            Err(DatabaseError::Storage(StorageError::Io(error)))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                self.new_database(&path)
            }
            Err(error) if is_damage(&error) => {
                // Whatever it said is forgotten, which costs requests; it is kept for whoever wants to look at it.
                let aside = path.with_extension("redb.damaged");
                tracing::warn!(path = %path.display(), aside = %aside.display(), %error, "the record of pulls is damaged and begun anew");
                fs::rename(&path, &aside).map_err(failed(&path))?;
                self.new_database(&path)
            }
            Err(error) => Err(damaged(&path)(error)),
        }
    }

    /// Under another name until it is whole: a process may be killed while the file is being made.
    fn new_database(&self, path: &Path) -> Result<Database, RecordError> {
        let new = path.with_extension("redb.new");
        let file = private(
            &new,
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true),
        )?;
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(FileBackend::new(file).map_err(damaged(&new))?)
            .map_err(damaged(&new))?;
        tables::create(&database).map_err(damaged(&new))?;
        self.publish(&new, path)?;
        Ok(database)
    }

    fn publish(&self, new: &Path, path: &Path) -> Result<(), RecordError> {
        fs::rename(new, path).map_err(failed(path))?;
        // The new name must outlive a loss of power. Windows has no such thing for a directory.
        #[cfg(unix)]
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed(&self.directory))?;
        Ok(())
    }
}

/// Opens a file that is for its owner alone if it is made now.
fn private(path: &Path, options: &mut OpenOptions) -> Result<File, RecordError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path).map_err(failed(path))
}

fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> RecordError {
    move |source| RecordError::File {
        path: path.to_owned(),
        source,
    }
}

fn damaged<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> RecordError {
    move |error| RecordError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
