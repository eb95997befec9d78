//! What is declared, and what is read.
use std::time::Duration;
use windlass_sdk::field::{Origin, Parameter};
use windlass_sdk::http_auth::{AuthMode, HttpAuth};
use windlass_sdk::testing::{configure, describe, trigger};
use windlass_sdk::{
    Address, Choice, Context, Failure, Local, LocalScaler, Pairs, Parameters, Plan, Prefixed, Problem, Reading,
    Revealed, Scaler, Sealed, Secrecy, Shape, Trigger, Url, Values,
};

#[derive(Choice, Clone, Copy, Debug, PartialEq)]
enum Mode {
    LongName,
    #[choice(name = "other-name")]
    Other,
}

#[derive(Parameters, Debug)]
struct Everything {
    /// Where it is.
    ///
    /// And how.
    server_address: Url,
    #[parameter(sealed, from(metadata, authentication))]
    hidden_url: Option<Url>,
    #[parameter(name = "ports", default = "1,2")]
    texts: Vec<String>,
    peers: Option<Vec<Address>>,
    #[parameter(default = "5")]
    threshold: f64,
    #[parameter(aliases("count", "n"))]
    number: Option<u16>,
    #[parameter(default = "false")]
    enable: bool,
    timeout: Option<Duration>,
    #[parameter(default = "longName")]
    mode: Mode,
    #[parameter(from(authentication))]
    password: Option<Sealed>,
    #[parameter(from(environment, authentication))]
    login: Option<Revealed>,
    headers: Option<Pairs>,
    #[parameter(name = "query.*")]
    queries: Prefixed,
    #[parameter(choices("a", "b"))]
    letter: Option<String>,
    #[parameter(deprecated = "use threshold")]
    limit: Option<String>,
    #[parameter(flatten)]
    auth: HttpAuth,
}

struct Any;

impl Scaler for Any {
    const NAME: &'static str = "any";
    type Parameters = Everything;
    type Transport = Local;

    fn configure(parameters: &Everything, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        let problems = parameters.auth.check();
        if problems.is_empty() { Ok(Plan::metric("any", 1.0, 0.0)) } else { Err(problems) }
    }
}

impl LocalScaler for Any {
    fn read(_: &Everything, _: &Context<'_>) -> Result<Reading, Failure> {
        Ok(Reading::value(1.0))
    }
}

fn declared(name: &str) -> Parameter {
    Everything::declare().into_iter().find(|parameter| parameter.name == name).expect(name)
}

fn read(metadata: &[(&str, &str)], authentication: &[(&str, &str)]) -> Everything {
    let mut all = vec![("serverAddress", "https://user:word@host:8443/base?x=1")];
    all.extend(metadata);
    Everything::read(&Values::of(&trigger::<Any>(&all, authentication).expect("resolved"))).expect("read")
}

#[test]
fn the_declaration_follows_from_the_field() {
    let server = declared("serverAddress");
    assert_eq!((server.shape, server.required, server.secrecy), (Shape::Url, true, Secrecy::Open));
    assert_eq!(server.doc, "Where it is. And how.");
    assert_eq!(server.origin, Origin::METADATA);
    let number = declared("number");
    assert_eq!(
        (number.shape, number.required, number.aliases),
        (Shape::Integer, false, vec!["count".into(), "n".into()])
    );
    let threshold = declared("threshold");
    assert_eq!((threshold.required, threshold.initial), (false, Some("5".into())));
    assert_eq!(declared("mode").choices, ["longName", "other-name"]);
    assert_eq!(declared("letter").choices, ["a", "b"]);
    assert_eq!(declared("peers").shape, Shape::Addresses);
    assert_eq!(declared("password").secrecy, Secrecy::Sealed);
    assert_eq!(
        (declared("login").secrecy, declared("login").origin),
        (Secrecy::Revealed, Origin::ENVIRONMENT | Origin::AUTHENTICATION)
    );
    assert_eq!(declared("limit").deprecated.as_deref(), Some("use threshold"));
    assert_eq!(declared("authModes").choices, ["apiKey", "basic", "tls", "bearer", "custom", "oauth"]);
    assert_eq!(describe::<Any>().triggers, ["any"]);
}

