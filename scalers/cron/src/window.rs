//! A window of time: open from when `start` fires until `end` fires.
use crate::schedule::Schedule;
use crate::zone;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Two schedules in a time zone.
pub(crate) struct Window {
    start: Schedule,
    end: Schedule,
    zone: TimeZone,
}

/// How a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Whether it is open.
    pub(crate) open: bool,
    /// When that changes next, in milliseconds since 1970.
    pub(crate) changes_ms: Option<u64>,
}

impl Window {
    /// Of two expressions and the name of a time zone.
    pub(crate) fn parse(start: &str, end: &str, timezone: &str) -> Result<Window, String> {
        let schedule = |name: &str, text: &str| Schedule::parse(text).map_err(|message| format!("{name}: {message}"));
        let zone = zone::find(timezone).map_err(|message| format!("timezone: {message}"))?;
        Ok(Window { start: schedule("start", start)?, end: schedule("end", end)?, zone })
    }

    /// How it stands at a moment, in milliseconds since 1970.
    ///
    /// It is open unless `start` is the next to fire: a `start` that never fires again has left it open, an `end` that
    /// never fires again has closed it. When both fire at once it is open.
    pub(crate) fn at(&self, now_ms: u64) -> Result<View, String> {
        let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let now = now.ok_or("the time is out of range")?;
        let (start, end) = (self.start.next(now, &self.zone), self.end.next(now, &self.zone));
        let open = match (start, end) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(start), Some(end)) => start >= end,
        };
        let changes = [start, end].into_iter().flatten().min();
        Ok(View { open, changes_ms: changes.and_then(|at| u64::try_from(at.as_millisecond()).ok()) })
    }
}
