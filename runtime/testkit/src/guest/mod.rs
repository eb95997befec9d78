//! Guests that need no toolchain: WebAssembly text around constants that are laid out here, made a component of the
//! contract. What a test wants a guest to do, also what no SDK would let it do, it writes as instructions.
//!
//! Instructions may use the locals `$i $n $p $q` (i32), `$f` (f64) and `$l` (i64), in `poll` also `$queries` and `$count`, in
//! `configure` `$triggers` and `$count`, the functions of `prelude.wat`, and the globals `$heap` and `$start`: between them lies
//! all that the host has handed over.
mod arena;
mod c;

use arena::Record;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub use arena::{Arena, Slice};
pub use c::from_c;

const CONTRACT: &str = include_str!("../../../../wit/v0.1/scaler.wit");
const PRELUDE: &str = include_str!("prelude.wat");
/// Below it is scratch.
const CONSTANTS: u32 = 1_024;
const LOCALS: &str = "(local $i i32) (local $n i32) (local $p i32) (local $q i32) (local $f f64) (local $l i64)";

/// A parameter that a guest declares: from metadata, the environment or an authentication.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The number of its shape in the contract: 0 text, 5 url, 6 address.
    pub shape: u8,
    /// What people read about it.
    pub doc: String,
    /// It must be set.
    pub required: bool,
    /// The number of its secrecy in the contract: 0 open, 1 sealed, 2 revealed.
    pub secrecy: u8,
}

/// Names and texts.
pub type Pairs = Vec<(String, String)>;

/// An HTTP request that a guest sends.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// For which query.
    pub query: u32,
    /// To which of its endpoints.
    pub endpoint: u32,
    /// Method; empty: GET.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers.
    pub headers: Pairs,
    /// Body.
    pub body: String,
    /// Scheme, secrets and settings of its credentials.
    pub credentials: Vec<(String, Pairs, Pairs)>,
    /// How long it may take.
    pub timeout_ms: Option<u32>,
}

/// A guest under construction.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The trigger types that it serves.
    pub triggers: Vec<String>,
    /// Its parameters.
    pub parameters: Vec<Declared>,
    /// What it needs.
    pub needs: Vec<String>,
    /// Name, target and activation of the metrics that it plans; `None`: discovered.
    pub metrics: Option<Vec<(String, f64, f64)>>,
    /// Parameter, host and port of the endpoints that it plans.
    pub endpoints: Vec<(Option<String>, String, u16)>,
    /// The group that it plans.
    pub group: String,
    /// Parameter and message of the problems that it finds instead.
    pub problems: Vec<(Option<String>, String)>,
    /// Instructions before it describes itself.
    pub describe: String,
    /// Instructions before it answers with its plan.
    pub configure: String,
    /// Instructions of a poll.
    pub poll: String,
    /// Instructions at its start.
    pub start: Option<String>,
    /// Instructions before it gives the host memory; the locals are `$old $had $align $size`.
    pub realloc: String,
    /// Further fields of its module.
    pub fields: String,
    /// Its constants.
    pub arena: Arena,
}

impl Guest {
    /// A guest that plans one metric, `value`, and answers nothing.
    pub fn new(name: &str) -> Guest {
        Guest {
            name: name.to_owned(),
            triggers: vec![name.to_owned()],
            parameters: Vec::new(),
            needs: Vec::new(),
            metrics: Some(vec![("value".to_owned(), 1.0, 0.0)]),
            endpoints: Vec::new(),
            group: String::new(),
            problems: Vec::new(),
            describe: String::new(),
            configure: String::new(),
            poll: String::new(),
            start: None,
            realloc: String::new(),
            fields: String::new(),
            arena: Arena::new(CONSTANTS),
        }
    }

    /// The same, with these instructions in its poll.
    pub fn polling(name: &str, poll: impl Into<String>) -> Guest {
        Guest { poll: poll.into(), ..Guest::new(name) }
    }

    /// A text among its constants.
    pub fn text(&mut self, text: &str) -> Slice {
        self.arena.text(text)
    }

    /// A list of numbers among its constants.
    pub fn numbers(&mut self, numbers: &[f64]) -> Slice {
        self.arena.list(numbers.iter().map(|number| Record::default().number(*number)))
    }

    /// Metrics (name, target, activation) among its constants.
    pub fn metrics_list(&mut self, metrics: &[(String, f64, f64)]) -> Slice {
        metrics_list(&mut self.arena, metrics)
    }

    /// Zeros among its constants, for records that its instructions write.
    pub fn room(&mut self, bytes: u32) -> u32 {
        let zeros = (0..bytes).fold(Record::default(), |record, _| record.byte(0));
        self.arena.record(&zeros)
    }

    /// Requests among its constants, for `$ask`.
    pub fn requests(&mut self, asks: &[Ask]) -> Slice {
        let records: Vec<Record> = asks.iter().map(|ask| self.request(ask)).collect();
        self.arena.list(records)
    }

    fn request(&mut self, ask: &Ask) -> Record {
        let arena = &mut self.arena;
        let method = arena.text(if ask.method.is_empty() { "GET" } else { &ask.method });
        let (target, body) = (arena.text(&ask.target), arena.text(&ask.body));
        let headers = pairs(arena, &ask.headers);
        let mut credentials = Vec::new();
        for (scheme, secrets, settings) in &ask.credentials {
            let (scheme, secrets) = (arena.text(scheme), pairs(arena, secrets));
            let settings = pairs(arena, settings);
            credentials.push(Record::default().slice(scheme).slice(secrets).slice(settings));
        }
        let credentials = arena.list(credentials);
        let record = Record::default().word(ask.query).word(ask.endpoint).slice(method).slice(target);
        let record = record.slice(headers).slice(body).slice(credentials);
        record.byte(u8::from(ask.timeout_ms.is_some())).word(ask.timeout_ms.unwrap_or_default())
    }

