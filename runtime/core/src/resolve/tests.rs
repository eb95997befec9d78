use super::*;
use crate::binding::Binding;
use crate::failure::{Fault, Reason};
use crate::key::{Digest, TargetRef};
use crate::query::{Endpoint, MetricSpec, QueryPlan, Question};
use crate::scaler::Shape;
use crate::time::Wall;
use crate::workload::{Aim, Bounds, Declared, Engine, HpaOptions, Intake, Pause, Trigger};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const ANYWHERE: Origin = Origin { metadata: true, environment: true, authentication: true };
const METADATA: Origin = Origin { metadata: true, environment: false, authentication: false };

fn parameter(name: &str, shape: Shape) -> Parameter {
    Parameter {
        name: name.into(),
        aliases: Vec::new(),
        shape,
        required: false,
        initial: None,
        choices: Vec::new(),
        secrecy: Secrecy::Open,
        origin: ANYWHERE,
        deprecated: None,
        doc: "".into(),
    }
}

fn scaler(parameters: Vec<Parameter>) -> Scaler {
    Scaler {
        digest: Digest([7; 32]),
        name: "sample".into(),
        version: "1".into(),
        triggers: vec!["sample".into()],
        parameters,
        open_ended: false,
        needs: Vec::new(),
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<Text, Text> {
    pairs.iter().map(|(k, v)| (Text::from(*k), Text::from(*v))).collect()
}

fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<Text, Secret> {
    pairs.iter().map(|(k, v)| (Text::from(*k), Secret::new(*v))).collect()
}

fn trigger(metadata: BTreeMap<Text, Text>) -> DeclaredTrigger {
    let ask = Ask::External { metadata, aim: Aim::Average, cached: false };
    DeclaredTrigger { index: 0, kind: "sample".into(), name: None, ask, authentication: None }
}

/// Resolves, with metadata, environment and authentication given as pairs.
fn run(
    scaler: &Scaler,
    metadata: &[(&str, &str)],
    environment: &[(&str, &str)],
    authentication: &[(&str, &str)],
) -> Result<ResolvedTrigger, Vec<Problem>> {
    let material = Material {
        environment: Arc::new(secrets(environment)),
        authentication: secrets(authentication),
        ..Material::default()
    };
    let owner = WorkloadKey::scaled_object("shop", "orders");
    resolve(scaler, &trigger(texts(metadata)), &"shop".into(), &material, &owner)
}

fn value<'a>(resolved: &'a ResolvedTrigger, name: &str) -> Option<(&'a str, bool)> {
    resolved.values.get(name).map(|value| (value.text.expose(), value.from_authentication))
}

fn normal(shape: Shape, text: &str) -> Result<String, String> {
    match run(&scaler(vec![parameter("p", shape)]), &[("p", text)], &[], &[]) {
        Ok(resolved) => Ok(value(&resolved, "p").map(|(text, _)| text.to_owned()).unwrap_or_default()),
        Err(problems) => Err(problems[0].message.to_string()),
    }
}

#[test]
fn the_first_place_with_a_value_wins() {
    let scaler = scaler(vec![parameter("p", Shape::Text)]);
    let env = [("VAR", "from env")];
    let auth = [("p", "from auth")];
    let all = run(&scaler, &[("p", " plain "), ("pFromEnv", "VAR")], &env, &auth).unwrap();
    assert_eq!(value(&all, "p"), Some(("plain", false)));
    let blank = run(&scaler, &[("p", "  "), ("pFromEnv", "VAR")], &env, &auth).unwrap();
    assert_eq!(value(&blank, "p"), Some(("from env", true)));
    let unset = run(&scaler, &[("pFromEnv", "NO_SUCH")], &env, &auth).unwrap();
    assert_eq!(value(&unset, "p"), Some(("from auth", true)));
    let nothing = run(&scaler, &[], &[], &[]).unwrap();
    assert_eq!(value(&nothing, "p"), None);
}

#[test]
fn places_that_the_declaration_excludes_are_not_read() {
    let scaler = scaler(vec![
        Parameter { origin: METADATA, ..parameter("open", Shape::Text) },
        Parameter {
            origin: Origin { metadata: false, environment: false, authentication: true },
            ..parameter("password", Shape::Text)
        },
    ]);
    let resolved = run(
        &scaler,
        &[("openFromEnv", "VAR"), ("password", "in the clear"), ("passwordFromEnv", "VAR")],
        &[("VAR", "x")],
        &[("open", "y")],
    );
    assert_eq!(resolved.unwrap().values, BTreeMap::new());
}

#[test]
fn aliases_are_read_under_the_declared_name_in_each_place_before_the_next() {
    let p = Parameter { aliases: vec!["old".into(), "older".into()], ..parameter("p", Shape::Text) };
    let scaler = scaler(vec![p]);
    let both = run(&scaler, &[("older", "c"), ("old", "b")], &[], &[("p", "d")]).unwrap();
    assert_eq!(value(&both, "p"), Some(("b", false)));
    let env = run(&scaler, &[("oldFromEnv", "VAR")], &[("VAR", "e")], &[("p", "d")]).unwrap();
    assert_eq!(value(&env, "p"), Some(("e", true)));
}

#[test]
fn what_is_required_and_missing_is_told_with_every_way_to_give_it() {
    let scaler = scaler(vec![
        Parameter { required: true, ..parameter("address", Shape::Address) },
        Parameter { required: true, initial: Some("5".into()), ..parameter("length", Shape::Integer) },
        Parameter {
            required: true,
            origin: Origin { metadata: false, environment: false, authentication: true },
            ..parameter("token", Shape::Text)
        },
    ]);
    let problems = run(&scaler, &[("addressFromEnv", "REDIS"), ("token", "t0ken")], &[], &[]).unwrap_err();
    assert_eq!(problems.len(), 2, "the default is a value");
    assert_eq!(problems[0].parameter.as_deref(), Some("address"));
    for part in ["metadata.address", "metadata.addressFromEnv", "authenticationRef", "no value for REDIS"] {
        assert!(problems[0].message.contains(part), "{part} in {}", problems[0].message);
    }
    assert_eq!(problems[1].parameter.as_deref(), Some("token"));
    assert!(problems[1].message.contains("not read from metadata") && !problems[1].message.contains("t0ken"));
}

#[test]
fn deprecated_parameters_are_refused_only_when_set() {
    let p = Parameter { deprecated: Some("use `address`".into()), required: true, ..parameter("host", Shape::Text) };
    let scaler = scaler(vec![p]);
    assert!(run(&scaler, &[], &[], &[]).is_ok());
    let problems = run(&scaler, &[("host", "h")], &[], &[]).unwrap_err();
    assert!(problems[0].message.contains("use `address`"), "{}", problems[0].message);
}

#[test]
fn prefixed_parameters_take_every_name_with_the_prefix() {
    let scaler = scaler(vec![parameter("query.*", Shape::Text)]);
    let resolved = run(
        &scaler,
        &[("query.a", "1"), ("query.bFromEnv", "VAR"), ("query.", "x"), ("other", "y")],
        &[("VAR", "2")],
        &[("query.c", "3")],
    )
    .unwrap();
    let names: Vec<&str> = resolved.values.keys().map(|name| &**name).collect();
    assert_eq!(names, ["query.a", "query.b", "query.c"]);
    assert_eq!(value(&resolved, "query.b"), Some(("2", true)));
}

#[test]
fn extras_go_to_open_ended_components_alone() {
    let mut scaler = scaler(vec![parameter("address", Shape::Text), parameter("query.*", Shape::Text)]);
    let metadata =
        [("address", "a"), ("query.x", "q"), ("mine", " m "), ("keyFromEnv", "VAR"), ("noneFromEnv", "NO_SUCH")];
    let env = [("VAR", "k")];
    assert_eq!(run(&scaler, &metadata, &env, &[]).unwrap().extras, BTreeMap::new());
    scaler.open_ended = true;
    let extras = run(&scaler, &metadata, &env, &[]).unwrap().extras;
    assert_eq!(extras, secrets(&[("mine", "m"), ("keyFromEnv", "k")]));
}

#[test]
fn the_owner_goes_to_components_that_need_it() {
    let mut scaler = scaler(Vec::new());
    assert_eq!(run(&scaler, &[], &[], &[]).unwrap().owner, None);
    scaler.needs = vec!["owner".into()];
    assert_eq!(run(&scaler, &[], &[], &[]).unwrap().owner, Some(WorkloadKey::scaled_object("shop", "orders")));
}

#[test]
fn shapes_are_checked_and_normalised() {
    let good = [
        (Shape::Integer, "+05", "5"),
        (Shape::Integer, "-3", "-3"),
        (Shape::Number, "1e3", "1000"),
        (Shape::Number, "-0.0", "0"),
        (Shape::Number, ".5", "0.5"),
        (Shape::Boolean, "T", "true"),
        (Shape::Boolean, "0", "false"),
        (Shape::Duration, "1500", "1500"),
        (Shape::Duration, "1m30s", "90000"),
        (Shape::Duration, "1.5h", "5400000"),
        (Shape::Duration, "+.5s", "500"),
        (Shape::Duration, "1ns", "1"),
        (Shape::Duration, "2ms3us", "3"),
        (Shape::Duration, "0", "0"),
        (Shape::Duration, "1µs999µs", "1"),
        (Shape::Url, "http://host:9090/path?q=1", "http://host:9090/path?q=1"),
        (Shape::Url, "amqps://user:p%40ss@[::1]:5671/vhost", "amqps://user:p%40ss@[::1]:5671/vhost"),
        (Shape::Url, "https://host", "https://host"),
        (Shape::Address, "redis.shop.svc:6379", "redis.shop.svc:6379"),
        (Shape::Address, "[fe80::1]:1", "[fe80::1]:1"),
        (Shape::Addresses, " a:1 , b:2, ", "a:1,b:2"),
        (Shape::Texts, "x , y", "x,y"),
        (Shape::Pairs, "a = 1, b=c=d", "a=1,b=c=d"),
    ];
    for (shape, text, expected) in good {
        assert_eq!(normal(shape, text).as_deref(), Ok(expected), "{shape:?} {text}");
    }
    let bad = [
        (Shape::Integer, "5.0"),
        (Shape::Integer, "9223372036854775808"),
        (Shape::Number, "NaN"),
        (Shape::Number, "inf"),
        (Shape::Number, "1e999"),
        (Shape::Boolean, "yes"),
        (Shape::Duration, "-1s"),
        (Shape::Duration, "1.5"),
        (Shape::Duration, "1m30"),
        (Shape::Duration, "3 s"),
        (Shape::Duration, "300000000h"),
        (Shape::Duration, "99999999999999999999999999999999999999999999h"),
        (Shape::Duration, "18446744073709551616"),
        (Shape::Url, "host:9090"),
        (Shape::Url, "http://"),
        (Shape::Url, "http://user@:80/"),
        (Shape::Url, "http://host:99999"),
        (Shape::Url, "http://ho st"),
        (Shape::Url, "1http://host"),
        (Shape::Url, "http://[::1"),
        (Shape::Address, "host"),
        (Shape::Address, "host:0"),
        (Shape::Address, "host:+80"),
        (Shape::Address, ":80"),
        (Shape::Address, "::1:80"),
        (Shape::Address, "redis://host:80"),
        (Shape::Addresses, "a:1,b"),
        (Shape::Addresses, ","),
        (Shape::Pairs, "a"),
        (Shape::Pairs, "=b"),
    ];
    for (shape, text) in bad {
        assert!(normal(shape, text).is_err(), "{shape:?} {text}");
    }
}

#[test]
fn choices_apply_to_values_and_to_each_entry_of_a_list() {
    let choices = vec![Text::from("basic"), Text::from("tls")];
    let one = scaler(vec![Parameter { choices: choices.clone(), ..parameter("mode", Shape::Text) }]);
    assert!(run(&one, &[("mode", "tls")], &[], &[]).is_ok());
    let message = run(&one, &[("mode", "TLS")], &[], &[]).unwrap_err()[0].message.clone();
    assert!(message.contains("`TLS`") && message.contains("basic, tls"), "{message}");
    let many = scaler(vec![Parameter { choices, ..parameter("modes", Shape::Texts) }]);
    assert!(run(&many, &[("modes", "tls, basic")], &[], &[]).is_ok());
    assert!(run(&many, &[("modes", "tls, none")], &[], &[]).is_err());
}

#[test]
fn an_unreadable_authentication_is_a_problem() {
    let material = Material {
        fault: Some(Fault::new(Reason::AuthenticationNotFound, "no TriggerAuthentication keys")),
        ..Material::default()
    };
    let owner = WorkloadKey::scaled_object("shop", "orders");
    let problems =
        resolve(&scaler(Vec::new()), &trigger(BTreeMap::new()), &"shop".into(), &material, &owner).unwrap_err();
    assert!(problems[0].message.contains("no TriggerAuthentication keys"));
}

fn plan(group: &str, endpoints: Vec<Endpoint>) -> QueryPlan {
    let metrics = Some(vec![MetricSpec { name: "m".into(), target: 5.0, activation: 0.0 }]);
    QueryPlan { metrics, endpoints, group: group.into(), requests: 1 }
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { parameter: Some("address".into()), host: host.into(), port, tls: None }
}

#[test]
fn identities_follow_from_values_and_nothing_else() {
    let key = ProcessKey::new([1; 32]);
    let scaler = scaler(vec![
        parameter("address", Shape::Text),
        Parameter { secrecy: Secrecy::Sealed, ..parameter("password", Shape::Text) },
    ]);
    let ask = |metadata: &[(&str, &str)], auth: &[(&str, &str)]| run(&scaler, metadata, &[], auth).unwrap();
    let make =
        |resolved, group: &str, host: &str| question(&key, &scaler, resolved, plan(group, vec![endpoint(host, 1)]));
    let base = make(ask(&[("address", "a")], &[("password", "p")]), "g", "h");
    let same = make(ask(&[("address", " a"), ("ignored", "x")], &[("password", "p")]), "g", "h");
    assert_eq!((base.identity, base.source, base.secrets), (same.identity, same.source, same.secrets));

    let other_open = make(ask(&[("address", "b")], &[("password", "p")]), "g", "h");
    assert_ne!(base.identity, other_open.identity);
    assert_eq!((base.source, base.secrets), (other_open.source, other_open.secrets));

    let other_secret = make(ask(&[("address", "a")], &[("password", "q")]), "g", "h");
    assert_ne!(base.identity, other_secret.identity);
    assert_ne!(base.secrets, other_secret.secrets);
    assert_ne!(base.source, other_secret.source);

    let other_origin = make(ask(&[], &[("address", "a"), ("password", "p")]), "g", "h");
    assert_ne!(base.identity, other_origin.identity, "an authentication may be bound to hosts");
    let resolved = || ask(&[("address", "a")], &[("password", "p")]);
    assert_ne!(base.identity, make(resolved(), "g2", "h").identity);
    assert_ne!(base.identity, make(resolved(), "g", "h2").identity);
    assert_ne!(base.source, make(resolved(), "g", "h2").source);
    let elsewhere = ResolvedTrigger { domain: "other".into(), ..resolved() };
    let elsewhere = make(elsewhere, "g", "h");
    assert_ne!(base.identity, elsewhere.identity);
    assert_eq!(base.source, elsewhere.source, "one source, whoever asks");
    let reborn = question(&ProcessKey::new([2; 32]), &scaler, resolved(), plan("g", vec![endpoint("h", 1)]));
    assert_ne!(base.identity, reborn.identity);
}

#[test]
fn what_secrets_are_bound_to_makes_another_question_in_another_batch_of_the_same_secrets() {
    let key = ProcessKey::new([1; 32]);
    let scaler = scaler(vec![parameter("password", Shape::Text)]);
    let make = |list: Option<&str>| {
        let bound = list.map(|list| Arc::new(Binding::parse("login", list).unwrap()));
        let material = Material { authentication: secrets(&[("password", "p")]), bound, ..Material::default() };
        let owner = WorkloadKey::scaled_object("shop", "orders");
        let resolved = resolve(&scaler, &trigger(BTreeMap::new()), &"shop".into(), &material, &owner).unwrap();
        question(&key, &scaler, resolved, plan("g", vec![endpoint("h", 1)]))
    };
    let (free, bound, same, wider) = (make(None), make(Some("h")), make(Some(" H.")), make(Some("h, i")));
    assert_eq!((bound.identity, bound.source), (same.identity, same.source));
    assert_eq!(free.secrets, wider.secrets);
    for (one, other) in [(&free, &bound), (&bound, &wider)] {
        assert_ne!(one.identity, other.identity);
        assert_ne!(one.source, other.source);
    }
}

#[test]
fn two_paths_of_one_server_are_one_source() {
    let key = ProcessKey::new([1; 32]);
    let url = |secrecy| Parameter { secrecy, ..parameter("url", Shape::Url) };
    let make = |secrecy, text: &str| {
        let scaler = scaler(vec![url(secrecy)]);
        let resolved = run(&scaler, &[("url", text)], &[], &[]).unwrap();
        question(&key, &scaler, resolved, plan("g", vec![endpoint("h", 1)]))
    };
    let sealed = |text| make(Secrecy::Sealed, text);
    let base = sealed("http://u:p@h:1/a");
    assert_eq!(base.secrets, sealed("http://u:p@h:1/b#c").secrets);
    assert_eq!(base.source, sealed("http://u:p@h:1").source);
    assert_ne!(base.identity, sealed("http://u:p@h:1/b").identity);
    assert_eq!(sealed("http://h:1/a").secrets, sealed("http://h:1/b").secrets);
    for other in ["http://u:q@h:1/a", "http://v:p@h:1/a", "http://h:1/a", "http://u:p@h:1/a?key=1", "http://h:1/u:p@a"]
    {
        assert_ne!(base.secrets, sealed(other).secrets, "{other}");
        assert_ne!(base.source, sealed(other).source, "{other}");
    }
    assert_ne!(sealed("http://h:1/?key=1").secrets, sealed("http://h:1/?key=2").secrets);
    // What the guest has logged in with counts as a whole.
    let revealed = |text| make(Secrecy::Revealed, text);
    assert_ne!(revealed("http://u:p@h:1/a").secrets, revealed("http://u:p@h:1/b").secrets);
}

#[test]
fn neighbouring_values_cannot_be_mixed_up() {
    let key = ProcessKey::new([1; 32]);
    let scaler = scaler(vec![parameter("a", Shape::Text), parameter("b", Shape::Text)]);
    let make = |a: &str, b: &str| {
        question(&key, &scaler, run(&scaler, &[("a", a), ("b", b)], &[], &[]).unwrap(), plan("", Vec::new())).identity
    };
    assert_ne!(make("xy", "z"), make("x", "yz"));
}

fn declared(triggers: Vec<DeclaredTrigger>) -> Declared {
    Declared {
        key: WorkloadKey::scaled_object("shop", "orders"),
        uid: "u".into(),
        generation: 1,
        created: Wall(0),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        target: TargetRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            resource: "deployments".into(),
            name: "orders".into(),
        },
        env_container: None,
        bounds: Bounds { min: 0, max: 10, idle: None },
        poll: Duration::from_secs(30),
        cooldown: Duration::from_secs(300),
        initial_cooldown: Duration::ZERO,
        triggers,
        pause: Pause::default(),
        force_active: false,
        hpa: HpaOptions { name: "keda-hpa-orders".into(), named: false, behavior: None },
        engine: Engine::Hpa,
        restore_original: false,
    }
}

