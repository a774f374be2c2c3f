//! Secrets as ECS names and shapes them.

mod id;
mod value;

pub use id::{SecretId, SecretIdError};
pub(crate) use value::parse;
