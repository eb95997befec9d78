//! The cases beside this crate's sources, batches, and sources that are down.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
mod batch;

use windlass_scaler_redis::Redis;
use windlass_sdk::testing::{describe, run_cases};
use windlass_sdk::{Secrecy, testing};

#[test]
fn cases() {
    run_cases::<Redis>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn declares_what_keda_documents() {
    let info = describe::<Redis>();
    assert_eq!(info.triggers, ["redis", "redis-cluster", "redis-sentinel"]);
    let defaults: Vec<_> = info.parameters.iter().filter_map(|p| Some((&*p.name, p.initial.as_deref()?))).collect();
    assert_eq!(
        defaults,
        [("listLength", "5"), ("activationListLength", "0"), ("databaseIndex", "0"), ("unsafeSsl", "false")]
    );
    let names = |secrecy: Secrecy| {
        let of = info.parameters.iter().filter(move |parameter| parameter.secrecy == secrecy);
        of.map(|parameter| &*parameter.name).collect::<Vec<_>>()
    };
    assert_eq!(names(Secrecy::Revealed), ["username", "password", "sentinelUsername", "sentinelPassword"]);
    assert_eq!(names(Secrecy::Sealed), ["ca", "cert", "key", "keyPassword"]);
    let required = info.parameters.iter().filter(|parameter| parameter.required).count();
    assert_eq!(required, 1, "listName");
}

#[test]
fn tls_names_its_material_and_never_holds_it() {
    let metadata = [("address", "redis:6379"), ("listName", "orders"), ("unsafeSsl", "true"), ("enableTLS", "t")];
    let material = [("ca", "CA"), ("cert", "CERT"), ("key", "KEY"), ("keyPassword", "WORD")];
    let plan = testing::configure::<Redis>(&testing::trigger::<Redis>(&metadata, &material).unwrap()).unwrap();
    let tls = plan.endpoints[0].tls.clone().unwrap();
    assert!(!tls.verify && !tls.upgrade);
    let names = [tls.ca, tls.certificate, tls.key, tls.key_password].map(Option::unwrap);
    assert_eq!(names, ["ca", "cert", "key", "keyPassword"]);
    // A certificate without its key does not count, as in KEDA.
    let plan = testing::configure::<Redis>(&testing::trigger::<Redis>(&metadata, &material[1..2]).unwrap()).unwrap();
    assert_eq!(plan.endpoints[0].tls.clone().unwrap().certificate, None);
}
