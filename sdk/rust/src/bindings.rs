//! The contract, as generated from `wit/`. Authors use what the crate's root re-exports.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated from the contract")]

wit_bindgen::generate!({
    path: "../../wit/v0.1",
    world: "scaler",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "windlass_sdk::bindings",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["response"],
});
