//! What was fetched for whom: one slot per registrant and location, and who uses it.
use super::choice::Registration;
use super::loader::Loaded;
use super::record::{Row, Standing};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::port::Serving;
use windlass_core::scaler::Scaler;
use windlass_core::workload::{DeclaredTrigger, Intake};
use windlass_core::{Digest, Fault, Reason, Text, WorkloadKey};
use windlass_oci::{Location, Registrant};

/// So long nothing is said about an object whose component is being fetched.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// Slots of the cluster's own registrations.
const MOST_OF_CLUSTER: usize = 256;

/// Whose registration of which location.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    registrant: Registrant,
    pub(super) location: Location,
}

/// A trigger that uses a slot: an intake's address, which nobody else gets while the slot keeps its [`Weak`], and an index.
type User = (usize, u16);

/// All slots.
pub(super) struct Shelf {
    slots: Mutex<Slots>,
    /// Something that people are told has changed.
    pub(super) changed: Notify,
}

#[derive(Default)]
pub(super) struct Slots {
    by_key: HashMap<Key, Slot>,
    /// The slot of each user.
    of: HashMap<User, Key>,
    last: u64,
    /// Slots of one namespace.
    most: usize,
}

struct Slot {
    /// Tells a slot from a later one of the same key.
    number: u64,
    registration: Registration,
    began: Instant,
    state: State,
    held_back: Option<Text>,
    users: HashMap<User, (Weak<Intake>, Text)>,
}

enum State {
    Loading,
    Failed(Text),
    Serving(Loaded, jiff::Timestamp),
}

/// What a trigger got.
pub(super) enum Taken {
    /// A component, and the digest of its artifact's manifest.
    Serving(Serving, Option<windlass_oci::Digest>),
    /// It is being fetched.
    Awaited,
    /// It has to be fetched: a slot was made, with this number.
    New(Key, u64),
}

/// A slot as its keeper finds it.
pub(super) struct Found {
    pub(super) registration: Registration,
    pub(super) loaded: Option<Loaded>,
}

impl Shelf {
    /// Without slots; of one namespace at most so many.
    pub(super) fn new(most: usize) -> Shelf {
        Shelf { slots: Mutex::new(Slots { most, ..Slots::default() }), changed: Notify::new() }
    }

    /// All slots, for one look.
    pub(super) fn open(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot, while it is there and anybody uses it. One that nobody uses is given up.
    pub(super) fn find(&self, key: &Key, number: u64) -> Option<Found> {
        let mut slots = self.open();
        let Slots { by_key, of, .. } = &mut *slots;
        let slot = by_key.get_mut(key).filter(|slot| slot.number == number)?;
        slot.users.retain(|user, (intake, _)| {
            let there = intake.strong_count() > 0;
            if !there {
                of.remove(user);
            }
            there
        });
        if slot.users.is_empty() {
            by_key.remove(key);
            drop(slots);
            self.changed.notify_one();
            return None;
        }
        let loaded = match &slot.state {
            State::Serving(loaded, _) => Some(loaded.clone()),
            State::Loading | State::Failed(_) => None,
        };
        Some(Found { registration: slot.registration.clone(), loaded })
    }

    /// The triggers that use a slot.
    pub(super) fn users(&self, key: &Key, number: u64) -> Vec<(Arc<Intake>, u16)> {
        let slots = self.open();
        let slot = slots.by_key.get(key).filter(|slot| slot.number == number);
        let users = slot.into_iter().flat_map(|slot| &slot.users);
        users.filter_map(|((_, index), (intake, _))| Some((intake.upgrade()?, *index))).collect()
    }

    /// The objects that use a slot.
    pub(super) fn objects(&self, key: &Key, number: u64) -> Vec<WorkloadKey> {
        self.users(key, number).into_iter().map(|(intake, _)| intake.declared.key.clone()).collect()
    }

    /// A component serves from now on.
    pub(super) fn serve(&self, key: &Key, number: u64, loaded: Loaded) {
        self.change(key, number, |slot| {
            slot.state = State::Serving(loaded, jiff::Timestamp::now());
            slot.held_back = None;
            true
        });
    }

    /// There is no component, and why. Returns whether that is news.
    pub(super) fn fail(&self, key: &Key, number: u64, why: Text) -> bool {
        self.change(key, number, |slot| {
            let news = !matches!(&slot.state, State::Failed(before) if *before == why);
            slot.state = State::Failed(why);
            news
        })
    }

    /// The component that serves stays, and why. Returns whether that is news.
    pub(super) fn hold_back(&self, key: &Key, number: u64, why: Option<Text>) -> bool {
        self.change(key, number, |slot| {
            let news = slot.held_back != why;
            slot.held_back = why;
            news
        })
    }

    fn change(&self, key: &Key, number: u64, change: impl FnOnce(&mut Slot) -> bool) -> bool {
        let mut slots = self.open();
        let slot = slots.by_key.get_mut(key).filter(|slot| slot.number == number);
        let news = slot.is_some_and(change);
        drop(slots);
        if news {
            self.changed.notify_one();
        }
        news
    }

    /// Does something about a component while no slot can come to serve by it, if none does.
    pub(super) fn unless_served(&self, digest: Digest, release: impl FnOnce()) {
        let slots = self.open();
        let serves = |slot: &Slot| matches!(&slot.state, State::Serving(loaded, _) if loaded.scaler.digest == digest);
        if !slots.by_key.values().any(serves) {
            release();
        }
    }

    /// What people are told, in no order.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.open().by_key.iter().map(|(key, slot)| row(key, slot)).collect()
    }
}

