//! The queue itself: jobs in order, leases with an end, a bound. No clock and no I/O.
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Job {
    /// Its number, from 1.
    pub(crate) id: u64,
    /// How long it takes.
    pub(crate) work_ms: u64,
}

/// What a queue holds and has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Stats {
    /// Jobs that are not done: waiting or leased. What one scales on.
    pub(crate) backlog: usize,
    /// Jobs that nobody works on.
    pub(crate) waiting: usize,
    /// Jobs in hand.
    pub(crate) leased: usize,
    /// Jobs that were ever added.
    pub(crate) added: u64,
    /// Jobs that are done.
    pub(crate) done: u64,
    /// Leases that ended without the job being done.
    pub(crate) expired: u64,
}

/// The queue holds as many jobs as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<Job>,
    leased: BTreeMap<u64, (Job, Instant)>,
    /// Ends of leases in order: every lease is equally long. May name jobs that are done.
    ends: VecDeque<(Instant, u64)>,
    capacity: usize,
    lease: Duration,
    stats: Stats,
}

impl Queue {
    /// An empty queue of at most `capacity` jobs.
    pub(crate) fn new(capacity: usize, lease: Duration) -> Queue {
        Queue {
            waiting: VecDeque::new(),
            leased: BTreeMap::new(),
            ends: VecDeque::new(),
            capacity,
            lease,
            stats: Stats::default(),
        }
    }

    /// Adds jobs, all or none. Returns the number of the last.
    pub(crate) fn add(&mut self, count: usize, work_ms: u64) -> Result<u64, Full> {
        if count > self.capacity.saturating_sub(self.waiting.len() + self.leased.len()) {
            return Err(Full);
        }
        for _ in 0..count {
            self.stats.added += 1;
            self.waiting.push_back(Job { id: self.stats.added, work_ms });
        }
        Ok(self.stats.added)
    }

    /// Hands out the oldest job.
    pub(crate) fn lease(&mut self, now: Instant) -> Option<Job> {
        self.expire(now);
        let job = self.waiting.pop_front()?;
        let end = now + self.lease;
        self.leased.insert(job.id, (job, end));
        self.ends.push_back((end, job.id));
        Some(job)
    }

    /// A job is done. `false`: nobody holds it (any more).
    pub(crate) fn done(&mut self, id: u64, now: Instant) -> bool {
        self.expire(now);
        let held = self.leased.remove(&id).is_some();
        self.stats.done += u64::from(held);
        held
    }

    /// What the queue holds.
    pub(crate) fn stats(&mut self, now: Instant) -> Stats {
        self.expire(now);
        let (waiting, leased) = (self.waiting.len(), self.leased.len());
        Stats { backlog: waiting + leased, waiting, leased, ..self.stats }
    }

    /// Gives back what was not done in time, to be done next.
    fn expire(&mut self, now: Instant) {
        while let Some((end, id)) = self.ends.front().copied().filter(|(end, _)| *end <= now) {
            self.ends.pop_front();
            // The job may be done, or leased again since.
            if self.leased.get(&id).is_some_and(|(_, until)| *until == end)
                && let Some((job, _)) = self.leased.remove(&id)
            {
                self.stats.expired += 1;
                self.waiting.push_front(job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_leased_and_done_once() {
        let now = Instant::now();
        let mut queue = Queue::new(10, Duration::from_secs(5));
        assert_eq!(queue.add(2, 7), Ok(2));
        assert_eq!(queue.lease(now), Some(Job { id: 1, work_ms: 7 }));
        assert_eq!(queue.stats(now).backlog, 2, "a job in hand is not done");
        assert!(queue.done(1, now));
        assert!(!queue.done(1, now), "twice");
        assert!(!queue.done(2, now), "never leased");
        assert_eq!(queue.stats(now), Stats { backlog: 1, waiting: 1, leased: 0, added: 2, done: 1, expired: 0 });
    }

    #[test]
    fn what_is_not_done_in_time_goes_to_another() {
        let now = Instant::now();
        let mut queue = Queue::new(10, Duration::from_secs(5));
        queue.add(2, 1).unwrap();
        queue.lease(now);
        let later = now + Duration::from_secs(5);
        assert!(!queue.done(1, later), "too late");
        assert_eq!(queue.lease(later).map(|job| job.id), Some(1));
        assert!(queue.done(1, later));
        assert_eq!(queue.stats(later).expired, 1);
        // The second lease of the job ends without effect, since it is done.
        assert_eq!(queue.stats(later + Duration::from_secs(60)).waiting, 1);
    }

    #[test]
    fn a_full_queue_takes_all_or_none() {
        let now = Instant::now();
        let mut queue = Queue::new(3, Duration::from_secs(5));
        assert_eq!(queue.add(4, 1), Err(Full));
        assert_eq!(queue.add(3, 1), Ok(3));
        queue.lease(now);
        assert_eq!(queue.add(1, 1), Err(Full), "jobs in hand count");
        queue.done(1, now);
        assert_eq!(queue.add(1, 1), Ok(4));
        assert_eq!(queue.add(usize::MAX, 1), Err(Full));
    }
}
