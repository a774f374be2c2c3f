//! KMS: what is wrong with a secret's key, and encryption at rest.

mod decryptor;
mod inspect;

pub use decryptor::{Ciphertext, KmsDecryptor};
pub(crate) use inspect::inspect;