fn intake(triggers: Vec<DeclaredTrigger>) -> Intake {
    let materials = triggers.iter().map(|_| Material::default()).collect();
    Intake { declared: Arc::new(declared(triggers)), materials, fault: None }
}

fn asked(plan: QueryPlan) -> Result<Arc<Question>, Fault> {
    let scaler = scaler(Vec::new());
    Ok(Arc::new(question(&ProcessKey::new([1; 32]), &scaler, run(&scaler, &[], &[], &[]).unwrap(), plan)))
}
#[test]
fn a_workload_keeps_its_triggers_in_order() {
    let mut second = trigger(BTreeMap::new());
    second.index = 1;
    let workload = workload(
        &intake(vec![trigger(BTreeMap::new()), second]),
        vec![asked(plan("", vec![endpoint("h", 1)])), Err(Fault::new(Reason::UnknownTriggerType, "nobody"))],
    );
    assert_eq!(workload.fault, None);
    let Trigger::External { metrics, .. } = &workload.triggers[0] else { panic!("{:?}", workload.triggers[0]) };
    assert_eq!(metrics[0].name.to_string(), "s0-m");
    assert_eq!(metrics[0].target, crate::milli::Milli(5000));
    assert!(
        matches!(&workload.triggers[1], Trigger::Unusable { index: 1, fault } if fault.reason == Reason::UnknownTriggerType)
    );
}

