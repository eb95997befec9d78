//! All cases, natively.
#[test]
fn cases() {
    windlass_sdk::testing::run_cases::<{{snake}}_scaler::{{pascal}}>(env!("CARGO_MANIFEST_DIR"));
}
