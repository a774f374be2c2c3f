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
