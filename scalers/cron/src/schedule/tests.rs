//! Against what KEDA's cron library (robfig/cron v3.0.1) said of the same expressions.
use super::*;

/// Lines of expression, zone, milliseconds since 1970, and what the library answered: `error`, `never`, or the next time in
/// seconds.
const REFERENCE: &str = include_str!("../../tests/reference.tsv");

#[test]
fn fires_when_the_reference_does() {
    let mut different = Vec::new();
    for line in REFERENCE.lines() {
        let [expression, zone, now, expected] = *line.split('\t').collect::<Vec<_>>() else { panic!("{line}") };
        let found = match Schedule::parse(expression) {
            Err(_) => "error".to_owned(),
            Ok(schedule) => {
                let now = Timestamp::from_millisecond(now.parse().unwrap()).unwrap();
                let next = schedule.next(now, &zone::find(zone).unwrap());
                next.map_or("never".to_owned(), |next| next.as_second().to_string())
            }
        };
        if found != expected {
            different.push(format!("{line} but was {found}"));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}