impl Slots {
    /// A trigger uses this registration, and no other any more.
    ///
    /// # Errors
    /// Why it gets no component.
    pub(super) fn take(
        &mut self,
        registration: Registration,
        object: &Arc<Intake>,
        trigger: &DeclaredTrigger,
    ) -> Result<Taken, Fault> {
        let key = Key { registrant: registration.registrant.clone(), location: registration.location.clone() };
        let user = (Arc::as_ptr(object) as usize, trigger.index);
        if self.of.get(&user) != Some(&key) {
            self.leave(object, trigger.index);
        }
        // Under another requirement it has to be verified anew.
        let stands = self.by_key.get(&key).is_some_and(|slot| slot.registration == registration);
        if !stands {
            let users = self.by_key.remove(&key).map(|slot| slot.users).unwrap_or_default();
            self.make_room(&key.registrant)?;
            self.last += 1;
            let (number, began) = (self.last, Instant::now());
            let slot = Slot { number, registration, began, state: State::Loading, held_back: None, users };
            self.by_key.insert(key.clone(), slot);
        }
        self.of.insert(user, key.clone());
        let Some(slot) = self.by_key.get_mut(&key) else { return Ok(Taken::Awaited) };
        slot.users.insert(user, (Arc::downgrade(object), trigger.kind.clone()));
        if !stands {
            return Ok(Taken::New(key, slot.number));
        }
        slot.answer(&key, &trigger.kind)
    }

    /// A trigger uses no registration any more.
    pub(super) fn leave(&mut self, object: &Arc<Intake>, index: u16) {
        let user = (Arc::as_ptr(object) as usize, index);
        if let Some(slot) = self.of.remove(&user).and_then(|key| self.by_key.get_mut(&key)) {
            slot.users.remove(&user);
        }
    }

    fn give_up(&mut self, key: &Key) {
        self.by_key.remove(key);
        self.of.retain(|_, of| of != key);
    }

    /// Room for one more slot of a registrant: what nobody uses any more goes first.
    fn make_room(&mut self, registrant: &Registrant) -> Result<(), Fault> {
        let most = match registrant {
            Registrant::Cluster => MOST_OF_CLUSTER,
            Registrant::Namespace(_) => self.most,
        };
        let theirs = |slots: &Slots| slots.by_key.keys().filter(|key| key.registrant == *registrant).count();
        if theirs(self) < most {
            return Ok(());
        }
        let used = |slot: &Slot| slot.users.values().any(|(intake, _)| intake.strong_count() > 0);
        let gone = |(key, slot): (&Key, &Slot)| (key.registrant == *registrant && !used(slot)).then(|| key.clone());
        let gone: Vec<Key> = self.by_key.iter().filter_map(gone).collect();
        gone.iter().for_each(|key| self.give_up(key));
        if theirs(self) < most {
            return Ok(());
        }
        let why = format!(
            "{registrant} has {most} registered components in use, which is all it may have (--namespace-components): let objects \
             share one"
        );
        Err(Fault::new(Reason::ComponentUnavailable, why))
    }
}

impl Slot {
    fn answer(&self, key: &Key, kind: &Text) -> Result<Taken, Fault> {
        match &self.state {
            State::Loading if self.began.elapsed() < GRACE => Ok(Taken::Awaited),
            State::Loading => {
                let why = format!("{} is still being fetched", key.location);
                Err(Fault::new(Reason::ComponentUnavailable, why))
            }
            State::Failed(why) => Err(Fault::new(Reason::ComponentUnavailable, why.clone())),
            State::Serving(loaded, _) if !loaded.scaler.triggers.contains(kind) => {
                Err(Fault::new(Reason::UnknownTriggerType, not_served(&loaded.scaler, kind, &key.location)))
            }
            State::Serving(loaded, _) => {
                let held_back = self.held_back.clone();
                Ok(Taken::Serving(Serving { held_back, ..loaded.scaler.clone().into() }, loaded.manifest))
            }
        }
    }
}

fn not_served(scaler: &Scaler, kind: &str, location: &Location) -> String {
    let served: Vec<String> = scaler.triggers.iter().map(|kind| format!("windlass.dev/scaler.{kind}")).collect();
    format!("{location} does not serve '{kind}': register it as {}", served.join(", "))
}

fn row(key: &Key, slot: &Slot) -> Row {
    let namespace = match &key.registrant {
        Registrant::Cluster => None,
        Registrant::Namespace(namespace) => Some(namespace.clone()),
    };
    let mut triggers: Vec<String> = slot.users.values().map(|(_, kind)| kind.to_string()).collect();
    triggers.sort_unstable();
    triggers.dedup();
    let mut row = Row { namespace, triggers, reference: key.location.to_string(), ..Row::default() };
    match &slot.state {
        State::Loading => row.state = Standing::Loading,
        State::Failed(why) => (row.state, row.message) = (Standing::Failed, Some(why.to_string())),
        State::Serving(loaded, since) => {
            row.state = if slot.held_back.is_some() { Standing::HeldBack } else { Standing::Serving };
            row.message = slot.held_back.as_ref().map(ToString::to_string);
            row.since = Some(jiff::Timestamp::from_second(since.as_second()).unwrap_or(*since).to_string());
            row.artifact = loaded.manifest.map(|digest| digest.to_string());
            row.describe(&loaded.scaler);
        }
    }
    row
}

#[cfg(test)]
mod tests;
