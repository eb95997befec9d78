//! Rows by key, kept in step with a watch of one or several scopes (namespaces).
use crate::watch::Change;
use std::collections::HashMap;
use std::hash::Hash;
use windlass_core::Text;

/// Number of a scope among those of its watch.
pub(crate) type Scope = u32;

/// What a change did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect<K> {
    /// These rows are new, changed or gone.
    Rows(Vec<K>),
    /// A scope has been listed whole for the first time; these rows are gone.
    Listed(Vec<K>),
    /// The watch of a scope fails.
    Failing,
}

struct Row<V> {
    value: V,
    scope: Scope,
    epoch: u32,
}

#[derive(Default)]
struct Listing {
    epoch: u32,
    done: bool,
    failing: Option<Text>,
}

/// Rows by key.
pub(crate) struct Table<K, V> {
    rows: HashMap<K, Row<V>>,
    scopes: HashMap<Scope, Listing>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { rows: HashMap::new(), scopes: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key).map(|row| &row.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.rows.keys()
    }

    /// Whether a scope has been listed whole.
    pub(crate) fn is_listed(&self, scope: Scope) -> bool {
        self.scopes.get(&scope).is_some_and(|listing| listing.done)
    }

    /// Why a scope's watch fails, as long as it never has been listed.
    pub(crate) fn failing(&self, scope: Scope) -> Option<&Text> {
        self.scopes.get(&scope).filter(|listing| !listing.done).and_then(|listing| listing.failing.as_ref())
    }

    /// Takes a change in.
    pub(crate) fn apply(&mut self, scope: Scope, change: Change<V>, key_of: impl Fn(&V) -> K) -> Effect<K> {
        let listing = self.scopes.entry(scope).or_default();
        match change {
            Change::Began => {
                listing.epoch = listing.epoch.wrapping_add(1);
                Effect::Rows(Vec::new())
            }
            Change::Listed(value) | Change::Put(value) => {
                let key = key_of(&value);
                self.rows.insert(key.clone(), Row { value, scope, epoch: listing.epoch });
                Effect::Rows(vec![key])
            }
            Change::Gone(value) => {
                let key = key_of(&value);
                self.rows.remove(&key);
                Effect::Rows(vec![key])
            }
            Change::Done => {
                let epoch = listing.epoch;
                let first = !std::mem::replace(&mut listing.done, true);
                listing.failing = None;
                let stale = |row: &Row<V>| row.scope == scope && row.epoch != epoch;
                let gone: Vec<K> = self.rows.iter().filter(|(_, row)| stale(row)).map(|(key, _)| key.clone()).collect();
                for key in &gone {
                    self.rows.remove(key);
                }
                if first { Effect::Listed(gone) } else { Effect::Rows(gone) }
            }
            Change::Failing(why) => {
                listing.failing = Some(why);
                Effect::Failing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(table: &mut Table<u8, (u8, char)>, scope: Scope, change: Change<(u8, char)>) -> Effect<u8> {
        table.apply(scope, change, |value| value.0)
    }

    #[test]
    fn what_is_not_listed_again_is_gone() {
        let mut table = Table::default();
        apply(&mut table, 0, Change::Began);
        assert_eq!(apply(&mut table, 0, Change::Listed((1, 'a'))), Effect::Rows(vec![1]));
        assert!(!table.is_listed(0));
        assert_eq!(apply(&mut table, 0, Change::Done), Effect::Listed(vec![]));
        apply(&mut table, 1, Change::Put((9, 'z')));
        apply(&mut table, 0, Change::Put((2, 'b')));
        apply(&mut table, 0, Change::Began);
        apply(&mut table, 0, Change::Listed((2, 'c')));
        assert_eq!(apply(&mut table, 0, Change::Done), Effect::Rows(vec![1]));
        assert_eq!(table.get(&2), Some(&(2, 'c')));
        assert_eq!(table.get(&9), Some(&(9, 'z')), "another scope is left alone");
    }

    #[test]
    fn a_failure_counts_only_until_there_was_a_list() {
        let mut table: Table<u8, (u8, char)> = Table::default();
        apply(&mut table, 0, Change::Failing("forbidden".into()));
        assert!(table.failing(0).is_some());
        apply(&mut table, 0, Change::Began);
        apply(&mut table, 0, Change::Done);
        apply(&mut table, 0, Change::Failing("connection lost".into()));
        assert_eq!(table.failing(0), None, "what is known stays known");
    }
}
