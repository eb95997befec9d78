//! The rules, over virtual time.
