//! Why each key is chosen or not, in words.

use std::sync::Arc;

use ecs_registry_auth::{Candidate, ImageReference};

use super::index::{AuthIndex, Choice, Indexed};

impl AuthIndex {
    /// Every key: the chosen one first, then those of the image's registry, then the others, each as written.
    pub(crate) fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let choice = self.choose(image);
        let chosen = match choice {
            Choice::Covered(position, _) | Choice::Beyond(position, _) => Some(position),
            Choice::Broken(_) | Choice::Nothing => None,
        };
        let mut positions: Vec<usize> = (0..self.entries.len()).collect();
        positions.sort_by_key(|position| {
            let other = self.entries[*position].key.registry != *image.registry();
            (Some(*position) != chosen, other)
        });
        positions
            .into_iter()
            .map(|position| {
                let entry = &self.entries[position];
                let is_chosen = Some(position) == chosen;
                let reason = if is_chosen {
                    reason_for(entry, &choice, image)
                } else {
                    let winner = chosen.map(|winner| &self.entries[winner]);
                    self.reason_against(entry, winner, &choice, image)
                };
                let candidate = Candidate::new(self.source(), is_chosen, reason)
                    .with_key(Arc::clone(&entry.key.written))
                    .with_origin(entry.origin.clone());
                match choice {
                    Choice::Broken(broken) if broken == position => {
                        candidate.with_error(self.diagnosis(broken, image))
                    }
                    _ => candidate,
                }
            })
            .collect()
    }

    fn reason_against(
        &self,
        entry: &Indexed,
        winner: Option<&Indexed>,
        choice: &Choice<'_>,
        image: &ImageReference,
    ) -> String {
        let key = &entry.key;
        if key.registry != *image.registry() {
            return match key.never_matches() {
                Some(reason) => format!("it can never match: {reason}"),
                None => format!("it is for {}, the image is at {}", key.registry, image.registry()),
            };
        }
        let covers = key.covers(image.repository());
        if let Err(problem) = &entry.answer {
            let blamed =
                matches!(choice, Choice::Broken(position) if std::ptr::eq(&self.entries[*position], entry));
            return match (covers, blamed) {
                (_, true) => {
                    format!("it is broken: {problem}; the pull fails rather than go without a credential")
                }
                (true, false) => format!("it is broken: {problem}"),
                (false, false) => format!("{}, and it is broken: {problem}", not_a_prefix(entry, image)),
            };
        }
        match winner {
            Some(winner) if covers && winner.key.path == key.path => format!(
                "key {:?} is for the same registry and path and goes first",
                winner.key.written
            ),
            Some(winner) if covers => format!("key {:?} is more specific", winner.key.written),
            _ => not_a_prefix(entry, image),
        }
    }
}

fn reason_for(entry: &Indexed, choice: &Choice<'_>, image: &ImageReference) -> String {
    let key = &entry.key;
    let mut reason = if matches!(choice, Choice::Beyond(..)) {
        format!(
            "{}, but it is the only usable key of {}",
            not_a_prefix(entry, image),
            key.registry
        )
    } else if key.path.is_empty() {
        format!("it is for all of {}", key.registry)
    } else if *key.path == *image.repository() {
        format!("path {} is the repository", key.path)
    } else {
        format!("path {} is a prefix of {}", key.path, image.repository())
    };
    if let Some(remark) = key.remark() {
        reason = format!("{reason}; {remark}");
    }
    reason
}

fn not_a_prefix(entry: &Indexed, image: &ImageReference) -> String {
    format!(
        "path {} is not a prefix of {}",
        entry.key.path,
        image.repository()
    )
}
