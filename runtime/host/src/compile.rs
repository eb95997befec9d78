//! Compiling is untrusted work: a small component can cost minutes and gigabytes. It is done in a child process with
//! limits on CPU time and address space; the result is kept under a MAC, since loading code is trust, not check.
mod cache;
mod child;

pub(crate) use cache::Cache;
pub use child::compile_child;

use crate::limits::{CompileLimits, Limit, Limits};
use crate::{HostError, Metrics};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;
use windlass_core::Digest;

/// A component that passed a limit is not compiled again for so long, whoever asks.
const REST: Duration = Duration::from_secs(600);
/// Of so many components that is remembered.
const MOST_REFUSED: usize = 1_000;

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError::Compile(crate::clean::line(&error.to_string()).into())
}

/// Why there is no compiled code.
#[derive(Debug)]
pub(crate) enum Uncompiled {
    /// A limit was passed: what happened.
    Limited(Limit, String),
    /// Anything else.
    Failed(HostError),
}

/// Where compiled components come from.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// Our own program, which compiles when it is called `compile-component`; none: compile in this process.
    program: Option<PathBuf>,
    /// Private folder for the results, and the key of their MACs.
    cache: Option<Cache>,
    limits: Limits,
    /// Compilations at the same time.
    jobs: Semaphore,
    metrics: Metrics,
    /// What passed a limit, and when.
    refused: Mutex<HashMap<Digest, (Instant, HostError)>>,
}

impl Compiler {
    /// A compiler: by `program`, or in this process without one.
    pub(crate) fn new(program: Option<PathBuf>, cache: Option<Cache>, limits: Limits, metrics: Metrics) -> Compiler {
        let jobs = Semaphore::new(limits.compile.jobs.clamp(1, Semaphore::MAX_PERMITS));
        Compiler { program, cache, limits, jobs, metrics, refused: Mutex::default() }
    }

    /// The component, from the cache or compiled now.
    pub(crate) async fn component(
        &self,
        engine: &Engine,
        digest: Digest,
        wasm: Vec<u8>,
    ) -> Result<Component, HostError> {
        let compatibility = compatibility(engine);
        let most = self.limits.compile.output_bytes;
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.read(digest, compatibility, most)) {
            match load(engine, &found) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(%digest, %error, "a cached component cannot be loaded; compiling it again")
                }
            }
        }
        let compiled = self.compile(engine, digest, wasm).await?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.write(digest, compatibility, &compiled)
        {
            tracing::warn!(%digest, %error, "a compiled component cannot be kept");
        }
        load(engine, &compiled)
    }

    /// Compiles, when it is this component's turn and it has not passed a limit a short while ago.
    async fn compile(&self, engine: &Engine, digest: Digest, wasm: Vec<u8>) -> Result<Vec<u8>, HostError> {
        if let Some(error) = self.resting(digest) {
            return Err(error);
        }
        let _turn = self.jobs.acquire().await.map_err(failed)?;
        let compile = &self.limits.compile;
        let compiled = match &self.program {
            Some(program) => child::compile(program, compile, wasm).await,
            None => here(engine.clone(), compile, wasm).await,
        };
        compiled.map_err(|error| match error {
            Uncompiled::Failed(error) => error,
            Uncompiled::Limited(limit, what) => {
                self.metrics.hit(limit);
                let error = failed(format!("{what} ({})", limit.told(&self.limits)));
                self.rest(digest, error.clone());
                error
            }
        })
    }

    /// Why a component is not compiled again yet.
    fn resting(&self, digest: Digest) -> Option<HostError> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&digest).filter(|(since, _)| since.elapsed() < REST).map(|(_, error)| error.clone())
    }

    fn rest(&self, digest: Digest, error: HostError) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, (since, _)| since.elapsed() < REST);
        if refused.len() < MOST_REFUSED {
            refused.insert(digest, (Instant::now(), error));
        }
    }
}

/// Compiles in this process, without limits but that of the result: for who trusts his components.
async fn here(engine: Engine, limits: &CompileLimits, wasm: Vec<u8>) -> Result<Vec<u8>, Uncompiled> {
    let compiling = tokio::task::spawn_blocking(move || engine.precompile_component(&wasm));
    let compiled = compiling.await.map_err(|error| Uncompiled::Failed(failed(error)))?;
    fits(compiled.map_err(|error| Uncompiled::Failed(failed(format!("{error:#}"))))?, limits)
}

fn fits(compiled: Vec<u8>, limits: &CompileLimits) -> Result<Vec<u8>, Uncompiled> {
    if compiled.len() > limits.output_bytes {
        return Err(Uncompiled::Limited(Limit::CompileBytes, "it compiles to too much code".to_owned()));
    }
    Ok(compiled)
}

/// Changes with everything that makes compiled code useless to an engine.
fn compatibility(engine: &Engine) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Loads code that this process, its child, or an earlier run under the same key has compiled.
#[allow(unsafe_code)]
fn load(engine: &Engine, compiled: &[u8]) -> Result<Component, HostError> {
    // SAFETY: `deserialize` runs what it is given. These bytes were made by `precompile_component`: in this process, in a child that
    // runs this very program, or earlier and verified by a MAC whose key lies in a folder that only this user can read.
    unsafe { Component::deserialize(engine, compiled) }.map_err(failed)
}
