//! What comes from components, users and sources, spoiled. The cache's target is beside the cache.
use crate::limits::{Hits, Limits};
use crate::{Budget, Metrics, Override, Range, abi, clean, component, credential, egress, http, plan, shape};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use windlass_core::message::{Asked, QueryId};
use windlass_core::query::{Endpoint, MetricSpec, QueryPlan, ResolvedTrigger, Value};
use windlass_core::resolve::{ProcessKey, question};
use windlass_core::sample::Outcome;
use windlass_core::scaler::{Origin, Parameter, Scaler, Secrecy, Shape};
use windlass_core::{Digest, Mono, Now, Secret, Wall};
use windlass_testkit::guest::Guest;
use windlass_testkit::{Edits, mangled, mangled_text};

fn metrics() -> Metrics {
    Metrics::new(&mut prometheus_client::registry::Registry::default())
}

#[test]
fn wasm() {
    let nested =
        r#"(component (component $c (core module $m) (core instance (instantiate $m))) (instance (instantiate $c)))"#;
    let foreign = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let texts = [nested, foreign, "(module (func))"].map(|text| wat::parse_str(text).unwrap());
    let seeds = [&texts[..], &[Guest::new("good").component()]].concat();
    let (limits, metrics) = (Limits::default(), AssertUnwindSafe(metrics()));
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let wasm = mangled(&seeds, edits);
        let told = [component::inspect(&wasm).err(), shape::check(&wasm, &limits, &metrics).err()];
        for error in told.into_iter().flatten() {
            let error = error.to_string();
            assert!(error.len() < 1_024 && !error.chars().any(char::is_control), "{error:?}");
        }
    });
}

fn open(text: &str) -> Value {
    Value { text: Secret::new(text), secrecy: Secrecy::Open, from_authentication: false }
}

