//! What tests of scalers rest on.
use windlass_sdk::testing::{format_ms, parse_ms};

#[test]
fn moments_go_both_ways() {
    assert_eq!(parse_ms("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(parse_ms("2000-02-29T12:34:56.789Z"), Some(951_827_696_789));
    assert_eq!(parse_ms("2026-11-24"), None);
    let mut ms = 0;
    // Steps of 17 days and a bit meet every month and many leap years.
    while ms < 7_000_000_000_000 {
        assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        ms += 17 * 86_400_000 + 12_345_678;
    }
}
