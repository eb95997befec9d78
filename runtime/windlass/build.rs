//! The SDKs and templates are part of the program: a file that is added or goes makes it anew.
fn main() {
    for place in ["../../sdk", "../../wit", "../../Cargo.toml", "../../LICENSE"] {
        println!("cargo:rerun-if-changed={place}");
    }
}