#[test]
fn a_trigger_without_an_answer_or_with_unreadable_authentication_is_unusable() {
    let mut intake = intake(vec![trigger(BTreeMap::new())]);
    assert!(matches!(&workload(&intake, Vec::new()).triggers[0], Trigger::Unusable { .. }));
    intake.materials[0].fault = Some(Fault::new(Reason::AuthenticationNotFound, "gone"));
    let workload = workload(&intake, vec![asked(plan("", Vec::new()))]);
    assert!(
        matches!(&workload.triggers[0], Trigger::Unusable { fault, .. } if fault.reason == Reason::AuthenticationNotFound)
    );
}

#[test]
fn metrics_need_usable_numbers_and_names_of_their_own() {
    let spec = |name: &str, target, activation| MetricSpec { name: name.into(), target, activation };
    for target in [0.0, -1.0, 0.0004, f64::NAN, f64::INFINITY, 1e300] {
        assert!(metrics(0, &[spec("m", target, 0.0)]).is_err(), "{target}");
    }
    assert!(metrics(0, &[spec("m", 0.001, f64::NAN)]).is_err());
    assert!(metrics(0, &[]).is_err());
    assert!(metrics(0, &[spec("a.b", 1.0, 0.0), spec("a-b", 1.0, 0.0)]).is_err(), "equal once normalised");
    assert_eq!(metrics(3, &[spec("a", 1.5, 2.0), spec("b", 1.0, 0.0)]).unwrap().len(), 2);
}

