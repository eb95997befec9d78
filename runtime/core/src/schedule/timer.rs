//! When something is due. One entry per key; setting it again moves it.
use crate::time::Mono;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Due times by key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    order: BTreeSet<(Mono, K)>,
    at: HashMap<K, Mono>,
}

impl<K: Copy + Ord + Hash> Timers<K> {
    pub(crate) fn new() -> Timers<K> {
        Timers { order: BTreeSet::new(), at: HashMap::new() }
    }

    /// Sets, moves or (with `None`) clears the entry of a key.
    pub(crate) fn set(&mut self, key: K, due: Option<Mono>) {
        let before = match due {
            Some(due) => self.at.insert(key, due),
            None => self.at.remove(&key),
        };
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(due) = due {
            self.order.insert((due, key));
        }
    }

    /// Moves the entry of a key forward to `due`, if it is later or absent.
    pub(crate) fn at_latest(&mut self, key: K, due: Mono) {
        if self.at.get(&key).is_none_or(|now| *now > due) {
            self.set(key, Some(due));
        }
    }

    /// Takes out what is due, the earliest first.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<K> {
        let &(due, key) = self.order.first()?;
        if due > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }

    /// The earliest entry.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.order.first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_per_key_and_in_order() {
        let mut timers = Timers::new();
        timers.set(1u32, Some(Mono(50)));
        timers.set(2, Some(Mono(40)));
        timers.set(1, Some(Mono(30)));
        assert_eq!(timers.next(), Some(Mono(30)));
        timers.at_latest(2, Mono(60));
        assert_eq!(timers.pop(Mono(29)), None, "never moved back");
        assert_eq!(timers.pop(Mono(29)), None);
        assert_eq!(timers.pop(Mono(40)), Some(1));
        assert_eq!(timers.pop(Mono(40)), Some(2));
        assert_eq!(timers.pop(Mono(1000)), None);
        timers.set(2, None);
        assert_eq!(timers.next(), None);
    }
}
