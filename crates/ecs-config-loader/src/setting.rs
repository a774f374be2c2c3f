//! A value with the place it came from.

use ecs_registry_auth::Origin;
use serde::Serialize;

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting<T> {
    /// The value in effect.
    pub value: T,
    /// Where it was set; [`Origin::Default`] where nobody did.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value that was set at `origin`.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A value that nobody set.
    pub fn default_of(value: T) -> Self {
        Self::new(value, Origin::Default)
    }

    /// Whether nobody set it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.origin == Origin::Default
    }
}

/// Whether single broken entries make the whole configuration unusable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// They are warnings; good entries stay in use, and only images that need a broken one fail.
    #[default]
    Lenient,
    /// Every warning about engine auth is an error, and a key never answers for images outside of its path.
    Strict,
}
