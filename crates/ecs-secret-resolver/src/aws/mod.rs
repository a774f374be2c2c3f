//! Everything between this crate and the AWS SDK.

mod body;
mod context;
pub(crate) mod diagnosis;
pub(crate) mod failure;
mod http;
mod options;
pub(crate) mod statement;
mod trust;

pub use context::AwsContext;
pub(crate) use context::with_scheme;
pub use options::AwsOptions;
