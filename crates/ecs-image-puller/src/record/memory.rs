//! A record that ends with the process.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Entry, Holder, Identity, IdentityKey, Known, Subject};
use crate::record::tables::MOST_ENTRIES;

#[derive(Debug)]
pub(super) struct Memory {
    key: IdentityKey,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    pulled: HashSet<(String, String)>,
    accepted: HashSet<(String, String, Identity)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            key: IdentityKey::random(),
            entries: Mutex::default(),
        }
    }
}

impl Memory {
    pub(super) fn look_up(&self, subject: &Subject, holder: Option<&Holder>) -> Known {
        let entries = self.entries();
        let pulled = (subject.reference.clone(), subject.platform.clone());
        let accepted = |identity| {
            let key = (subject.repository.clone(), subject.content.clone(), identity);
            entries.accepted.contains(&key)
        };
        Known {
            pulled: entries.pulled.contains(&pulled),
            accepted: holder.is_some_and(|holder| holder.identities(&self.key).into_iter().any(accepted)),
        }
    }

    pub(super) fn enter(&self, subject: Subject, holder: &Holder, entry: Entry) {
        let identity = holder.identity(&self.key);
        let mut entries = self.entries();
        // What is forgotten costs a request.
        if entries.accepted.len() >= MOST_ENTRIES {
            entries.accepted.clear();
        }
        if entries.pulled.len() >= MOST_ENTRIES {
            entries.pulled.clear();
        }
        if entry == Entry::Pulled {
            entries.pulled.insert((subject.reference, subject.platform));
        }
        entries
            .accepted
            .insert((subject.repository, subject.content, identity));
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A set is whole after each of its steps, whoever panicked elsewhere.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
