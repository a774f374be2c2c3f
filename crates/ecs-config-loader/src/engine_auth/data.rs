//! The auth data as a whole: `{registry: entry, …}`.

use std::collections::HashMap;

use ecs_registry_auth::Origin;
use serde_json::value::RawValue;

use super::AuthType;
use super::entry::{self, EntryShape};
use super::index::Entry;
use super::key::RegistryKey;
use crate::Finding;
use crate::json::{self, Kind, Lines, Members};

/// Where the text of auth data stands, to find the place of each entry.
pub(crate) enum Place<'a> {
    /// All of it is at one place: a variable, a line.
    Whole(Origin),
    /// It is part of this JSON file, and each entry has a line of its own.
    Within {
        text: &'a str,
        path: &'a std::path::Path,
    },
}

impl Place<'_> {
    pub(crate) fn whole(&self) -> Origin {
        match self {
            Self::Whole(origin) => origin.clone(),
            Self::Within { path, .. } => Origin::file(*path),
        }
    }
}

/// Reads auth data. A broken entry stays an entry, with what is wrong with it.
///
/// # Errors
///
/// A finding when the data as a whole is unusable.
pub(crate) fn decode(
    text: &str,
    auth_type: AuthType,
    place: &Place<'_>,
    notes: &mut Vec<Finding>,
) -> Result<Vec<Entry>, Finding> {
    let raw = json::document(text).map_err(|problem| {
        let unquoted = text.trim();
        let next_step = match unquoted.as_bytes() {
            [b'\'', .., b'\''] | [b'"', .., b'"'] => "remove the quotes round the value: they are not stripped",
            [] => "write {\"registry\": {…}}",
            _ => "correct the JSON at that column; `ecs-pull config import` writes it from Docker's config.json",
        };
        Finding::error(place.whole(), format!("the auth data is {problem}")).with_next_step(next_step)
    })?;
    decode_raw(raw, EntryShape::EngineAuth(auth_type), place, notes)
}

/// [`decode`] for data that is already part of a checked document.
pub(crate) fn decode_raw(
    raw: &RawValue,
    shape: EntryShape,
    place: &Place<'_>,
    notes: &mut Vec<Finding>,
) -> Result<Vec<Entry>, Finding> {
    let kind = json::kind(raw);
    if kind == Kind::Null {
        return Ok(Vec::new());
    }
    let members = json::members(raw).ok_or_else(|| {
        Finding::error(place.whole(), format!("the auth data is {kind}, not an object"))
            .with_next_step("write {\"registry\": {…}}, without quotes round the whole")
    })?;
    let members = unwrap_auths(members, place, notes);
    let mut lines = match place {
        Place::Whole(_) => None,
        Place::Within { text, .. } => Some(Lines::new(text)),
    };
    let mut entries: Vec<Entry> = Vec::with_capacity(members.len());
    let mut positions: HashMap<String, (usize, bool)> = HashMap::with_capacity(members.len());
    for (written, value, wrapped) in members {
        let origin = match (place, &mut lines) {
            (Place::Within { path, .. }, Some(lines)) => Origin::file_line(*path, lines.of(value)),
            _ => place.whole(),
        };
        let entry = Entry {
            key: RegistryKey::parse(&written),
            credential: entry::decode(value, shape),
            origin,
        };
        match positions.get_mut(&written) {
            // The one outside is the one that the agent knows.
            Some((_, false)) if wrapped => notes.push(
                Finding::warning(
                    entry.origin,
                    format!(
                        "registry {:?} is inside \"auths\" and beside it, the one beside it is used",
                        entry.key.written
                    ),
                )
                .with_next_step("remove one of the two"),
            ),
            Some((position, was_wrapped)) => {
                notes.push(
                    Finding::warning(
                        entry.origin.clone(),
                        format!(
                            "registry {:?} is there twice, the last one is used",
                            entry.key.written
                        ),
                    )
                    .with_next_step("remove one of the two"),
                );
                *was_wrapped = wrapped;
                if let Some(slot) = entries.get_mut(*position) {
                    *slot = entry;
                }
            }
            None => {
                positions.insert(written, (entries.len(), wrapped));
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

/// Takes the entries out of `{"auths": {…}}`, the shape of Docker's `config.json`, and puts them with those beside it,
/// in written order; with each, whether it was inside. Only what is a field of that file is left out: whatever else
/// stands beside `auths` is an entry to the agent.
fn unwrap_auths<'a>(
    members: Members<'a>,
    place: &Place<'_>,
    notes: &mut Vec<Finding>,
) -> Vec<(String, &'a RawValue, bool)> {
    let inner = |name: &str, value: &'a RawValue| {
        name.eq_ignore_ascii_case("auths")
            .then(|| json::members(value))
            .flatten()
    };
    let is_wrapped = members.iter().any(|(name, value)| inner(name, value).is_some());
    if is_wrapped {
        notes.push(
            Finding::warning(
                place.whole(),
                "the auth data is wrapped in \"auths\"; it is accepted here and ignored by the ECS agent",
            )
            .with_next_step("keep only the object inside \"auths\""),
        );
    }
    let mut all = Vec::with_capacity(members.len());
    for (name, value) in members {
        match inner(&name, value) {
            Some(inner) => all.extend(inner.into_iter().map(|(name, value)| (name, value, true))),
            None if is_wrapped && is_config_field(&name) => notes.push(
                Finding::warning(place.whole(), format!("{name:?} beside \"auths\" is ignored"))
                    .with_next_step(match name.as_str() {
                        "credsStore" | "credHelpers" => {
                            "run `ecs-pull config import`, which asks the helpers"
                        }
                        _ => "remove it: it is a setting of Docker's command line",
                    }),
            ),
            None => all.push((name, value, false)),
        }
    }
    all
}

/// Whether it is a field of Docker's `config.json`, of today or of an older version.
///
/// Rule: `ConfigFile` in <https://github.com/docker/cli/blob/master/cli/config/configfile/file.go>.
fn is_config_field(name: &str) -> bool {
    [
        "aliases",
        "auths",
        "cliPluginsExtraDirs",
        "configFormat",
        "credHelpers",
        "credsStore",
        "currentContext",
        "detachKeys",
        "experimental",
        "features",
        "HttpHeaders",
        "imagesFormat",
        "kubernetes",
        "networksFormat",
        "nodesFormat",
        "plugins",
        "pluginsFormat",
        "proxies",
        "pruneFilters",
        "psFormat",
        "secretFormat",
        "serviceInspectFormat",
        "servicesFormat",
        "stackOrchestrator",
        "statsFormat",
        "tasksFormat",
        "volumesFormat",
    ]
    .iter()
    .any(|field| name.eq_ignore_ascii_case(field))
}