#[test]
fn rules_over_all_triggers_fail_the_workload() {
    let named =
        |index, name: Option<&str>| DeclaredTrigger { index, name: name.map(Text::from), ..trigger(BTreeMap::new()) };
    let answers = || vec![asked(plan("", vec![endpoint("h", 1)])), asked(plan("", vec![endpoint("h", 1)]))];
    let twice = workload(&intake(vec![named(0, Some("a")), named(1, Some("a"))]), answers());
    assert!(twice.fault.is_some_and(|fault| fault.message.contains("spec.triggers[1].name")));
    assert_eq!(workload(&intake(vec![named(0, None), named(1, None)]), answers()).fault, None);
    assert_eq!(workload(&intake(vec![named(0, Some("")), named(1, Some(""))]), answers()).fault, None);

    let cached = DeclaredTrigger {
        ask: Ask::External { metadata: BTreeMap::new(), aim: Aim::Average, cached: true },
        ..trigger(BTreeMap::new())
    };
    let with_source = workload(&intake(vec![cached.clone()]), vec![asked(plan("", vec![endpoint("h", 1)]))]);
    assert_eq!(with_source.fault, None);
    let without = workload(&intake(vec![cached]), vec![asked(plan("", Vec::new()))]);
    assert!(without.fault.is_some_and(|fault| fault.message.contains("useCachedMetrics")));
}

