//! Locations and answers in every format, spoiled.
use crate::Format;
use crate::location::Location;
use windlass_testkit::{Edits, mangled_text};

/// Both are anybody's: what is read is a number, or it is said why not.
fn read(format: Format, locations: &[&str], bodies: &[&str]) {
    bolero::check!().with_type::<(Edits, Edits)>().for_each(|(location, body)| {
        let (location, body) = (mangled_text(locations, location), mangled_text(bodies, body));
        let Ok(parsed) = Location::parse(format, &location) else { return };
        match parsed.read(&body) {
            Ok(number) => assert!(number.is_finite(), "{location:?} of {body:?}"),
            Err(message) => assert!(message.len() < 4_096, "{} bytes on {location:?}", message.len()),
        }
    });
}

const JSON: [&str; 4] = [
    r#"{"queues":[{"name":"a","depth":5},{"name":"b","depth":"1.5k"}],"total":{"items":7}}"#,
    r#"[1,2,[3,{"a.b":{"c":4}}],null,true,"x\u00e9"]"#,
    "{\"a\":1}\n{\"a\":2}\n",
    "42",
];

#[test]
fn json() {
    let locations = [
        "queues.0.depth",
        "queues.#(name==\"b\").depth",
        "queues.#(depth>1)#.depth",
        "queues.#",
        "total|items",
        "..#.a",
        "@reverse.0",
        "a\\.b.c",
        "qu*s.?.depth",
    ];
    read(Format::Json, &locations, &JSON);
}

#[test]
fn yaml() {
    let bodies = ["queues:\n  - name: a\n    depth: 5\n", "a: &x [1, 2]\nb: *x\n", "- 1\n- {a: 2}\n", "--- 5\n...\n"];
    read(Format::Yaml, &["queues.0.depth", "a.1", "b.#"], &bodies);
}

#[test]
fn xml() {
    let bodies = [
        "<?xml version=\"1.0\"?><queues><queue name=\"a\"><depth>5</depth></queue><queue/></queues>",
        "<a><![CDATA[5]]></a>",
        "<a b=\"1\">&amp;&#53;</a>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
    ];
    read(Format::Xml, &["queues.queue.depth", "queues.queue[0].@name", "a.@b", "a"], &bodies);
}

#[test]
fn prometheus() {
    let bodies = [
        "# HELP depth Depth\n# TYPE depth gauge\ndepth{queue=\"a\",vhost=\"/\"} 5 1700000000000\ndepth 7\n",
        "h_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n",
        "x{y=\"\\\"\\n\\\\\"} NaN\n",
    ];
    read(Format::Prometheus, &["depth{queue=\"a\"}", "depth", "h_bucket{le=\"+Inf\"}", "x{y!=\"z\"}"], &bodies);
}
