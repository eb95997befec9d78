//! Modules that become components, and modules that do not.
use windlass_build::{check, componentize};

/// A module that exports the contract and does nothing; `more` is added to it.
fn module(imports: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          {imports}
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
          (func (export "windlass:scaler/polled@0.1.0#describe") (result i32) (i32.const 0))
          (func (export "windlass:scaler/polled@0.1.0#configure") (param i32 i32) (result i32) (i32.const 0))
          (func (export "windlass:scaler/polled@0.1.0#poll") (param i64 i32 i32 i32))
          {more})"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_bare_module_becomes_a_component_of_the_contract() {
    let component = componentize(&module("", "")).unwrap();
    check(&component).unwrap();
}

#[test]
fn wasi_is_answered_inside() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    check(&componentize(&module(imports, "")).unwrap()).unwrap();
}

#[test]
fn other_imports_are_refused() {
    let told = componentize(&module(r#"(import "env" "socket" (func))"#, "")).unwrap_err().to_string();
    assert!(told.contains("env"), "{told}");
    let component = wat::parse_str(r#"(component (import "wasi:cli/stdin@0.2.0" (instance)))"#).unwrap();
    let told = check(&component).unwrap_err().to_string();
    assert!(told.starts_with("imports wasi:cli/stdin@0.2.0"), "{told}");
}

#[test]
fn what_is_no_module_is_refused() {
    for bytes in [&b""[..], b"\x7fELF", b"<html>"] {
        assert!(componentize(bytes).is_err());
        assert!(check(bytes).is_err());
    }
    let told = componentize(&wat::parse_str("(module)").unwrap()).unwrap_err().to_string();
    assert!(told.contains("polled"), "{told}");
}