    /// The component.
    ///
    /// # Panics
    /// When the instructions are no valid WebAssembly.
    #[allow(clippy::panic, reason = "a test that is wrong fails")]
    pub fn component(&self) -> Vec<u8> {
        let text = self.clone().module();
        let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        component(module).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn module(mut self) -> String {
        let info = self.info();
        let answer = self.answer();
        let (size, answer) = (answer.len(), self.arena.record(&answer));
        let list = self.room(8);
        let start =
            self.start.as_ref().map_or(String::new(), |start| format!("(func $begin {LOCALS} {start}) (start $begin)"));
        let Guest { describe, configure, poll, fields, arena, realloc, .. } = &self;
        let prelude = PRELUDE.replace(";; realloc", realloc);
        let (heap, pages) = (arena.end(), arena.end() / 65_536 + 1);
        format!(
            r#"(module
              {prelude}
              (memory $memory (export "memory") {pages})
              (global $heap (mut i32) (i32.const {heap}))
              (global $start i32 (i32.const {heap}))
              (data (i32.const {CONSTANTS}) "{constants}")
              {fields}
              {start}
              (func (export "windlass:scaler/polled@0.1.0#describe") (result i32) {LOCALS}
                {describe}
                (i32.const {info}))
              (func (export "windlass:scaler/polled@0.1.0#configure") (param $triggers i32) (param $count i32) (result i32) {LOCALS}
                {configure}
                (i32.store (i32.const {list}) (call $alloc (i32.mul (local.get $count) (i32.const {size})) (i32.const 8)))
                (i32.store offset=4 (i32.const {list}) (local.get $count))
                (block $all (loop $each
                  (br_if $all (i32.eq (local.get $i) (local.get $count)))
                  (memory.copy
                    (i32.add (i32.load (i32.const {list})) (i32.mul (local.get $i) (i32.const {size})))
                    (i32.const {answer}) (i32.const {size}))
                  (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br $each)))
                (i32.const {list}))
              (func (export "windlass:scaler/polled@0.1.0#poll") (param $now i64) (param $budget i32) (param $queries i32) (param $count i32) {LOCALS}
                {poll}))"#,
            constants = arena.escaped(),
        )
    }

    /// The record `info`.
    fn info(&mut self) -> u32 {
        let arena = &mut self.arena;
        let (name, version) = (arena.text(&self.name), arena.text("1.0.0"));
        let (triggers, needs) = (arena.texts(&self.triggers), arena.texts(&self.needs));
        let mut parameters = Vec::new();
        for declared in &self.parameters {
            let (name, doc, none) = (arena.text(&declared.name), arena.text(&declared.doc), Slice::default());
            let record =
                Record::default().slice(name).slice(none).byte(declared.shape).byte(u8::from(declared.required));
            let record = record.optional(None).slice(none).byte(declared.secrecy).byte(0b111);
            parameters.push(record.optional(None).slice(doc));
        }
        let parameters = arena.list(parameters);
        let record = Record::default().slice(name).slice(version).slice(triggers).slice(parameters);
        arena.record(&record.byte(0).slice(needs))
    }

    /// One `result<plan, list<problem>>`.
    fn answer(&mut self) -> Record {
        let arena = &mut self.arena;
        if !self.problems.is_empty() {
            let mut problems = Vec::new();
            for (parameter, message) in &self.problems {
                let parameter = parameter.as_ref().map(|parameter| arena.text(parameter));
                problems.push(Record::default().optional(parameter).slice(arena.text(message)));
            }
            let problems = arena.list(problems);
            let record = Record::default().byte(1).slice(problems);
            return (0..6).fold(record, |record, _| record.word(0));
        }
        let metrics = metrics_list(arena, self.metrics.as_deref().unwrap_or_default());
        let mut endpoints = Vec::new();
        for (parameter, host, port) in &self.endpoints {
            let parameter = parameter.as_ref().map(|parameter| arena.text(parameter));
            let record = Record::default().optional(parameter).slice(arena.text(host)).half(*port);
            // No TLS: its record stays zero.
            let tls = (0..17).fold(Record::default(), |record, _| record.word(0));
            endpoints.push(record.pad(4).byte(0).record(&tls, 4));
        }
        let endpoints = arena.list(endpoints);
        let group = arena.text(&self.group);
        let record = Record::default().byte(0).pad(4).byte(u8::from(self.metrics.is_none()));
        record.slice(metrics).slice(endpoints).slice(group).word(1)
    }
}

fn metrics_list(arena: &mut Arena, metrics: &[(String, f64, f64)]) -> Slice {
    let mut records = Vec::new();
    for (name, target, activation) in metrics {
        records.push(Record::default().slice(arena.text(name)).number(*target).number(*activation));
    }
    arena.list(records)
}

fn pairs(arena: &mut Arena, pairs: &[(String, String)]) -> Slice {
    let pairs: Vec<Record> = pairs
        .iter()
        .map(|(name, value)| {
            let name = arena.text(name);
            Record::default().slice(name).slice(arena.text(value))
        })
        .collect();
    arena.list(pairs)
}

/// A component of the contract from a core module that exports its functions.
///
/// # Errors
/// When the module does not fit the contract: why.
pub fn component(mut module: Vec<u8>) -> Result<Vec<u8>, String> {
    let told = |error| format!("{error:#}");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("scaler.wit", CONTRACT).map_err(told)?;
    let world = resolve.select_world(&[package], Some("scaler")).map_err(told)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).map_err(told)?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(&module).map_err(told)?;
    encoder.encode().map_err(told)
}
