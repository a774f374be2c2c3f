//! Where a value was written.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The place a value came from, precise enough for its owner to go there.
///
/// ```
/// use ecs_registry_auth::Origin;
///
/// assert_eq!(Origin::file_line("/etc/ecs/ecs.config", 2).to_string(), "/etc/ecs/ecs.config:2");
/// assert_eq!(Origin::environment("ECS_ENGINE_AUTH_DATA").to_string(), "environment ECS_ENGINE_AUTH_DATA");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A variable of the process environment.
    Environment(Arc<str>),
    /// A file, and the line (from 1) where one is known.
    File {
        /// Path as the user gave it.
        path: Arc<PathBuf>,
        /// Line, counted from 1.
        line: Option<u32>,
    },
    /// An argument of the command line or of the embedding program, by its name.
    Argument(Arc<str>),
    /// Nobody set it: the built-in default.
    Default,
    /// Anything else that a person can find: a container of a task definition, an API.
    Other(Arc<str>),
}

impl Origin {
    /// A variable of the process environment.
    pub fn environment(name: impl Into<Arc<str>>) -> Self {
        Self::Environment(name.into())
    }

    /// A file as a whole.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File {
            path: Arc::new(path.into()),
            line: None,
        }
    }

    /// A line (counted from 1) of a file.
    pub fn file_line(path: impl Into<PathBuf>, line: u32) -> Self {
        Self::File {
            path: Arc::new(path.into()),
            line: Some(line),
        }
    }

    /// An argument, for example `--region`.
    pub fn argument(name: impl Into<Arc<str>>) -> Self {
        Self::Argument(name.into())
    }

    /// Any other place, in words.
    pub fn other(place: impl Into<Arc<str>>) -> Self {
        Self::Other(place.into())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::File {
                path,
                line: Some(line),
            } => write!(formatter, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(formatter, "{}", path.display()),
            Self::Argument(name) | Self::Other(name) => formatter.write_str(name),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// As its text.
impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
