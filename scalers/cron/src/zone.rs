//! Time zones, from the database that is built in.
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    /// Zones that have been used: reading one takes longer than everything else that is done for a query.
    static USED: RefCell<BTreeMap<String, TimeZone>> = const { RefCell::new(BTreeMap::new()) };
}

/// A time zone by its IANA name. `Local` is UTC, as in a container.
///
/// # Errors
/// That there is none of that name.
pub(crate) fn find(name: &str) -> Result<TimeZone, String> {
    if matches!(name, "UTC" | "Local") {
        return Ok(TimeZone::UTC);
    }
    if let Some(zone) = USED.with_borrow(|used| used.get(name).cloned()) {
        return Ok(zone);
    }
    let zone = TimeZoneDatabase::bundled().get(name);
    let zone = zone.map_err(|_| format!("`{name}` is no time zone: write an IANA name, for instance Europe/Berlin"))?;
    USED.with_borrow_mut(|used| used.insert(name.to_owned(), zone.clone()));
    Ok(zone)
}
