//! What the process ends with.

use ecs_registry_auth::ErrorClass;

/// The stable exit codes of the command line, also useful to an embedder that ends a process of its own.
///
/// ```
/// use ecs_pull::ExitCode;
/// use ecs_registry_auth::ErrorClass;
///
/// assert_eq!(ExitCode::from(ErrorClass::Refused).code(), 5);
/// assert_eq!(ExitCode::worst([ExitCode::Other, ExitCode::TimedOut, ExitCode::NotFound]), ExitCode::NotFound);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// All done.
    Success = 0,
    /// Anything that has no code of its own.
    Other = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// Configuration or task definition invalid.
    Configuration = 3,
    /// A credential could not be obtained.
    Credential = 4,
    /// The registry refused the credential.
    Refused = 5,
    /// Image, tag or platform not found.
    NotFound = 6,
    /// Engine unreachable.
    EngineUnreachable = 7,
    /// A limit ran out.
    TimedOut = 8,
    /// The registry asks for fewer requests.
    RateLimited = 9,
    /// Stopped by the user.
    Interrupted = 130,
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one code for several failures: the smallest that says something, 1 if none does, 0 if there are none.
    #[must_use]
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        codes
            .into_iter()
            .fold(Self::Success, |worst, code| match (worst, code) {
                (Self::Success, other) | (other, Self::Success | Self::Other) | (Self::Other, other) => other,
                (left, right) => left.min(right),
            })
    }
}

impl From<ErrorClass> for ExitCode {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Configuration => Self::Configuration,
            ErrorClass::Credential => Self::Credential,
            ErrorClass::Refused => Self::Refused,
            ErrorClass::NotFound => Self::NotFound,
            ErrorClass::EngineUnreachable => Self::EngineUnreachable,
            ErrorClass::TimedOut => Self::TimedOut,
            ErrorClass::RateLimited => Self::RateLimited,
            ErrorClass::Cancelled => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{self, *};

    #[test]
    fn the_smallest_code_that_is_not_1_wins() {
        for (codes, expected) in [
            (vec![], Success),
            (vec![Success, Success], Success),
            (vec![Success, Other], Other),
            (vec![Other, Refused], Refused),
            (vec![Refused, Other], Refused),
            (vec![RateLimited, Credential, Success], Credential),
            (vec![Interrupted, TimedOut], TimedOut),
        ] {
            assert_eq!(ExitCode::worst(codes.clone()), expected, "{codes:?}");
        }
    }
}
