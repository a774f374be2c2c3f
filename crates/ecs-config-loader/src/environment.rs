//! The process environment, read in one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use crate::Finding;

/// Environment variables. The only type of this project that reads the process environment.
///
/// Its `Debug` shows names and no values, because a value may be a credential.
///
/// ```
/// use ecs_config_loader::Environment;
///
/// let environment = Environment::from_iter([("AWS_REGION", "eu-west-1")]);
/// assert_eq!(environment.get("AWS_REGION")?, Some("eu-west-1"));
/// assert_eq!(environment.get("AWS_PROFILE")?, None);
/// # Ok::<(), ecs_config_loader::Finding>(())
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Value>);

/// `None`: the value is not UTF-8.
type Value = Option<Zeroizing<String>>;

impl Environment {
    /// A copy of this process's environment. Names that are not UTF-8 are left out: nobody asks for them.
    #[must_use]
    pub fn process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable; `None` where it is not set. An empty value is a value.
    ///
    /// # Errors
    ///
    /// A [`Finding`] that names the variable when its value is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Finding> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(
                Finding::error(Origin::environment(name), "the value is not UTF-8")
                    .with_next_step(format!("set {name} to text in UTF-8")),
            ),
        }
    }

    /// The names of all variables, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .filter_map(|(name, value)| {
                    let name = name.into().into_string().ok()?;
                    Some((name, value.into().into_string().ok().map(Zeroizing::new)))
                })
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