fn any_shape() -> impl Strategy<Value = Shape> {
    proptest::sample::select(vec![
        Shape::Text,
        Shape::Integer,
        Shape::Number,
        Shape::Boolean,
        Shape::Duration,
        Shape::Url,
        Shape::Address,
        Shape::Addresses,
        Shape::Texts,
        Shape::Pairs,
    ])
}

prop_compose! {
    fn any_parameter()(
        name in "(a|b|query\\.\\*|FromEnv|\\*|)",
        aliases in proptest::collection::vec("(c|aFromEnv|)", 0..2),
        shape in any_shape(),
        (metadata, environment, authentication, required) in any::<(bool, bool, bool, bool)>(),
        initial in proptest::option::of("\\PC{0,8}"),
        choices in proptest::collection::vec("[a-z]{0,2}", 0..2),
        secrecy in proptest::sample::select(vec![Secrecy::Open, Secrecy::Sealed, Secrecy::Revealed]),
    ) -> Parameter {
        Parameter {
            aliases: aliases.into_iter().map(Text::from).collect(),
            required,
            initial: initial.map(Text::from),
            choices: choices.into_iter().map(Text::from).collect(),
            secrecy,
            origin: Origin { metadata, environment, authentication },
            ..parameter(&name, shape)
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_written_panics(
        parameters in proptest::collection::vec(any_parameter(), 0..4),
        metadata in proptest::collection::btree_map("(a|b|c|query\\.x|aFromEnv|query\\.FromEnv|FromEnv|)", "(V|[0-9.:,=hms/@\\[\\]-]{0,12}|\\PC{0,12})", 0..6),
        open_ended in any::<bool>(),
        environment in proptest::collection::btree_map("(V|)", "\\PC{0,8}", 0..2),
        authentication in proptest::collection::btree_map("(a|b|query\\.y|)", "\\PC{0,8}", 0..3),
    ) {
        let mut scaler = scaler(parameters);
        scaler.open_ended = open_ended;
        let pairs = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (Text::from(&**k), Secret::new(&**v))).collect();
        let material = Material {
            environment: Arc::new(pairs(&environment)),
            authentication: pairs(&authentication),
            ..Material::default()
        };
        let metadata = metadata.iter().map(|(k, v)| (Text::from(&**k), Text::from(&**v))).collect();
        let owner = WorkloadKey::scaled_object("n", "o");
        match resolve(&scaler, &trigger(metadata), &"n".into(), &material, &owner) {
            Ok(resolved) => prop_assert!(resolved.values.values().all(|value| !value.text.expose().is_empty())),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }

    #[test]
    fn durations_of_any_text_end(text in "[0-9.]{0,25}(ns|us|ms|s|m|h|)[0-9.]{0,25}(ns|us|ms|s|m|h|)") {
        if let Ok(ms) = normal(Shape::Duration, &text) {
            prop_assert!(ms.is_empty() || ms.parse::<u64>().is_ok());
        }
    }

    #[test]
    fn normal_forms_are_stable(shape in any_shape(), text in "[a-z0-9.:,=/ TF-]{1,20}") {
        if let Ok(once) = normal(shape, &text) && !once.is_empty() {
            prop_assert_eq!(normal(shape, &once), Ok(once));
        }
    }

    #[test]
    fn problems_never_repeat_a_secret(shape in any_shape(), secret in "#[A-Z]{6,30}", sealed in any::<bool>()) {
        let secrecy = if sealed { Secrecy::Sealed } else { Secrecy::Open };
        let choices = vec![Text::from("none of them")];
        let scaler = scaler(vec![Parameter { secrecy, choices, ..parameter("p", shape) }]);
        // A sealed value may even stand in the metadata; an open one may come from an authentication or the environment.
        let problems = if sealed {
            run(&scaler, &[("p", &secret)], &[], &[])
        } else if secret.len() % 2 == 0 {
            run(&scaler, &[("pFromEnv", "V")], &[("V", &secret)], &[])
        } else {
            run(&scaler, &[], &[], &[("p", &secret)])
        };
        let problems = problems.unwrap_err();
        let told = format!("{problems:?}");
        prop_assert!(!told.contains(&*secret), "{}", told);
    }
}
