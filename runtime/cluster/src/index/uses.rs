//! Who uses what: the index in both directions, so that a change finds its users without a search.
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use windlass_core::{Wall, WorkloadKey};

/// Users of things, by thing.
pub(crate) struct Users<T> {
    by_thing: HashMap<T, BTreeSet<WorkloadKey>>,
}

impl<T> Default for Users<T> {
    fn default() -> Users<T> {
        Users { by_thing: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Users<T> {
    /// Replaces what a user uses; gives the things that nobody uses any more.
    pub(crate) fn replace(&mut self, user: &WorkloadKey, before: &BTreeSet<T>, after: &BTreeSet<T>) -> Vec<T> {
        for thing in after.difference(before) {
            self.by_thing.entry(thing.clone()).or_default().insert(user.clone());
        }
        let mut idle = Vec::new();
        for thing in before.difference(after) {
            if let Some(users) = self.by_thing.get_mut(thing) {
                users.remove(user);
                if users.is_empty() {
                    self.by_thing.remove(thing);
                    idle.push(thing.clone());
                }
            }
        }
        idle
    }

    pub(crate) fn of(&self, thing: &T) -> impl Iterator<Item = &WorkloadKey> {
        self.by_thing.get(thing).into_iter().flatten()
    }

    pub(crate) fn is_used(&self, thing: &T) -> bool {
        self.by_thing.contains_key(thing)
    }
}

/// Who wants to have something for itself alone. The oldest gets it; among equals, the first by name.
pub(crate) struct Claims<T> {
    by_thing: HashMap<T, BTreeSet<(Wall, WorkloadKey)>>,
}

impl<T> Default for Claims<T> {
    fn default() -> Claims<T> {
        Claims { by_thing: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Claims<T> {
    /// Adds a claim; gives whoever has to be looked at again: the others, if the holder changed.
    pub(crate) fn add(&mut self, thing: &T, created: Wall, user: &WorkloadKey) -> Vec<WorkloadKey> {
        self.change(thing, |claims| {
            claims.insert((created, user.clone()));
        })
    }

    /// Takes a claim back.
    pub(crate) fn remove(&mut self, thing: &T, created: Wall, user: &WorkloadKey) -> Vec<WorkloadKey> {
        self.change(thing, |claims| {
            claims.remove(&(created, user.clone()));
        })
    }

    fn change(&mut self, thing: &T, change: impl FnOnce(&mut BTreeSet<(Wall, WorkloadKey)>)) -> Vec<WorkloadKey> {
        let claims = self.by_thing.entry(thing.clone()).or_default();
        let before = claims.first().cloned();
        change(claims);
        let after = claims.first().cloned();
        let moved = before != after;
        let concerned = if moved { claims.iter().map(|(_, user)| user.clone()).collect() } else { Vec::new() };
        if claims.is_empty() {
            self.by_thing.remove(thing);
        }
        concerned
    }

    /// Who has it.
    pub(crate) fn holder(&self, thing: &T) -> Option<&WorkloadKey> {
        self.by_thing.get(thing)?.first().map(|(_, user)| user)
    }

    pub(crate) fn of(&self, thing: &T) -> impl Iterator<Item = &WorkloadKey> {
        self.by_thing.get(thing).into_iter().flatten().map(|(_, user)| user)
    }

    pub(crate) fn is_claimed(&self, thing: &T) -> bool {
        self.by_thing.contains_key(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_holds_and_the_younger_follows() {
        let (old, young) = (WorkloadKey::scaled_object("n", "b"), WorkloadKey::scaled_object("n", "a"));
        let mut claims = Claims::default();
        assert_eq!(claims.add(&"t", Wall(2), &young), vec![young.clone()]);
        assert_eq!(claims.add(&"t", Wall(1), &old), vec![old.clone(), young.clone()]);
        assert_eq!(claims.holder(&"t"), Some(&old));
        assert_eq!(claims.remove(&"t", Wall(1), &old), vec![young.clone()]);
        assert_eq!(claims.holder(&"t"), Some(&young));
        assert_eq!(claims.remove(&"t", Wall(2), &young), vec![]);
        assert!(!claims.is_claimed(&"t"));
    }

    #[test]
    fn things_without_users_are_told() {
        let user = WorkloadKey::scaled_object("n", "a");
        let mut users = Users::default();
        let (none, both, one) = (BTreeSet::new(), BTreeSet::from([1, 2]), BTreeSet::from([2]));
        assert_eq!(users.replace(&user, &none, &both), Vec::<i32>::new());
        assert_eq!(users.replace(&user, &both, &one), vec![1]);
        assert!(users.is_used(&2) && !users.is_used(&1));
    }
}
