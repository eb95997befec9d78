//! `#[derive(Parameters)]` and `#[derive(Choice)]` for windlass-sdk, which documents and re-exports them.
mod choice;
mod parameters;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Declares and reads a struct of parameters; see `windlass_sdk::Parameters`.
#[proc_macro_derive(Parameters, attributes(parameter))]
pub fn parameters(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    parameters::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// A parameter with a fixed set of values: an enum whose variants carry no data. A variant's text is its name in camel
/// case, or that of `#[choice(name = "…")]`. The type can be a field by itself and an entry of a list.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// `some_name` or `SomeName` as `someName`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.trim_start_matches("r#").chars() {
        if c == '_' {
            upper = true;
        } else if camel.is_empty() {
            camel.extend(c.to_lowercase());
        } else if std::mem::take(&mut upper) {
            camel.extend(c.to_uppercase());
        } else {
            camel.push(c);
        }
    }
    camel
}
