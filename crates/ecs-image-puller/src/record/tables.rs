//! What stands in the database.

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::identity::LENGTH;
use super::{Entry, Identity, Known, Subject};

/// More entries than this are not kept in a table: tokens of Amazon ECR are new every few hours, and each is another
/// identity. What is forgotten costs a request.
pub(super) const MOST_ENTRIES: usize = 16 * 1024;

/// Reference and platform; content, and when it was pulled (seconds since 1970).
const PULLED: TableDefinition<(&str, &str), (&str, u64)> = TableDefinition::new("pulled");

/// Repository, content and identity; when access was shown last (seconds since 1970).
const ACCEPTED: TableDefinition<(&str, &str, &[u8; LENGTH]), u64> = TableDefinition::new("accepted");

/// Makes the tables, so that whoever reads finds them.
pub(super) fn create(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(PULLED)?;
    transaction.open_table(ACCEPTED)?;
    Ok(transaction.commit()?)
}

pub(super) fn look_up(
    database: &Database,
    subject: &Subject,
    identities: &[Identity],
) -> Result<Known, redb::Error> {
    let transaction = database.begin_read()?;
    let pulled = transaction.open_table(PULLED)?;
    let accepted = transaction.open_table(ACCEPTED)?;
    let mut known = Known {
        pulled: pulled.get((&*subject.reference, &*subject.platform))?.is_some(),
        accepted: false,
    };
    for identity in identities {
        let key = (&*subject.repository, &*subject.content, &identity.0);
        known.accepted |= accepted.get(key)?.is_some();
    }
    Ok(known)
}

/// How old (in seconds) an entry may be that need not be made again: its age only orders what is forgotten.
const FRESH: u64 = 60 * 60;

/// Whether an entry stands already, not older than an hour.
pub(super) fn has(
    database: &impl ReadableDatabase,
    subject: &Subject,
    identity: Identity,
    entry: Entry,
    now: u64,
) -> Result<bool, redb::Error> {
    let is_fresh = |time: u64| time <= now && now - time < FRESH;
    let transaction = database.begin_read()?;
    let accepted = transaction.open_table(ACCEPTED)?;
    let key = (&*subject.repository, &*subject.content, &identity.0);
    if !accepted.get(key)?.is_some_and(|time| is_fresh(time.value())) {
        return Ok(false);
    }
    if entry != Entry::Pulled {
        return Ok(true);
    }
    let pulled = transaction.open_table(PULLED)?;
    let stands = pulled.get((&*subject.reference, &*subject.platform))?;
    Ok(stands.is_some_and(|stands| {
        let (content, time) = stands.value();
        content == subject.content && is_fresh(time)
    }))
}

/// Makes an entry that is on disk afterwards.
pub(super) fn enter(
    database: &Database,
    subject: &Subject,
    identity: Identity,
    entry: Entry,
    now: u64,
) -> Result<(), redb::Error> {
    enter_within(database, subject, identity, entry, now, MOST_ENTRIES)
}

fn enter_within(
    database: &Database,
    subject: &Subject,
    identity: Identity,
    entry: Entry,
    now: u64,
    most: usize,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut accepted = transaction.open_table(ACCEPTED)?;
        accepted.insert((&*subject.repository, &*subject.content, &identity.0), now)?;
        if accepted.len()? > most as u64 {
            let mut times = Vec::with_capacity(most + 1);
            for entry in accepted.iter()? {
                times.push(entry?.1.value());
            }
            let newest = newest_to_forget(times);
            accepted.retain(|_, time| time > newest)?;
        }
        if entry == Entry::Pulled {
            let mut pulled = transaction.open_table(PULLED)?;
            pulled.insert(
                (&*subject.reference, &*subject.platform),
                (&*subject.content, now),
            )?;
            if pulled.len()? > most as u64 {
                let mut times = Vec::with_capacity(most + 1);
                for entry in pulled.iter()? {
                    times.push(entry?.1.value().1);
                }
                let newest = newest_to_forget(times);
                pulled.retain(|_, (_, time)| time > newest)?;
            }
        }
    }
    Ok(transaction.commit()?)
}

/// The newest time of the oldest quarter, so that the next entries find room.
fn newest_to_forget(mut times: Vec<u64>) -> u64 {
    let quarter = times.len() / 4;
    *times.select_nth_unstable(quarter).1
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn subject(number: u64) -> Subject {
        Subject {
            reference: format!("app:v{number}"),
            platform: String::new(),
            repository: "app".to_owned(),
            content: format!("sha256:{number}"),
        }
    }

    #[test]
    fn an_entry_stands_for_an_hour_for_its_identity_and_content_alone() {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        create(&database).unwrap();
        let (ours, theirs) = (Identity([7; LENGTH]), Identity([8; LENGTH]));
        enter(&database, &subject(1), ours, Entry::Pulled, 10_000).unwrap();
        let other_content = Subject {
            content: "sha256:2".to_owned(),
            ..subject(1)
        };
        for (subject, identity, now, expected) in [
            (subject(1), ours, 10_000, true),
            (subject(1), ours, 10_000 + FRESH - 1, true),
            (subject(1), ours, 10_000 + FRESH, false),
            (subject(1), ours, 9_999, false),
            (subject(1), theirs, 10_000, false),
            (subject(2), ours, 10_000, false),
            (other_content, ours, 10_000, false),
        ] {
            let stands = has(&database, &subject, identity, Entry::Pulled, now).unwrap();
            assert_eq!(stands, expected, "{} {now}", subject.content);
        }
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        create(&database).unwrap();
        let identity = Identity([7; LENGTH]);
        for number in 0..1000 {
            enter_within(&database, &subject(number), identity, Entry::Pulled, number, 100).unwrap();
        }
        let kept = (0..1000)
            .filter(|number| {
                let known = look_up(&database, &subject(*number), &[identity]).unwrap();
                assert_eq!(known.pulled, known.accepted);
                known.pulled
            })
            .count();
        assert!((70..=100).contains(&kept), "{kept}");
        assert!(look_up(&database, &subject(999), &[identity]).unwrap().accepted);
    }
}
