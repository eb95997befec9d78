//! Components that are made to be dear to compile. All of them are scalers that would answer, were they ever compiled.
use crate::guest::Guest;

/// One function with many locals, all of which live across many joins: register allocation is worse than quadratic in it.
pub fn one_function(locals: usize, joins: usize) -> Vec<u8> {
    let declared = "i32 ".repeat(locals);
    let mut body = String::new();
    for join in 0..joins {
        let (a, b) = (join % locals, (join * 7 + 1) % locals);
        body.push_str(&format!(
            "(if (local.get {a}) (then (local.set {b} (i32.add (local.get {a}) (i32.const {join})))))"
        ));
    }
    let sum = (0..locals).map(|local| format!("(drop (local.get {local}))")).collect::<String>();
    let fields = format!("(func $bomb (local {declared}) {body} {sum})");
    Guest { fields, ..Guest::new("one-function") }.component()
}

/// So many small functions.
pub fn functions(count: usize) -> Vec<u8> {
    let fields = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(count);
    Guest { fields, ..Guest::new("functions") }.component()
}

/// Functions with as many locals as a function may have.
pub fn locals(functions: usize) -> Vec<u8> {
    let declared = "i64 ".repeat(49_000);
    let fields = format!("(func (param i64) (local {declared}) (local.set 48000 (local.get 0)))").repeat(functions);
    Guest { fields, ..Guest::new("locals") }.component()
}

/// Blocks in blocks.
pub fn nesting(depth: usize) -> Vec<u8> {
    let fields = format!("(func (param i32) {} {})", "block local.get 0 br_if 0 ".repeat(depth), "end ".repeat(depth));
    Guest { fields, ..Guest::new("nesting") }.component()
}

/// Tables of jumps, each to every block around it.
pub fn jumps(blocks: usize, tables: usize) -> Vec<u8> {
    let targets: String = (0..60_000).map(|target| format!("{} ", target % blocks)).collect();
    let table = format!("block local.get 0 br_table {targets} end ");
    let (open, close) = ("block ".repeat(blocks), "end ".repeat(blocks));
    let fields = format!("(func (param i32) {open} {} {close})", table.repeat(tables));
    Guest { fields, ..Guest::new("jumps") }.component()
}

/// A large piece of data, which the compiled form has too.
pub fn data(bytes: usize) -> Vec<u8> {
    let pages = bytes / 65_536 + 1;
    let fields = format!("(memory $vast {pages}) (data (memory $vast) (i32.const 0) \"{}\")", "x".repeat(bytes));
    Guest { fields, ..Guest::new("data") }.component()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A good component with another inside that is instantiated with it.
pub fn containing(name: &str, inner: &str) -> Vec<u8> {
    holding(Guest::new(name).component(), &wat::parse_str(inner).unwrap())
}

/// A component with another inside that is instantiated with it.
fn holding(mut wasm: Vec<u8>, inner: &[u8]) -> Vec<u8> {
    let mut inside = 0_usize;
    let mut components = 0_usize;
    for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } => inside += 1,
            wasmparser::Payload::ComponentSection { .. } => {
                components += usize::from(inside == 0);
                inside += 1;
            }
            wasmparser::Payload::End(_) => inside = inside.saturating_sub(1),
            _ => {}
        }
    }
    wasm.push(4);
    wasm.extend(leb(inner.len()));
    wasm.extend(inner);
    // One component instance: that component, without arguments.
    let instance = [vec![1, 0], leb(components), vec![0]].concat();
    wasm.push(5);
    wasm.extend(leb(instance.len()));
    wasm.extend(instance);
    wasm
}

/// Many modules, each instantiated.
pub fn modules(count: usize) -> Vec<u8> {
    let fields: String = (0..count)
        .map(|n| {
            format!(
                "(core module $m{n} (memory 1) (func (result i32) (i32.const {n}))) (core instance (instantiate $m{n}))"
            )
        })
        .collect();
    containing("modules", &format!("(component {fields})"))
}

/// Components in components, each instantiated.
pub fn components(depth: usize) -> Vec<u8> {
    let empty = wat::parse_str("(component)").unwrap();
    let inner = (0..depth).fold(empty.clone(), |inner, _| holding(empty.clone(), &inner));
    holding(Guest::new("components").component(), &inner)
}

/// Components that each instantiate the one before it twice.
pub fn instances(doublings: usize) -> Vec<u8> {
    let mut fields = "(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))".to_owned();
    for n in 1..=doublings {
        let before = n - 1;
        fields.push_str(&format!(
            "(component $c{n} (alias outer 1 $c{before} (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))"
        ));
    }
    containing("instances", &format!("(component {fields} (instance (instantiate $c{doublings})))"))
}

/// A type that doubles at each of so many steps.
pub fn types(doublings: usize) -> Vec<u8> {
    let mut fields = "(type $t0 (tuple u8 u8))".to_owned();
    for n in 1..=doublings {
        let before = n - 1;
        fields.push_str(&format!("(type $t{n} (tuple $t{before} $t{before}))"));
    }
    fields.push_str(&format!("(import \"f\" (func (param \"p\" $t{doublings})))"));
    // A component that is only a type's use; nobody instantiates it with an argument.
    containing("types", &format!("(component (component {fields}))"))
}

/// So many exported types.
pub fn exports(count: usize) -> Vec<u8> {
    let fields: String = (0..count)
        .map(|n| format!("(type $t{n} (record (field \"f{n}\" u32))) (export \"t{n}\" (type $t{n}))"))
        .collect();
    containing("exports", &format!("(component {fields})"))
}
