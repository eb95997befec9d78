//! A component on its way from bytes to something that can be asked.
use crate::abi::ScalerPre;
use crate::state::State;
use crate::{HostError, Outline};
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};
use windlass_core::scaler::Scaler;

/// What this host offers beyond the interfaces themselves.
const OFFERS: [&str; 2] = ["learn", "owner"];

/// A component that is ready to be asked.
pub(crate) struct Ready {
    pub(crate) scaler: Arc<Scaler>,
    pub(crate) pre: ScalerPre<State>,
}

/// Refuses what is no component, and a component by what it imports and exports, before anything of it is compiled: compiling is
/// dear.
pub(crate) fn inspect(wasm: &[u8]) -> Result<(), HostError> {
    Outline::read(wasm)?.check()
}

/// Links a component to the host's side of the contract.
pub(crate) fn link(linker: &Linker<State>, component: &Component) -> Result<ScalerPre<State>, HostError> {
    let told = |error: wasmtime::Error| HostError::NotAScaler(crate::clean::line(&format!("{error:#}")).into());
    let pre = linker.instantiate_pre(component).map_err(told)?;
    ScalerPre::new(pre).map_err(told)
}

/// The host's side of the contract.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>, HostError> {
    let mut linker = Linker::new(engine);
    crate::abi::World::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)
        .map_err(|error| HostError::Engine(format!("{error:#}").into()))?;
    Ok(linker)
}

/// Checks what a component says of itself.
pub(crate) fn check_description(scaler: &Scaler) -> Result<(), HostError> {
    let wrong = |what: String| Err(HostError::Description(crate::clean::line(&what).into()));
    for (what, text) in [("name", &scaler.name), ("version", &scaler.version)] {
        if text.is_empty() || text.len() > 63 || text.chars().any(char::is_control) {
            return wrong(format!("its {what} has to have 1 to 63 characters, none of them a control character"));
        }
    }
    if scaler.triggers.is_empty() || scaler.triggers.len() > 16 {
        return wrong("it has to serve 1 to 16 trigger types".to_owned());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some(kind) =
        scaler.triggers.iter().find(|kind| kind.is_empty() || kind.len() > 63 || !kind.chars().all(plain))
    {
        return wrong(format!("trigger type '{kind}': 1 to 63 of a-z, 0-9 and '-'"));
    }
    if scaler.parameters.len() > 256 {
        return wrong("it has more than 256 parameters".to_owned());
    }
    let mut names = std::collections::BTreeSet::new();
    for parameter in &scaler.parameters {
        for name in std::iter::once(&parameter.name).chain(&parameter.aliases) {
            if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return wrong(format!("parameter '{name}': not a name"));
            }
            if !names.insert(name.clone()) {
                return wrong(format!("parameter '{name}' is declared twice"));
            }
        }
    }
    if let Some(need) = scaler.needs.iter().find(|need| !OFFERS.contains(&&***need)) {
        return Err(HostError::Need(crate::clean::line(need).into()));
    }
    Ok(())
}
