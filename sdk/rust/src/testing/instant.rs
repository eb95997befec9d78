//! Moments as people write them.

/// Milliseconds since 1970 of `2026-03-29T00:30:00Z`, the seconds with up to three decimals.
pub fn parse_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = *date.split('-').map(str::parse::<i64>).collect::<Result<Vec<_>, _>>().ok()? else {
        return None;
    };
    let [hour, minute, second] = *time.split(':').collect::<Vec<_>>() else { return None };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
    // Days since 1970 of a date: years begin in March, so that the leap day is the last of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = u64::try_from(days).ok()? * 86_400;
    let time = hour.parse::<u64>().ok()? * 3_600 + minute.parse::<u64>().ok()? * 60 + second.parse::<u64>().ok()?;
    Some((seconds + time) * 1_000 + ms)
}

/// The reverse of [`parse_ms`]; decimals only where there are milliseconds.
pub fn format_ms(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000 + 719_468, ms % 86_400_000);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    let fraction = if rest % 1_000 == 0 { String::new() } else { format!(".{:03}", rest % 1_000) };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}
