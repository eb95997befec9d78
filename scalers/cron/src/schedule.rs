//! A cron expression, and when it fires next.
#[cfg(test)]
mod tests;

use crate::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH};
use crate::zone;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;

/// Years that are looked ahead: an expression that does not fire in them never does.
const YEARS: i16 = 5;

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// When something fires.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    minute: Field,
    hour: Field,
    day_of_month: Field,
    month: Field,
    day_of_week: Field,
    /// The expression's own zone, before that of the trigger.
    zone: Option<TimeZone>,
}

impl Schedule {
    /// Parses the five fields of a standard cron expression, with or without `TZ=<zone>` or `CRON_TZ=<zone>` before them.
    pub(crate) fn parse(text: &str) -> Result<Schedule, String> {
        let text = text.trim();
        let (zone, rest) = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
            Some(rest) => {
                let (name, rest) = rest.split_once(' ').ok_or("has a time zone and no fields")?;
                (Some(zone::find(name)?), rest)
            }
            None => (None, text),
        };
        if rest.starts_with('@') {
            return Err(format!("`{rest}` is not accepted: write it in five fields, for instance `0 0 * * *`"));
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = *fields else {
            return Err(format!(
                "has {} fields and needs five: minute, hour, day of month, month, day of week",
                fields.len()
            ));
        };
        Ok(Schedule {
            minute: Field::parse(minute, &MINUTE)?,
            hour: Field::parse(hour, &HOUR)?,
            day_of_month: Field::parse(day_of_month, &DAY_OF_MONTH)?,
            month: Field::parse(month, &MONTH)?,
            day_of_week: Field::parse(day_of_week, &DAY_OF_WEEK)?,
            zone,
        })
    }

    /// The first moment after `now` at which it fires; none within the years that are looked ahead.
    ///
    /// Local times that a change of the clocks skips do not fire, and those that it repeats fire twice. Between two such
    /// changes local time is plain arithmetic, so only whole days are stepped over, and those without looking at the zone.
    pub(crate) fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(zone);
        let last_year = zone.to_datetime(now).year().checked_add(YEARS)?;
        let mut from = now;
        loop {
            let offset = i64::from(zone.to_offset(from).seconds());
            let change = zone.following(from).next().map(|change| change.timestamp());
            // Whole minutes of local time: after now, and from a change of the clocks on.
            let local = from.as_second() + offset;
            let first = if from == now { local.div_euclid(60) + 1 } else { -(-local).div_euclid(60) };
            let end = change.map(|change| -(-(change.as_second() + offset)).div_euclid(60));
            if let Some(minute) = self.first_minute(first, end, last_year) {
                return Timestamp::from_second(minute * 60 - offset).ok();
            }
            from = change.filter(|change| zone.to_datetime(*change).year() <= last_year)?;
        }
    }

    /// The first matching minute of local time, counted from 1970: from `first` on, before `end`, not after `last_year`.
    fn first_minute(&self, first: i64, end: Option<i64>, last_year: i16) -> Option<i64> {
        let epoch = date(1970, 1, 1);
        let start = DateTime::from(epoch).checked_add(jiff::SignedDuration::from_secs(first.checked_mul(60)?)).ok()?;
        let (mut day, mut days) = (start.date(), first.div_euclid(MINUTES_OF_A_DAY));
        let mut from = first.rem_euclid(MINUTES_OF_A_DAY);
        while day.year() <= last_year && end.is_none_or(|end| days * MINUTES_OF_A_DAY < end) {
            if self.fires_on(day)
                && let Some(minute) = self.first_of_day(from)
            {
                let found = days * MINUTES_OF_A_DAY + minute;
                return end.is_none_or(|end| found < end).then_some(found);
            }
            from = 0;
            let next =
                if self.month.contains(day.month() as u8) { day.tomorrow() } else { day.last_of_month().tomorrow() };
            let next = next.ok()?;
            days += i64::from(next.since((jiff::Unit::Day, day)).ok()?.get_days());
            day = next;
        }
        None
    }

    /// Whether it fires on a day. When both kinds of day are restricted, either suffices.
    fn fires_on(&self, day: Date) -> bool {
        let of_month = self.day_of_month.contains(day.day() as u8);
        let of_week = self.day_of_week.contains(day.weekday().to_sunday_zero_offset() as u8);
        let either = !self.day_of_month.any && !self.day_of_week.any;
        self.month.contains(day.month() as u8) && if either { of_month || of_week } else { of_month && of_week }
    }

    /// The first matching minute of a day from a minute on.
    fn first_of_day(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (u8::try_from(from / 60).ok()?, u8::try_from(from % 60).ok()?);
        let this_hour =
            self.minute.first_from(minute).filter(|_| self.hour.contains(hour)).map(|minute| (hour, minute));
        let later = || Some((self.hour.first_from(hour + 1)?, self.minute.first_from(0)?));
        this_hour.or_else(later).map(|(hour, minute)| i64::from(hour) * 60 + i64::from(minute))
    }
}
