//! How a component is put together, looked at before it is compiled: a few bytes can ask for a million instances, and what
//! the compiler makes of them the host would have to hold.
use crate::limits::{Limit, Limits};
use crate::{HostError, Metrics};
use wasmparser::{ComponentInstance, Instance, Parser, Payload};

/// Instances of all kinds that one component may come to.
pub(crate) const MOST_INSTANCES: u64 = 1_000;
/// Bytes of types, names and wiring between instances, in all components inside it together.
pub(crate) const MOST_WIRING: usize = 1 << 20;
/// Components and modules in one another.
const MOST_DEPTH: usize = 64;

/// What is known of a component, or a module, while it is read.
#[derive(Default)]
struct Frame {
    module: bool,
    /// Instances that one instance of it brings with it.
    instances: u64,
}

/// Refuses a component that comes to more than the pool or the host could hold.
pub(crate) fn check(wasm: &[u8], limits: &Limits, metrics: &Metrics) -> Result<(), HostError> {
    match read(wasm) {
        Ok(true) => Ok(()),
        Ok(false) => {
            metrics.hit(Limit::ComponentStructure);
            let told = Limit::ComponentStructure.told(limits);
            Err(HostError::NotAScaler(format!("it is put together of too much ({told})").into()))
        }
        Err(error) => Err(HostError::NotAScaler(crate::clean::line(&error.to_string()).into())),
    }
}

/// Whether a component fits.
fn read(wasm: &[u8]) -> Result<bool, wasmparser::BinaryReaderError> {
    let mut frames = vec![Frame::default()];
    // Whichever component is instantiated, it brings no more than the dearest one so far: an upper bound that needs no names.
    let (mut dearest, mut wiring) = (0_u64, 0_usize);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let section = |range: std::ops::Range<usize>| range.len();
        let depth = frames.len();
        let Some(frame) = frames.last_mut() else { return Ok(false) };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                if depth > MOST_DEPTH {
                    return Ok(false);
                }
                let module = matches!(payload, Payload::ModuleSection { .. });
                frames.push(Frame { module, instances: 0 });
            }
            Payload::End(_) => {
                if !frame.module {
                    dearest = dearest.max(frame.instances);
                }
                if depth > 1 {
                    frames.pop();
                }
            }
            Payload::InstanceSection(instances) => {
                wiring += section(instances.range());
                for instance in instances {
                    frame.instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                wiring += section(instances.range());
                for instance in instances {
                    if matches!(instance?, ComponentInstance::Instantiate { .. }) {
                        frame.instances = frame.instances.saturating_add(dearest + 1);
                    }
                }
            }
            Payload::CoreTypeSection(part) => wiring += section(part.range()),
            Payload::ComponentTypeSection(part) => wiring += section(part.range()),
            Payload::ComponentAliasSection(part) => wiring += section(part.range()),
            Payload::ComponentCanonicalSection(part) => wiring += section(part.range()),
            Payload::ComponentImportSection(part) => wiring += section(part.range()),
            Payload::ComponentExportSection(part) => wiring += section(part.range()),
            _ => {}
        }
        if dearest > MOST_INSTANCES || wiring > MOST_WIRING || frames.iter().any(|f| f.instances > MOST_INSTANCES) {
            return Ok(false);
        }
    }
    Ok(true)
}
