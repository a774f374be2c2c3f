//! A value that must not leave the process by accident.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A secret: redacted in `Debug`, without `Display` and serialisation, zeroized when dropped.
///
/// The only way to the value is [`expose`](Self::expose), which is easy to find in a review.
///
/// ```
/// use ecs_registry_auth::Secret;
///
/// let password = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{password:?}"), "[redacted]");
/// assert_eq!(password.expose(), "hunter2");
/// ```
///
/// ```compile_fail
/// let password = ecs_registry_auth::Secret::new("hunter2".to_owned());
/// println!("{password}"); // no `Display`
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret value. Copies that the caller keeps are the caller's to erase.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Do not log it, put it into an error or hand it to another process.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// Whether the secret is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}
