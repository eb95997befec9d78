//! Who is next at a source. Namespaces that wait take turns, so each of n waiting namespaces gets every n-th admission,
//! however much the others have queued; and no namespace can fill the queue or the slots on its own.
//!
//! Pure: it holds places and waiters, and knows no clock.
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use windlass_core::query::Domain;

/// How much fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Requests in flight.
    pub(super) in_flight: usize,
    /// Of these, of one namespace.
    pub(super) in_flight_per_domain: usize,
    /// Requests that wait.
    pub(super) queue: usize,
    /// Of these, of one namespace.
    pub(super) queue_per_domain: usize,
}

/// Why there is no place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The namespace's own part.
    Domain,
    /// The queue as a whole, of which this namespace holds no less than any other.
    Queue,
}

/// Where one was that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Queue,
    Flight,
    /// It had been sent away before.
    Nowhere,
}

#[derive(Debug)]
struct Lane<W> {
    /// In the order in which they came.
    queue: BTreeMap<u64, W>,
    in_flight: HashSet<u64>,
}

/// The queue and the slots of one source.
#[derive(Debug)]
pub(super) struct Share<W> {
    bounds: Bounds,
    /// Only namespaces that wait or have something in flight.
    lanes: HashMap<Domain, Lane<W>>,
    /// Namespaces that wait, each once; the front's turn is next.
    turns: VecDeque<Domain>,
    waiting: usize,
    in_flight: usize,
    last: u64,
}

impl<W> Share<W> {
    pub(super) fn new(bounds: Bounds) -> Share<W> {
        Share { bounds, lanes: HashMap::new(), turns: VecDeque::new(), waiting: 0, in_flight: 0, last: 0 }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn in_flight_of(&self, domain: &Domain) -> usize {
        self.lanes.get(domain).map_or(0, |lane| lane.in_flight.len())
    }

    /// Queues one and tells its number. When the queue is full, the namespace with the most in it gives up its newest
    /// place to a namespace that has fewer: that waiter is returned.
    pub(super) fn enter(&mut self, domain: &Domain, waiter: W) -> Result<(u64, Option<W>), Full> {
        let own = self.lanes.get(domain).map_or(0, |lane| lane.queue.len());
        if own >= self.bounds.queue_per_domain {
            return Err(Full::Domain);
        }
        let mut pushed_out = None;
        if self.waiting >= self.bounds.queue {
            let longest = self.lanes.iter().max_by_key(|(_, lane)| lane.queue.len());
            match longest.map(|(name, lane)| (name.clone(), lane.queue.len())) {
                Some((name, length)) if length > own + 1 => pushed_out = self.pop_newest(&name),
                _ => return Err(Full::Queue),
            }
        }
        self.last += 1;
        let lane = self
            .lanes
            .entry(domain.clone())
            .or_insert_with(|| Lane { queue: BTreeMap::new(), in_flight: HashSet::new() });
        if lane.queue.is_empty() {
            self.turns.push_back(domain.clone());
        }
        lane.queue.insert(self.last, waiter);
        self.waiting += 1;
        Ok((self.last, pushed_out))
    }

    fn pop_newest(&mut self, domain: &Domain) -> Option<W> {
        let (id, _) = self.lanes.get(domain)?.queue.last_key_value()?;
        let id = *id;
        self.unqueue(domain, id)
    }

    fn unqueue(&mut self, domain: &Domain, id: u64) -> Option<W> {
        let lane = self.lanes.get_mut(domain)?;
        let waiter = lane.queue.remove(&id)?;
        self.waiting -= 1;
        if lane.queue.is_empty() {
            self.turns.retain(|other| other != domain);
        }
        self.tidy(domain);
        Some(waiter)
    }

    fn tidy(&mut self, domain: &Domain) {
        if self.lanes.get(domain).is_some_and(|lane| lane.queue.is_empty() && lane.in_flight.is_empty()) {
            self.lanes.remove(domain);
        }
    }

    /// The place in `turns` of the namespace that is admitted next, if a slot is free for one.
    fn next(&self) -> Option<usize> {
        if self.in_flight >= self.bounds.in_flight {
            return None;
        }
        let most = self.bounds.in_flight_per_domain;
        self.turns.iter().position(|domain| self.lanes.get(domain).is_some_and(|lane| lane.in_flight.len() < most))
    }

    /// Whether one that waits could be admitted now.
    pub(super) fn ready(&self) -> bool {
        self.next().is_some()
    }

    /// Admits the next one. A namespace whose slots are all taken keeps its turn and is passed over.
    pub(super) fn admit(&mut self) -> Option<W> {
        let domain = self.turns.remove(self.next()?)?;
        let lane = self.lanes.get_mut(&domain)?;
        let (id, waiter) = lane.queue.pop_first()?;
        lane.in_flight.insert(id);
        if !lane.queue.is_empty() {
            self.turns.push_back(domain);
        }
        self.waiting -= 1;
        self.in_flight += 1;
        Some(waiter)
    }

    /// One goes, from wherever it is.
    pub(super) fn leave(&mut self, domain: &Domain, id: u64) -> Left {
        if self.unqueue(domain, id).is_some() {
            return Left::Queue;
        }
        let flew = self.lanes.get_mut(domain).is_some_and(|lane| lane.in_flight.remove(&id));
        if !flew {
            return Left::Nowhere;
        }
        self.in_flight -= 1;
        self.tidy(domain);
        Left::Flight
    }

    /// Sends away all that wait, or those of one namespace.
    pub(super) fn drain(&mut self, of: Option<&Domain>) -> Vec<W> {
        let mut gone = Vec::new();
        for (domain, lane) in &mut self.lanes {
            if of.is_none_or(|wanted| wanted == domain) {
                gone.extend(std::mem::take(&mut lane.queue).into_values());
            }
        }
        self.waiting -= gone.len();
        self.turns.retain(|domain| of.is_some_and(|wanted| wanted != domain));
        self.lanes.retain(|_, lane| !lane.queue.is_empty() || !lane.in_flight.is_empty());
        gone
    }
}

#[cfg(test)]
mod tests;
