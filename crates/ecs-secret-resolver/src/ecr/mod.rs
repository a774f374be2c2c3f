//! Authorization tokens of Amazon ECR.

mod fetch;
mod host;
mod keychain;
mod pull_through;
mod request;
#[cfg(test)]
mod tests;
mod token;
mod tokens;

pub use host::{EcrRegistry, is_ecr_public};
pub use keychain::EcrKeychain;
pub(crate) use pull_through::ACTIONS as PULL_THROUGH_ACTIONS;
pub use pull_through::pull_through_cache_hint;
pub use request::EcrRequest;
pub use tokens::EcrTokens;
