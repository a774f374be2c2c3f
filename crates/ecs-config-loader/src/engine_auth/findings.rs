//! What is wrong with the entries of an index.

use std::collections::BTreeMap;

use super::index::{AuthIndex, Indexed};
use crate::Finding;

impl AuthIndex {
    /// Broken entries, keys that match no image, and several keys for one registry and path.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut same_place: BTreeMap<(&str, &str), Vec<&Indexed>> = BTreeMap::new();
        for entry in &self.entries {
            let written = &entry.key.written;
            let warn = |text: String| Finding::warning(entry.origin.clone(), text);
            if let Err(problem) = &entry.answer {
                findings.push(
                    warn(format!("registry {written:?}: {problem}")).with_next_step(problem.next_step()),
                );
            }
            match entry.key.never_matches() {
                Some(reason) => findings.push(
                    warn(format!("registry {written:?} can never match an image: {reason}")).with_next_step(
                        "write the host as it stands in the image, with its port if it has one",
                    ),
                ),
                None => same_place
                    .entry((entry.key.registry.as_str(), &entry.key.path))
                    .or_default()
                    .push(entry),
            }
        }
        for ((registry, path), mut entries) in same_place {
            if entries.len() < 2 {
                continue;
            }
            entries.sort_by(|left, right| {
                (left.answer.is_err().cmp(&right.answer.is_err()))
                    .then_with(|| left.key.precedence(&right.key))
            });
            let place = if path.is_empty() {
                registry.to_owned()
            } else {
                format!("{registry}/{path}")
            };
            let first = &entries[0].key.written;
            for other in &entries[1..] {
                findings.push(
                    Finding::warning(
                        other.origin.clone(),
                        format!(
                            "registry {:?} names {place} as {first:?} does, which goes first",
                            other.key.written
                        ),
                    )
                    .with_next_step("keep one of the two"),
                );
            }
        }
        findings
    }
}
