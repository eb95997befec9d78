//! The one writer: all state, one message at a time.
use crate::board::Board;
use crate::fact::{Census, Fact};
use crate::key::WorkloadKey;
use crate::quarantine;
use crate::schedule::{Schedule, Timers};
use crate::settings::Settings;
use crate::time::{Mono, Now};
use crate::tracked::Tracked;
use slab::Slab;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that is known. One task owns it and feeds it messages; see [`Core::step`].
#[derive(Debug)]
pub struct Core {
    pub(crate) settings: Arc<Settings>,
    pub(crate) board: Arc<Board>,
    pub(crate) schedule: Schedule,
    pub(crate) workloads: Slab<Tracked>,
    pub(crate) places: HashMap<WorkloadKey, u32>,
    /// When a workload must be considered again though nothing came in.
    pub(crate) wakes: Timers<u32>,
    /// Workloads that the message of this step touched.
    pub(crate) touched: Vec<u32>,
    pub(crate) census: Census,
    /// Facts of this step.
    pub(crate) facts: Vec<Fact>,
    /// When the last step was.
    pub(crate) now: Now,
}

impl Core {
    /// An empty core that shows its values on `board`.
    pub fn new(settings: Settings, board: Arc<Board>) -> Core {
        let settings = Arc::new(settings);
        Core {
            schedule: Schedule::new(settings.clone()),
            settings,
            board,
            workloads: Slab::new(),
            places: HashMap::new(),
            wakes: Timers::new(),
            touched: Vec::new(),
            census: Census::default(),
            facts: Vec::new(),
            now: Now::default(),
        }
    }

    /// When [`crate::Msg::Tick`] is due at the latest; `None`: only a message can change anything.
    pub fn next_wake(&self) -> Option<Mono> {
        let wakes = [self.schedule.next(), self.wakes.next()];
        wakes.into_iter().flatten().min()
    }

    /// How many different questions are asked.
    pub fn questions(&self) -> usize {
        self.schedule.len()
    }

    /// How many queries and components are in quarantine, and how many have been.
    pub fn quarantines(&self) -> quarantine::Census {
        self.schedule.census()
    }

    /// How many objects are in which state.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// How many workloads are known.
    pub fn workloads(&self) -> usize {
        self.workloads.len()
    }

    pub(crate) fn place(&self, key: &WorkloadKey) -> Option<u32> {
        self.places.get(key).copied()
    }

    /// The place of a workload, made for it when it has none.
    pub(crate) fn place_for(&mut self, key: &WorkloadKey, now: Mono) -> u32 {
        if let Some(index) = self.place(key) {
            return index;
        }
        let index = self.workloads.insert(Tracked::new(key.clone(), now)) as u32;
        self.places.insert(key.clone(), index);
        index
    }

    pub(crate) fn tracked(&mut self, index: u32) -> Option<&mut Tracked> {
        self.workloads.get_mut(index as usize)
    }

    /// Has a workload considered at the end of this step, once.
    pub(crate) fn touch(&mut self, index: u32) {
        if let Some(tracked) = self.workloads.get_mut(index as usize)
            && !tracked.touched
        {
            tracked.touched = true;
            self.touched.push(index);
        }
    }
}
