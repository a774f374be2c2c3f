//! Real parts
