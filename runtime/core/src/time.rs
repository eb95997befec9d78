//! Time as an argument. `core` never reads a clock: whoever calls [`crate::Core::step`] says what time it is.
use std::ops::{Add, Sub};
use std::time::Duration;

/// Monotonic time in milliseconds since an arbitrary start of this process. Ages, deadlines and intervals use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Wall-clock time in milliseconds since the Unix epoch. Only for what people or other programs see: schedules,
/// `lastActiveTime`, creation times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic.
    pub mono: Mono,
    /// Wall clock.
    pub wall: Wall,
}

impl Mono {
    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, by: Duration) -> Mono {
        Mono(self.0.saturating_add(millis(by)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, by: Duration) -> Mono {
        Mono(self.0.saturating_sub(millis(by)))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, by: Duration) -> Wall {
        Wall(self.0.saturating_add_unsigned(millis(by)))
    }
}

impl Now {
    /// The monotonic moment at which the wall clock will show `wall` (now, when that is past).
    pub fn mono_at(self, wall: Wall) -> Mono {
        let ahead = u64::try_from(wall.0.saturating_sub(self.wall.0)).unwrap_or(0);
        Mono(self.mono.0.saturating_add(ahead))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
