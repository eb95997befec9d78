//! The one engine of a process, its instance pool and its epoch clock.
use crate::HostError;
use std::time::Duration;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often the epoch advances: the unit of guests' CPU time.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Core instances, memories and tables of one component.
const CORE_INSTANCES: u32 = 60;
const MEMORIES: u32 = 4;
const TABLES: u32 = 30;
/// Bytes of a guest's own stack. The host's side of a call has as much again.
pub(crate) const WASM_STACK: usize = 512 << 10;
/// Elements of one table.
pub(crate) const TABLE_ELEMENTS: usize = 30_000;

/// How an engine allocates instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// From a pool: for running. Reserves much address space.
    Pool {
        /// Instances at the same time.
        instances: u32,
        /// Bytes of one memory at most.
        memory_bytes: usize,
    },
    /// On demand: for compiling, also in a child with little address space.
    OnDemand,
}

/// An engine. What one engine compiles another loads, whatever their allocation.
pub(crate) fn engine(allocation: Allocation) -> Result<Engine, HostError> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.parallel_compilation(true);
    config.concurrency_support(false);
    config.wasm_component_model(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(2 * WASM_STACK);
    if let Allocation::Pool { instances, memory_bytes } = allocation {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(instances)
            // As many as all of them may have together: no component takes another's place.
            .total_core_instances(instances * CORE_INSTANCES)
            .total_memories(instances * MEMORIES)
            .total_tables(instances * TABLES)
            .total_stacks(instances)
            .max_memory_size(memory_bytes)
            .table_elements(TABLE_ELEMENTS)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(MEMORIES)
            .max_memories_per_module(MEMORIES)
            .max_tables_per_component(TABLES)
            .max_tables_per_module(TABLES)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(4 << 20)
            .max_unused_warm_slots(100);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    let engine = Engine::new(&config).map_err(|error| HostError::Engine(format!("{error:#}").into()))?;
    if matches!(allocation, Allocation::Pool { .. }) {
        tick(&engine)?;
    }
    Ok(engine)
}

/// Advances the epoch until the engine is gone.
fn tick(engine: &Engine) -> Result<(), HostError> {
    let weak = engine.weak();
    let ticker = std::thread::Builder::new().name("windlass-epoch".into());
    ticker
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map_err(|error| HostError::Engine(error.to_string().into()))?;
    Ok(())
}
