//! One field of a cron expression as a set of numbers.

/// What a field may hold.
pub(crate) struct Bounds {
    what: &'static str,
    min: u8,
    max: u8,
    /// Names of the numbers from `first_name` on.
    names: &'static [&'static str],
    first_name: u8,
}

pub(crate) const MINUTE: Bounds = Bounds { what: "minute", min: 0, max: 59, names: &[], first_name: 0 };
pub(crate) const HOUR: Bounds = Bounds { what: "hour", min: 0, max: 23, names: &[], first_name: 0 };
pub(crate) const DAY_OF_MONTH: Bounds = Bounds { what: "day of month", min: 1, max: 31, names: &[], first_name: 0 };
pub(crate) const MONTH: Bounds = Bounds {
    what: "month",
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    first_name: 1,
};
pub(crate) const DAY_OF_WEEK: Bounds = Bounds {
    what: "day of week",
    min: 0,
    max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    first_name: 0,
};

/// A set of numbers, and whether it was written as "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    bits: u64,
    pub(crate) any: bool,
}

impl Field {
    /// Parses a comma-separated list of ranges.
    pub(crate) fn parse(text: &str, bounds: &Bounds) -> Result<Field, String> {
        let mut field = Field { bits: 0, any: false };
        for range in text.split(',').filter(|range| !range.is_empty()) {
            let parsed =
                parse_range(range, bounds).map_err(|reason| format!("the {} `{range}` {reason}", bounds.what))?;
            field.bits |= parsed.bits;
            field.any |= parsed.any;
        }
        if field.bits == 0 { Err(format!("the {} is empty", bounds.what)) } else { Ok(field) }
    }

    /// Whether the number is in the set.
    pub(crate) fn contains(self, number: u8) -> bool {
        self.bits >> number & 1 == 1
    }

    /// The smallest number of the set that is not below `from`.
    pub(crate) fn first_from(self, from: u8) -> Option<u8> {
        let rest = self.bits.checked_shr(from.into()).unwrap_or(0);
        (rest != 0).then(|| from + rest.trailing_zeros() as u8)
    }
}

/// `*`, `?`, `N`, `N-M`, each with or without `/step`. `N/step` runs from N to the field's end.
fn parse_range(range: &str, bounds: &Bounds) -> Result<Field, String> {
    let mut parts = range.split('/');
    let (span, step) = (parts.next().unwrap_or_default(), parts.next());
    if parts.next().is_some() {
        return Err("has more than one `/`".to_owned());
    }
    let mut ends = span.split('-');
    let (low, high) = (ends.next().unwrap_or_default(), ends.next());
    let any = matches!(low, "*" | "?");
    let (start, mut end) = match (any, high) {
        (true, _) => (bounds.min, bounds.max),
        (false, None) => (number(low, bounds)?, number(low, bounds)?),
        (false, Some(_)) if ends.next().is_some() => return Err("has more than one `-`".to_owned()),
        (false, Some(high)) => (number(low, bounds)?, number(high, bounds)?),
    };
    let step = match step {
        None => 1,
        Some(text) => {
            if high.is_none() {
                end = bounds.max;
            }
            match plain(text)? {
                0 => return Err("has a step of 0".to_owned()),
                step => step,
            }
        }
    };
    if start < bounds.min || end > bounds.max {
        return Err(format!("is not between {} and {}", bounds.min, bounds.max));
    }
    if start > end {
        return Err("begins after its end".to_owned());
    }
    let bits = (start..=end).step_by(step.into()).fold(0, |bits, number| bits | 1 << number);
    Ok(Field { bits, any: any && step == 1 })
}

/// A number or the name of one.
fn number(text: &str, bounds: &Bounds) -> Result<u8, String> {
    match (bounds.first_name..).zip(bounds.names).find(|(_, name)| name.eq_ignore_ascii_case(text)) {
        Some((number, _)) => Ok(number),
        None => plain(text),
    }
}

fn plain(text: &str) -> Result<u8, String> {
    // What does not fit is out of every field's bounds.
    match text.parse::<u64>() {
        Ok(number) => Ok(u8::try_from(number).unwrap_or(u8::MAX)),
        Err(_) => Err("is not a number".to_owned()),
    }
}
