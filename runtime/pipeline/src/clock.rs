//! The one clock of a process: both times of a [`Now`] come from the same moment.
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use windlass_core::{Mono, Now, Wall};

/// Reads time for those who hand it to the core.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now. It starts at one minute, so that moments shortly before still exist.
    pub fn start() -> Clock {
        let now = Instant::now();
        Clock { start: now.checked_sub(Duration::from_secs(60)).unwrap_or(now) }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: Mono(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)),
            wall: Wall(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}
