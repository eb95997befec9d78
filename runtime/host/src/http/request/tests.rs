use super::*;
use crate::abi::types;
use crate::budget::tests::{endpoint, question};
use windlass_core::Secret;
use windlass_core::query::{Tls, Value};
use windlass_core::scaler::Secrecy;

fn asked() -> wit::Request {
    wit::Request {
        query: 0,
        endpoint: 0,
        method: "GET".to_owned(),
        target: "/api?q=1".to_owned(),
        headers: vec![("accept".to_owned(), "text/plain".to_owned())],
        body: Vec::new(),
        credentials: Vec::new(),
        timeout_ms: None,
    }
}

fn with(mut question: Question, name: &str, text: &str) -> Question {
    let value = Value { text: Secret::new(text), secrecy: Secrecy::Open, from_authentication: false };
    question.trigger.values.insert(name.into(), value);
    question
}

fn over_tls(verify: bool) -> Endpoint {
    let tls = Tls {
        upgrade: false,
        server_name: None,
        verify,
        ca: Some("ca".into()),
        certificate: None,
        key: None,
        key_password: None,
    };
    Endpoint { tls: Some(tls), ..endpoint("queue", 80) }
}

fn key_of(asked: wit::Request, question: &Question, endpoint: &Endpoint) -> Option<Key> {
    request(asked, question, endpoint).expect("a request").1
}

#[test]
fn namespaces_share_what_is_equal() {
    let at = endpoint("queue", 80);
    let one = key_of(asked(), &with(question("a", 1), "threshold", "5"), &at);
    let other = Endpoint { parameter: Some("url".into()), ..at };
    assert!(one.is_some());
    assert_eq!(one, key_of(asked(), &with(question("b", 1), "threshold", "7"), &other));
}

#[test]
fn whatever_changes_the_answer_is_not_shared() {
    let (question_, at) = (question("a", 1), endpoint("queue", 80));
    let mut all = vec![key_of(asked(), &question_, &at)];
    let mut add = |asked: wit::Request, question: &Question, at: &Endpoint| all.push(key_of(asked, question, at));
    add(asked(), &question("a", 2), &at);
    add(asked(), &question_, &endpoint("queue2", 80));
    add(asked(), &question_, &endpoint("queue", 81));
    add(wit::Request { method: "HEAD".to_owned(), ..asked() }, &question_, &at);
    add(wit::Request { target: "/api?q=2".to_owned(), ..asked() }, &question_, &at);
    add(wit::Request { body: b"x".to_vec(), ..asked() }, &question_, &at);
    add(wit::Request { headers: Vec::new(), ..asked() }, &question_, &at);
    add(wit::Request { headers: vec![("accept".to_owned(), "*/*".to_owned())], ..asked() }, &question_, &at);
    // The same fingerprint, as it were, but another token goes out.
    let token = |text| with(question("a", 1), "token", text);
    let credential = || types::Credential {
        scheme: "bearer".to_owned(),
        secrets: vec![("token".to_owned(), "token".to_owned())],
        settings: Vec::new(),
    };
    let authorized = || wit::Request { credentials: vec![credential()], ..asked() };
    add(authorized(), &token("one"), &at);
    add(authorized(), &token("two"), &at);
    let in_query = || {
        let settings = vec![("name".to_owned(), "key".to_owned())];
        let secrets = vec![("value".to_owned(), "token".to_owned())];
        let credential = types::Credential { scheme: "query".to_owned(), secrets, settings };
        wit::Request { credentials: vec![credential], ..asked() }
    };
    add(in_query(), &token("one"), &at);
    add(in_query(), &token("two"), &at);
    add(asked(), &question_, &over_tls(true));
    add(asked(), &question_, &over_tls(false));
    // One name, different authorities.
    add(asked(), &with(question("a", 1), "ca", "one"), &over_tls(true));
    add(asked(), &with(question("a", 1), "ca", "two"), &over_tls(true));
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert!(all.iter().all(Option::is_some));
    assert_eq!(different.len(), all.len());
}

#[test]
fn what_writes_and_what_wants_an_answer_of_its_own_is_not_shared() {
    let (question, at) = (question("a", 1), endpoint("queue", 80));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let asked = wit::Request { method: method.to_owned(), ..asked() };
        assert_eq!(key_of(asked, &question, &at), None, "{method}");
    }
    for (value, shared) in [("no-cache", false), ("max-age=0, No-Store", false), ("max-age=5", true)] {
        let headers = vec![("cache-control".to_owned(), value.to_owned())];
        assert_eq!(key_of(wit::Request { headers, ..asked() }, &question, &at).is_some(), shared, "{value}");
    }
}
