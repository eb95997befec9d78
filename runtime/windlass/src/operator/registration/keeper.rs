//! Keeps a slot: fetches its component, looks again when a tag may have moved, tries a new version and swaps it in.
use super::loader::{Loaded, Loader};
use super::policy;
use super::shelf::{Found, GRACE, Key, Shelf};
use super::trial;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use windlass_core::Digest;
use windlass_core::port::Serving;
use windlass_oci::Policy;
use windlass_pipeline::Again;

/// Components that are fetched and compiled at the same time.
pub(super) const LOADS: usize = 4;
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// How often it is looked whether a slot is still used, and how long a component stays that was swapped out.
const LOOK: Duration = Duration::from_secs(30);

/// Keeps slots.
pub(super) struct Keeper {
    pub(super) shelf: Arc<Shelf>,
    pub(super) loader: Loader,
    /// Which hosts are granted to whom.
    pub(super) policy: watch::Receiver<Arc<Policy>>,
    pub(super) again: Again,
    /// How often a tag is resolved again.
    pub(super) refresh: Duration,
    pub(super) loads: Arc<Semaphore>,
}

/// How a look at a slot's location ended.
enum Look {
    /// It is as it should be.
    Good,
    /// Look again soon.
    Bad,
    /// What it names cannot change.
    Final,
}

impl Keeper {
    /// Keeps a slot for as long as it is used.
    pub(super) async fn keep(self: Arc<Self>, key: Key, number: u64) {
        let mut failures = 0_u32;
        let mut serves = None;
        loop {
            let Some(found) = self.shelf.find(&key, number) else { break };
            let look = self.look(&key, number, found).await;
            let Some(found) = self.shelf.find(&key, number) else { break };
            let now = found.loaded.map(|loaded| loaded.scaler.digest);
            if let Some(old) = std::mem::replace(&mut serves, now).filter(|old| Some(*old) != now) {
                self.clone().release_later(old);
            }
            let pause = match look {
                Look::Good => Some(self.refresh),
                Look::Final => None,
                Look::Bad => {
                    failures = failures.saturating_add(1);
                    Some(windlass_core::settings::backoff(BACKOFF.0, BACKOFF.1, failures, number))
                }
            };
            if !matches!(look, Look::Bad) {
                failures = 0;
            }
            if !self.rest(&key, number, pause).await {
                break;
            }
        }
        if let Some(digest) = serves {
            self.release_later(digest);
        }
    }

    /// Waits, while the slot is used: for ever without a pause. Returns whether it still is.
    async fn rest(&self, key: &Key, number: u64, pause: Option<Duration>) -> bool {
        let mut left = pause;
        loop {
            let step = left.map_or(LOOK, |left| left.min(LOOK));
            tokio::time::sleep(step).await;
            if self.shelf.find(key, number).is_none() {
                return false;
            }
            left = left.map(|left| left.saturating_sub(step));
            if left.is_some_and(|left| left.is_zero()) {
                return true;
            }
        }
    }

    /// Looks what the location names now.
    async fn look(&self, key: &Key, number: u64, found: Found) -> Look {
        let Found { registration, loaded: serves } = found;
        let load = async {
            let _turn = self.loads.acquire().await;
            self.loader.load(&registration, serves.as_ref()).await
        };
        let mut load = Box::pin(load);
        let loaded = match tokio::time::timeout(GRACE, &mut load).await {
            Ok(loaded) => loaded,
            Err(_) => {
                // Objects that wait for it say so from now on.
                if serves.is_none() {
                    self.prepare_again(key, number);
                }
                load.as_mut().await
            }
        };
        drop(load);
        let good = if registration.settled() { Look::Final } else { Look::Good };
        match (loaded, serves) {
            (Ok(None), _) => {
                if self.shelf.hold_back(key, number, None) {
                    self.prepare_again(key, number);
                }
                good
            }
            (Ok(Some(loaded)), None) => {
                tracing::info!(component = %loaded.scaler.name, digest = %loaded.scaler.digest, from = %registration.location,
                    by = %registration.registrant, "registered");
                self.serve(key, number, loaded).await;
                good
            }
            (Ok(Some(loaded)), Some(old)) => self.swap(key, number, &old, loaded).await,
            (Err(failed), None) => {
                tracing::warn!(by = %registration.registrant, why = &*failed.why, "a registered component is not available");
                if self.shelf.fail(key, number, failed.why) {
                    self.prepare_again(key, number);
                }
                Look::Bad
            }
            (Err(failed), Some(_)) => {
                tracing::warn!(by = %registration.registrant, why = &*failed.why, "a component stays as it is");
                // A registry that is down is nothing to trouble every object with.
                if !failed.transient && self.shelf.hold_back(key, number, Some(failed.why)) {
                    self.prepare_again(key, number);
                }
                Look::Bad
            }
        }
    }

    /// A new version takes the place of the old one, if it bears all that the old one does.
    async fn swap(&self, key: &Key, number: u64, old: &Loaded, new: Loaded) -> Look {
        let (before, after) = (&old.scaler, &new.scaler);
        let changes = trial::changes(before, after);
        let used = self.shelf.users(key, number);
        let granted = |loaded: &Loaded| policy::granted(&self.policy.borrow(), &key.location, loaded.manifest);
        let version = |loaded: &Loaded| Serving { granted: granted(loaded), ..loaded.scaler.clone().into() };
        match trial::tried(&*self.loader.host, &version(old), &version(&new), used).await {
            Ok(()) => {
                tracing::info!(component = %after.name, from = %before.digest, to = %after.digest, ?changes, "swapped");
                self.serve(key, number, new).await;
                Look::Good
            }
            Err(why) => {
                let artifact = new.manifest.map(|digest| digest.to_string()).unwrap_or_default();
                let version = &after.version;
                let mut told = format!("the newer {} {version} {artifact} is not taken: {why}", after.name);
                for change in &changes {
                    told.push_str("; ");
                    told.push_str(change);
                }
                tracing::warn!(why = told, "a component stays as it is");
                if self.shelf.hold_back(key, number, Some(told.into())) {
                    self.prepare_again(key, number);
                }
                self.release(after.digest);
                Look::Bad
            }
        }
    }

    async fn serve(&self, key: &Key, number: u64, loaded: Loaded) {
        let (digest, bytes) = (loaded.scaler.digest, loaded.bytes.clone());
        self.shelf.serve(key, number, loaded.kept());
        // Another slot may have let it go between its loading and this moment; from now on it stays.
        if !self.loader.host.holds(digest)
            && let Some(bytes) = bytes
            && let Err(error) = self.loader.host.prepare(bytes).await
        {
            self.shelf.fail(key, number, error.to_string().into());
        }
        self.prepare_again(key, number);
    }

    fn prepare_again(&self, key: &Key, number: u64) {
        self.again.objects(self.shelf.objects(key, number));
    }

    /// Lets a component go that no slot serves by, once objects had the time to turn to another.
    fn release_later(self: Arc<Self>, digest: Digest) {
        tokio::spawn(async move {
            tokio::time::sleep(LOOK).await;
            self.release(digest);
        });
    }

    fn release(&self, digest: Digest) {
        self.shelf.unless_served(digest, || self.loader.host.release(digest));
    }
}
