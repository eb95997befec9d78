//! Quantities, against what the API machinery makes of them.
use windlass_api::Quantity;
use windlass_core::Milli;

#[test]
fn canonical_forms() {
    for (written, canonical, milli) in [
        ("0", "0", Some(0)),
        ("5", "5", Some(5_000)),
        ("+5", "5", Some(5_000)),
        ("-5", "-5", Some(-5_000)),
        ("0.5", "500m", Some(500)),
        (".5", "500m", Some(500)),
        ("5.", "5", Some(5_000)),
        ("1.5", "1500m", Some(1_500)),
        ("1500m", "1500m", Some(1_500)),
        ("2000m", "2", Some(2_000)),
        ("100u", "100u", Some(1)),
        ("1n", "1n", Some(1)),
        ("0.0000000001", "1n", Some(1)),
        ("1000", "1k", Some(1_000_000)),
        ("1234", "1234", Some(1_234_000)),
        ("12e6", "12e6", Some(12_000_000_000)),
        ("1.5E3", "1500", Some(1_500_000)),
        ("1e3", "1e3", Some(1_000_000)),
        ("1e-1", "100e-3", Some(100)),
        ("1Ki", "1Ki", Some(1_024_000)),
        ("1024Ki", "1Mi", Some(1_048_576_000)),
        ("1.5Gi", "1536Mi", Some(1_610_612_736_000)),
        ("0.5Ki", "512", Some(512_000)),
        ("1000Ki", "1000Ki", Some(1_024_000_000)),
        ("128974848", "128974848", Some(128_974_848_000)),
        ("129M", "129M", Some(129_000_000_000)),
        ("9E", "9E", None),
        ("1e400", "9223372036854775807", None),
        ("9999999999999999999999Ei", "9223372036854775807", None),
    ] {
        let quantity: Quantity = written.parse().unwrap_or_else(|why| panic!("{written}: {why}"));
        assert_eq!(quantity.to_string(), canonical, "{written}");
        assert_eq!(quantity.as_milli(), milli.map(Milli), "{written}");
    }
}

#[test]
fn what_is_none() {
    for text in [
        "", "-", "+", ".", "x", "1x", "1 ", " 1", "1.2.3", "1kk", "1ki", "e3", "1e", "1e1.5", "--1", "１", "1K", "NaN",
        "0x10",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text:?}");
    }
}
