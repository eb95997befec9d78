//! Expressions, spoiled, at any time.
use crate::window::Window;
use windlass_testkit::{Edits, mangled_text};

const EXPRESSIONS: [&str; 6] = [
    "0 6 * * *",
    "*/5 8-18/2 1,15 JAN-MAR MON-FRI",
    "CRON_TZ=Europe/Berlin 30 2 * * 0",
    "0 0 31 2 *",
    "0 0 29 2 *",
    "59 23 L * ?",
];
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"];

#[test]
fn window() {
    bolero::check!().with_type::<(Edits, Edits, Edits, u64, bool)>().for_each(|(start, end, zone, now, real)| {
        let (start, end) = (mangled_text(&EXPRESSIONS, start), mangled_text(&EXPRESSIONS, end));
        let zone = if *real { ZONES[usize::from(zone.0) % ZONES.len()].to_owned() } else { mangled_text(&ZONES, zone) };
        let now = if *real { now % 10_000_000_000_000 } else { *now };
        let Ok(window) = Window::parse(&start, &end, &zone) else { return };
        let Ok(view) = window.at(now) else { return };
        // Whole minutes after now, at which it looks the other way or fires again.
        if let Some(changes) = view.changes_ms {
            assert!(changes > now && changes % 60_000 == 0, "{start:?} to {end:?} in {zone:?} at {now}: {changes}");
            assert!(window.at(changes).is_ok() || changes > 250_000_000_000_000);
        }
    });
}
