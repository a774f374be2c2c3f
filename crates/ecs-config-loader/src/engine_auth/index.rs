//! Entries, found by registry and path.

use std::collections::HashMap;
use std::sync::Arc;

use ecs_registry_auth::{
    CredentialSource, Diagnosis, ErrorClass, ErrorName, ImageReference, Origin, Provenance, Registry,
    RegistryCredential, ResolvedCredential, Stage,
};

use super::entry::EntryError;
use super::key::RegistryKey;

/// One entry as it was written, broken or not.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: RegistryKey,
    pub(crate) credential: Result<RegistryCredential, EntryError>,
    pub(crate) origin: Origin,
}

/// An entry in the index: its credential with its provenance, or what is wrong with it.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) key: RegistryKey,
    pub(super) origin: Origin,
    pub(super) answer: Result<ResolvedCredential, EntryError>,
}

/// Whether the only usable key of a registry is used for images outside of its path, as the agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SoleKey {
    UsedBeyondItsPath,
    KeepsToItsPath,
}

/// All entries of one source. Immutable once built.
#[derive(Debug)]
pub(crate) struct AuthIndex {
    source: CredentialSource,
    pub(super) entries: Vec<Indexed>,
    registries: HashMap<Registry, RegistryEntries>,
}

/// The entries of one registry, as positions in [`AuthIndex::entries`].
#[derive(Debug, Default)]
struct RegistryEntries {
    paths: HashMap<Box<str>, PathEntries>,
    /// The most segments any path has: deeper parts of a repository's name need no look.
    depth: usize,
    /// The answer for images that no path covers, where the agent has one.
    beyond: Option<(usize, ResolvedCredential)>,
    /// The broken entry to blame where there is no usable one at all.
    only_broken: Option<usize>,
}

#[derive(Debug, Default)]
struct PathEntries {
    usable: Option<usize>,
    broken: Option<usize>,
}

/// What the index says about an image.
pub(super) enum Choice<'a> {
    /// This entry covers it.
    Covered(usize, &'a ResolvedCredential),
    /// This entry does not cover it, but is the only usable one of the registry.
    Beyond(usize, &'a ResolvedCredential),
    /// This entry should have answered, and is broken.
    Broken(usize),
    Nothing,
}

impl AuthIndex {
    pub(crate) fn new(source: CredentialSource, entries: Vec<Entry>, sole_key: SoleKey) -> Self {
        let entries: Vec<Indexed> = entries
            .into_iter()
            .map(|entry| Indexed {
                answer: entry
                    .credential
                    .map(|credential| resolved(source, &entry.key, &entry.origin, credential)),
                key: entry.key,
                origin: entry.origin,
            })
            .collect();
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|left, right| entries[*left].key.precedence(&entries[*right].key));
        let mut by_registry: HashMap<Registry, Vec<usize>> = HashMap::new();
        for position in order {
            by_registry
                .entry(entries[position].key.registry.clone())
                .or_default()
                .push(position);
        }
        let registries = by_registry
            .into_iter()
            .map(|(registry, positions)| (registry, RegistryEntries::new(&entries, &positions, sole_key)))
            .collect();
        Self {
            source,
            entries,
            registries,
        }
    }

    pub(crate) fn source(&self) -> CredentialSource {
        self.source
    }

    /// Every entry as it was written: its key, its place, and its credential or what is wrong with it.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = (&RegistryKey, &Origin, Result<&ResolvedCredential, &EntryError>)> {
        self.entries
            .iter()
            .map(|entry| (&entry.key, &entry.origin, entry.answer.as_ref()))
    }

    /// The credential for an image, without allocating unless it is an error.
    pub(crate) fn lookup(&self, image: &ImageReference) -> Result<Option<&ResolvedCredential>, Diagnosis> {
        match self.choose(image) {
            Choice::Covered(_, resolved) | Choice::Beyond(_, resolved) => Ok(Some(resolved)),
            Choice::Nothing => Ok(None),
            Choice::Broken(position) => Err(self.diagnosis(position, image)),
        }
    }

    pub(super) fn choose(&self, image: &ImageReference) -> Choice<'_> {
        let Some(registry) = self.registries.get(image.registry()) else {
            return Choice::Nothing;
        };
        let mut broken = None;
        for path in paths(image.repository(), registry.depth) {
            let Some(at_path) = registry.paths.get(path) else {
                continue;
            };
            // A broken entry does not hide a usable one, which may have a shorter path: as in the agent, where one
            // of the two would not have been there.
            if let Some((position, Ok(resolved))) = at_path
                .usable
                .map(|position| (position, &self.entries[position].answer))
            {
                return Choice::Covered(position, resolved);
            }
            broken = broken.or(at_path.broken);
        }
        match (&registry.beyond, broken.or(registry.only_broken)) {
            (Some((position, resolved)), _) => Choice::Beyond(*position, resolved),
            (None, Some(position)) => Choice::Broken(position),
            (None, None) => Choice::Nothing,
        }
    }

    pub(super) fn diagnosis(&self, position: usize, image: &ImageReference) -> Diagnosis {
        let entry = &self.entries[position];
        let (problem, next_step) = match &entry.answer {
            Err(error) => (error.to_string(), error.next_step()),
            Ok(_) => ("it cannot be used".to_owned(), "correct it"),
        };
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Configuration,
            Stage::Credential,
            format!(
                "{}: registry {:?}, which {image} needs: {problem}",
                entry.origin, entry.key.written
            ),
        )
        .with_next_step(next_step)
    }
}