#[test]
fn values_become_types() {
    let read = read(
        &[
            ("peers", "a:1, [::1]:2,"),
            ("count", "7"),
            ("enable", "T"),
            ("timeout", "1m30s"),
            ("mode", "other-name"),
            ("headers", "X-A = b=c , d=e"),
            ("query.a", "up"),
            ("query.b", "down"),
        ],
        &[("password", "secret"), ("login", "me"), ("hiddenUrl", "https://a:b@c/d")],
    );
    assert_eq!((read.server_address.host.as_str(), read.server_address.port), ("host", Some(8443)));
    assert_eq!(read.texts, ["1", "2"]);
    let peers: Vec<_> = read.peers.unwrap().into_iter().map(|peer| (peer.parameter, peer.host, peer.port)).collect();
    assert_eq!(peers, [("peers".into(), "a".into(), 1), ("peers".into(), "::1".into(), 2)]);
    assert_eq!((read.number, read.enable, read.timeout), (Some(7), true, Some(Duration::from_secs(90))));
    assert_eq!((read.mode, read.threshold), (Mode::Other, 5.0));
    assert_eq!((read.letter, read.limit), (None, None));
    assert_eq!(read.password.unwrap().parameter(), "password");
    assert_eq!(read.headers.unwrap().0, [("X-A".into(), "b=c".into()), ("d".into(), "e".into())]);
    assert_eq!(read.queries.0, [("a".into(), "up".into()), ("b".into(), "down".into())]);
    assert_eq!(format!("{:?}", read.login), "Some(Revealed(…))");
    assert_eq!(read.login.unwrap().expose(), "me");
    assert!(!read.hidden_url.unwrap().has_user, "the host keeps the user part");
}

#[test]
fn all_problems_are_told_at_once_by_name() {
    let value = |name: &str, text: &str| windlass_sdk::field::Value { name: name.into(), text: Some(text.into()) };
    let values = [
        value("number", "70000"),
        value("mode", "x"),
        value("threshold", "nan"),
        value("ports", "a"),
        value("enable", "false"),
    ];
    let trigger = Trigger { kind: "any".into(), values: values.into(), extras: vec![], identity: None, owner: None };
    let problems = Everything::read(&Values::of(&trigger)).unwrap_err();
    let names: Vec<_> = problems.iter().filter_map(|problem| problem.parameter.as_deref()).collect();
    assert_eq!(names, ["serverAddress", "threshold", "number", "mode", "method"]);
    assert_eq!(problems[2].message, "is not an integer between 0 and 65535");
}

#[test]
fn authentication_is_checked_and_becomes_credentials() {
    let url = ("serverAddress", "http://host");
    let problems = |modes: &str, authentication: &[(&str, &str)]| -> Vec<String> {
        let trigger = trigger::<Any>(&[url, ("authModes", modes)], authentication).expect("resolved");
        let problems = configure::<Any>(&trigger).err().unwrap_or_default();
        problems.into_iter().filter_map(|problem| problem.parameter).collect()
    };
    assert_eq!(problems("bearer", &[]), ["bearerToken"]);
    assert_eq!(problems("bearer", &[("token", "t")]), [""; 0]);
    assert_eq!(
        problems("tls,custom,apiKey", &[("cert", "c")]),
        ["key", "customAuthHeader", "customAuthValue", "apiKey"]
    );
    assert_eq!(problems("basic,bearer", &[("username", "u"), ("token", "t")]), ["authModes"]);
    assert_eq!(problems("oauth", &[]), ["authModes"]);

    let read = read(
        &[("authModes", "basic, tls,apiKey,custom"), ("apiKey", "k"), ("method", "query")],
        &[
            ("username", "u"),
            ("password", "p"),
            ("cert", "c"),
            ("key", "k"),
            ("customAuthHeader", "h"),
            ("customAuthValue", "v"),
        ],
    );
    assert!(read.auth.enabled(AuthMode::Tls));
    let credentials = read.auth.credentials();
    let secrets = |index: usize| -> Vec<(&str, &str)> {
        credentials[index].secrets.iter().map(|(role, name)| (&**role, &**name)).collect()
    };
    assert_eq!(
        credentials.iter().map(|credential| &*credential.scheme).collect::<Vec<_>>(),
        ["basic", "header", "query"]
    );
    assert_eq!(secrets(0), [("username", "username"), ("password", "password")]);
    assert_eq!(secrets(1), [("name", "customAuthHeader"), ("value", "customAuthValue")]);
    assert_eq!((secrets(2), &*credentials[2].settings[0].1), (vec![("value", "apiKey")], "api_key"));
    let tls = read.auth.tls(false);
    assert_eq!(
        (tls.verify, tls.certificate.as_deref(), tls.key.as_deref(), tls.ca),
        (false, Some("cert"), Some("key"), None)
    );
}