fn trigger(values: impl IntoIterator<Item = (&'static str, Value)>) -> ResolvedTrigger {
    ResolvedTrigger {
        kind: "fuzz".into(),
        domain: "ns".into(),
        values: values.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        extras: BTreeMap::new(),
        identity: None,
        bound: None,
        granted: None,
        owner: None,
    }
}

fn scaler() -> Scaler {
    let url = |name: &str, shape| Parameter {
        name: name.into(),
        aliases: Vec::new(),
        shape,
        required: false,
        initial: None,
        choices: Vec::new(),
        secrecy: Secrecy::Open,
        origin: Origin::default(),
        deprecated: None,
        doc: "".into(),
    };
    Scaler {
        digest: Digest([1; 32]),
        name: "fuzz".into(),
        version: "1".into(),
        triggers: vec!["fuzz".into()],
        parameters: vec![url("url", Shape::Url), url("hosts", Shape::Addresses)],
        open_ended: false,
        needs: Vec::new(),
    }
}

const HOSTS: [&str; 6] =
    ["queue.example", "10.0.0.1", "[2001:db8::1]", "QUEUE.example.", "169.254.169.254", "user@evil.example"];

#[test]
fn planned() {
    let (scaler, limits, hits) = (scaler(), Limits::default(), AssertUnwindSafe(Hits::new(metrics())));
    let trigger = trigger([
        ("url", open("https://user@queue.example:8080/a?b=c.example")),
        ("hosts", open("10.0.0.1:1,[2001:db8::1]:2")),
    ]);
    type Input = (Vec<(Edits, f64, f64)>, Vec<(Edits, u8, u16)>, Edits);
    bolero::check!().with_type::<Input>().for_each(|(metrics, endpoints, group)| {
        let metric = |(name, target, activation): &(Edits, f64, f64)| MetricSpec {
            name: mangled_text(&["queue-length", "a", "s0-b"], name).into(),
            target: *target,
            activation: *activation,
        };
        let endpoint = |(host, parameter, port): &(Edits, u8, u16)| Endpoint {
            parameter: ["url", "hosts", "other"].get(usize::from(*parameter) % 4).map(|name| (*name).into()),
            host: mangled_text(&HOSTS, host).into(),
            port: *port,
            tls: None,
        };
        let plan = QueryPlan {
            metrics: Some(metrics.iter().map(metric).collect()),
            endpoints: endpoints.iter().map(endpoint).collect(),
            group: mangled_text(&["", "group"], group).into(),
            requests: 1,
        };
        match plan::check(plan, &trigger, &scaler, &limits, &hits) {
            Ok(plan) => {
                assert!(plan.metrics.iter().flatten().all(|m| m.target.is_finite() && m.activation.is_finite()));
                for endpoint in &plan.endpoints {
                    let host = egress::canonical(&endpoint.host);
                    assert!(["queue.example", "10.0.0.1", "2001:db8::1"].contains(&&*host), "{host} was granted");
                }
            }
            Err(problems) => assert!(!problems.is_empty()),
        }
    });
}

#[test]
fn told() {
    let (scaler, limits, hits) = (scaler(), Limits::default(), AssertUnwindSafe(Hits::new(metrics())));
    let secret = Value { text: Secret::new("s3cret word"), secrecy: Secrecy::Revealed, from_authentication: true };
    let trigger = trigger([("password", secret)]);
    let secrets = clean::secrets([&trigger]);
    let now = Now { mono: Mono(1), wall: Wall(2) };
    type Input = (u8, Vec<f64>, Vec<u8>, Edits, (u8, u64));
    bolero::check!().with_type::<Input>().for_each(|(fixed, values, state, message, (case, number))| {
        let metric = MetricSpec { name: "value".into(), target: 1.0, activation: 0.0 };
        let fixed = usize::from(fixed % 4);
        let metrics = (fixed > 0).then(|| vec![metric; fixed]);
        let plan = QueryPlan { metrics, endpoints: Vec::new(), group: "".into(), requests: 1 };
        let question = Arc::new(question(&ProcessKey::new([7; 32]), &scaler, trigger.clone(), plan));
        let asked = Asked { id: QueryId { index: 0, generation: 0 }, question, state: Arc::from([]) };
        let reading = abi::types::Reading {
            values: values.clone(),
            active: None,
            observed_ms: Some(*number),
            next_ms: Some(*number),
            state: Some(state.repeat(300)),
            metrics: (case & 1 == 0).then(|| {
                let name = mangled_text(&["found"], message);
                vec![abi::types::Metric { name, target: values.first().copied().unwrap_or(1.0), activation: 0.0 }]
            }),
        };
        let failure = abi::types::Failure {
            kind: abi::types::FailureKind::Auth,
            message: mangled_text(&["login with s3cret word, ?key=s3cret%20word failed"], message),
            retry_after_ms: Some(*number),
        };
        let outcome = match case % 3 {
            0 => abi::types::Outcome::Ready(reading),
            1 => abi::types::Outcome::Failed(failure),
            _ => abi::types::Outcome::Pending(abi::types::Later { state: state.clone(), retry_ms: *number }),
        };
        match abi::outcome(outcome, &asked, &secrets, now, &limits, &hits) {
            Outcome::Ready(sample, state) => {
                let found = sample.metrics.as_ref().map_or(fixed, |metrics| metrics.len());
                assert_eq!((sample.values.len(), values.len()), (found, found));
                assert!(sample.values.iter().all(|value| value.0 >= 0));
                assert!(state.is_none_or(|state| state.len() <= limits.state_bytes));
            }
            Outcome::Failed(failure) => {
                let message = &failure.message;
                assert!(message.len() <= 256 && !message.chars().any(char::is_control), "{message:?}");
                assert!(!message.contains("s3cret word") && !message.contains("s3cret%20word"), "{message:?}");
            }
            Outcome::Pending { .. } => {}
        }
    });
}

#[test]
fn address() {
    let ranges = ["10.96.0.0/16", "fd00::/8", "192.168.1.1", "::ffff:10.0.0.1/104"];
    bolero::check!().with_type::<(Edits, Edits, u128)>().for_each(|(host, range, address)| {
        let host = mangled_text(&HOSTS, host);
        let canonical = egress::canonical(&host);
        if egress::is_host(&canonical) {
            assert_eq!(egress::canonical(&canonical), canonical, "{host:?} has two canonical forms");
        }
        if let Ok(range) = mangled_text(&ranges, range).parse::<Range>() {
            range.contains(std::net::Ipv6Addr::from(*address).into());
            range.contains(std::net::Ipv4Addr::from_bits(*address as u32).into());
        }
    });
}

#[test]
fn credentials() {
    let urls = ["https://reader:p%40ss@db.example/a?b#c", "redis://:word@[::1]:6379", "a://b@c@d:e/f", "no url"];
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let url = mangled_text(&urls, edits);
        let user = credential::user_part(&url);
        if let Some(rest) = credential::without_user(&url) {
            assert!(rest.len() <= url.len());
            assert_eq!(credential::user_part(&rest), None, "{url:?} without its user part is {rest:?}");
        } else {
            assert_eq!(user, None, "{url:?} has a user part and is no URL");
        }
        let encoded = credential::encoded(&url);
        assert!(encoded.is_ascii() && !encoded.contains(['&', '=', '#', ' ', '\r', '\n']), "{encoded:?}");
    });
}

#[test]
fn messages() {
    let secret = |text: &str| Value { text: Secret::new(text), secrecy: Secrecy::Sealed, from_authentication: true };
    let texts = ["token-a in token-ab, \u{1b}[2J at https://u:p%40ssword@h/x", "p@ssword p%40ssword token-ab"];
    let trigger =
        trigger([("a", secret("token-a")), ("ab", secret("token-ab")), ("url", secret("https://u:p%40ssword@h/x"))]);
    let secrets = clean::secrets([&trigger]);
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let text = mangled_text(&texts, edits);
        let told = clean::message(clean::beginning(&text), &secrets);
        assert!(told.len() <= 256 && !told.chars().any(char::is_control), "{told:?}");
        for word in ["token-a", "p@ssword", "p%40ssword"] {
            assert!(!told.contains(word), "{text:?} is told as {told:?}");
        }
    });
}

#[test]
fn headers() {
    let names = ["Accept", "x-api-key", "Host", "content-length", " te"];
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let name = mangled_text(&names, edits);
        if let Ok(header) = http::header_name(&name) {
            for own in ["host", "content-length", "transfer-encoding", "connection", "upgrade"] {
                assert_ne!(header.as_str(), own, "{name:?}");
            }
        }
    });
}

#[test]
fn overrides() {
    let texts = ["queue.example:8080,rate=5,burst=10,in-flight=2", "[::1]:6379,rate=0.5", "h,burst=1"];
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let text = mangled_text(&texts, edits);
        if let Ok(parsed) = text.parse::<Override>() {
            // One that is taken makes a budget that can be used.
            let budget = Budget { overrides: vec![parsed], ..Budget::default() };
            assert!(budget.rate > 0.0, "{text:?}");
        }
    });
}