impl RegistryEntries {
    /// `positions` are in the order of precedence.
    fn new(entries: &[Indexed], positions: &[usize], sole_key: SoleKey) -> Self {
        let mut this = Self::default();
        let mut usable = Vec::new();
        let mut broken = Vec::new();
        for &position in positions {
            let Indexed { key, answer, .. } = &entries[position];
            let segments = if key.path.is_empty() {
                0
            } else {
                1 + key.path.matches('/').count()
            };
            this.depth = this.depth.max(segments);
            let at_path = this.paths.entry(key.path.clone()).or_default();
            let (slot, list) = match answer {
                Ok(_) => (&mut at_path.usable, &mut usable),
                Err(_) => (&mut at_path.broken, &mut broken),
            };
            slot.get_or_insert(position);
            list.push(position);
        }
        match (usable.as_slice(), broken.as_slice()) {
            (&[position], _) if sole_key == SoleKey::UsedBeyondItsPath => {
                this.beyond = beyond(&entries[position]).map(|resolved| (position, resolved));
            }
            // One of them might be the key for the image, so it must not go without; on Docker Hub a path never
            // speaks for images outside of it.
            ([], &[first, ..]) if !entries[first].key.registry.is_docker_hub() => {
                this.only_broken = Some(first);
            }
            _ => {}
        }
        this
    }
}

/// The answer of a registry's only key for images outside of its path.
fn beyond(entry: &Indexed) -> Option<ResolvedCredential> {
    if entry.key.registry.is_docker_hub() || entry.key.path.is_empty() {
        return None;
    }
    let resolved = entry.answer.as_ref().ok()?;
    let mut provenance = Provenance::clone(&resolved.provenance);
    provenance.notes.push(
        format!(
            "path {} does not cover the image; the key is used because it is the only usable one of {}",
            entry.key.path, entry.key.registry
        )
        .into(),
    );
    Some(ResolvedCredential::new(
        Arc::clone(&resolved.credential),
        provenance,
    ))
}

fn resolved(
    source: CredentialSource,
    key: &RegistryKey,
    origin: &Origin,
    credential: RegistryCredential,
) -> ResolvedCredential {
    let mut provenance = Provenance::new(source, key.registry.clone());
    provenance.key = Some(Arc::clone(&key.written));
    provenance.origin = Some(origin.clone());
    provenance.username = credential.username.as_deref().map(Arc::from);
    provenance.notes = key.remark().map(Arc::from).into_iter().collect();
    ResolvedCredential::new(credential, provenance)
}

/// The repository's name and what is left of it segment by segment, the longest first, then the empty path. Names of
/// more than `depth` segments start at `depth`.
fn paths(repository: &str, depth: usize) -> impl Iterator<Item = &str> {
    let start = match depth {
        0 => "",
        _ => repository
            .match_indices('/')
            .nth(depth - 1)
            .map_or(repository, |(slash, _)| &repository[..slash]),
    };
    std::iter::successors(Some(start), |path| match path.rfind('/') {
        Some(slash) => Some(&path[..slash]),
        None if path.is_empty() => None,
        None => Some(""),
    })
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn the_longest_path_comes_first_and_none_is_deeper_than_the_keys() {
        let list = |repository, depth| paths(repository, depth).collect::<Vec<_>>();
        assert_eq!(list("a/b/c", 9), ["a/b/c", "a/b", "a", ""]);
        assert_eq!(list("a/b/c", 3), ["a/b/c", "a/b", "a", ""]);
        assert_eq!(list("a/b/c", 1), ["a", ""]);
        assert_eq!(list("a", 0), [""]);
    }
}
