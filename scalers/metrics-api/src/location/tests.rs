//! Locations against the libraries that KEDA uses, and against anything at all.
use super::Location;
use crate::Format;
use crate::quantity;
use proptest::prelude::*;

/// What Go's libraries find, in the versions that KEDA 2.20 has: gjson 1.19, yaml.v3, prometheus/common 0.70 with the selectors
/// of prometheus 0.314, apimachinery's Quantity. Format, answer, location, and the value or `error`.
const REFERENCE: &str = include_str!("../../tests/reference.tsv");

/// Where we differ from it on purpose: format, location (for quantities, the text), and what we find.
const DIFFERENT: [(&str, &str, &str); 6] = [
    // GJSON overlooks a pipe directly after `.#`.
    ("json", "friends.#.nets.#|0", "3"),
    // Where no item fits, it overlooks a pipe after what follows the query.
    ("json", "queues.#(name==\"x|y\")#.waiting|#", "0"),
    // A list as the document.
    ("yaml", "0", "1"),
    // A leading zero makes no octal number in YAML 1.2.
    ("yaml", "octal", "17"),
    // A number has digits.
    ("quantity", ".", "error"),
    ("quantity", "-", "error"),
];

#[test]
fn finds_what_the_reference_does() {
    let (mut failed, mut count) = (Vec::new(), 0);
    for line in REFERENCE.lines() {
        let [format, body, location, expected] = *line.split('\t').collect::<Vec<_>>() else { panic!("{line}") };
        let text = |quoted: &str| serde_json::from_str::<String>(quoted).unwrap();
        let (body, text) = (text(body), text(location));
        let found = match format {
            "quantity" => quantity::parse(&body).ok_or_else(String::new),
            format => read(of(format), &body, &text),
        };
        let told = found.clone();
        let found = found.map_or_else(|_| "error".to_owned(), |value| value.to_string());
        let number = |text: &str| text.parse::<f64>().map_err(|_| text.to_owned());
        count += 1;
        let expected = DIFFERENT
            .iter()
            .find(|(own, place, _)| *own == format && *place == if format == "quantity" { &body } else { &text })
            .map_or(expected, |(_, _, ours)| ours);
        if number(&found) != number(expected) {
            failed.push(format!("{line}: {told:?}"));
        }
    }
    assert!(failed.is_empty(), "{} of {count} differ:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 300, "{count}");
}

fn of(format: &str) -> Format {
    match format {
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        "xml" => Format::Xml,
        "prometheus" => Format::Prometheus,
        other => panic!("{other}"),
    }
}

fn read(format: Format, body: &str, location: &str) -> Result<f64, String> {
    Location::parse(format, location)?.read(body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A guest that panics takes its batch with it.
    #[test]
    fn never_panics_on_anything(body in any::<String>(), location in any::<String>()) {
        for format in [Format::Json, Format::Yaml, Format::Xml, Format::Prometheus] {
            let _ = read(format, &body, &location);
        }
        let _ = quantity::parse(&body);
    }

    #[test]
    fn never_panics_on_what_looks_right(
        body in "[\\[\\]{}<>/\"'#:,.=\\\\|&*!%@~ \n\t\\-a-c0-3eéEki_$?]{0,60}",
        location in r#"[.|#()\[\]{}"'`\\*?@!~=<>% abcé01,_:-]{0,30}"#,
    ) {
        for format in [Format::Json, Format::Yaml, Format::Xml, Format::Prometheus] {
            let _ = read(format, &body, &location);
        }
        let _ = quantity::parse(&body);
    }

    /// Paths over a document that has something at each turn.
    #[test]
    fn never_panics_on_any_path(path in r#"((a|b|\*|\?|0|1|#|@this|@keys|@values|@flatten|@reverse|@fromstr|#\((a|b|0)?(==|>|!=|%|<)?("a"|1|~true|~null|~\*)?\)#?)(\.|\||)){0,8}"#) {
        let body = r#"{"a":[{"a":1,"b":"a"},{"a":2,"b":[1,[2]]},3,null,true,"[1]"],"b":{"a":{"a":4},"b":"5k","é":{}}}"#;
        let _ = read(Format::Json, body, &path);
    }

    /// Whatever its name, a key is found by its name with every character escaped.
    #[test]
    fn finds_any_key(names in prop::collection::vec(".{1,8}", 1..5), number in any::<i32>()) {
        let mut body = number.to_string();
        for name in names.iter().rev() {
            body = format!("{{{}:{body}}}", serde_json::to_string(name).unwrap());
        }
        let escape = |name: &String| name.chars().flat_map(|c| ['\\', c]).collect::<String>();
        let path = names.iter().map(escape).collect::<Vec<_>>().join(".");
        prop_assert_eq!(read(Format::Json, &body, &path), Ok(f64::from(number)));
    }

    #[test]
    fn quantities_are_numbers_times_their_suffix(number in -1_000_000..1_000_000_i64) {
        for (suffix, factor) in [("", 1.0), ("k", 1e3), ("Ki", 1024.0), ("Mi", 1_048_576.0), ("e2", 100.0)] {
            prop_assert_eq!(quantity::parse(&format!("{number}{suffix}")), Some(number as f64 * factor));
        }
    }
}

/// Nesting as deep as an answer can have ends in an error, within the stack that a guest has.
#[test]
fn refuses_what_is_nested_deeply() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let bodies = [
        (Format::Json, deep("[", "]")),
        (Format::Json, deep("{\"a\":", "}")),
        (Format::Yaml, deep("[", "]")),
        (Format::Yaml, deep("{a: ", "}")),
        (Format::Yaml, (0..1_000).map(|depth| " ".repeat(depth) + "a:\n").collect()),
        (Format::Xml, deep("<a>", "</a>")),
    ];
    let read_all = move || {
        for (format, body) in &bodies {
            assert!(read(*format, body, "a").is_err());
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(read_all).unwrap().join().unwrap();
}

/// Aliases, entities and their like do not multiply an answer.
#[test]
fn refuses_what_multiplies() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        yaml += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
    }
    assert!(read(Format::Yaml, &yaml, "a9").unwrap_err().contains("cannot be read as YAML"));
    let xml = "<!DOCTYPE a [<!ENTITY x \"1\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>";
    assert!(read(Format::Xml, xml, "a").unwrap_err().contains("cannot be read as XML"));
}

/// What would take a batch's CPU time is refused before it does.
#[test]
fn refuses_large_yaml() {
    let list = |count: usize| format!("a: [{}1]", "1,".repeat(count));
    assert_eq!(read(Format::Yaml, &list(9_000), "a.8999"), Ok(1.0));
    assert!(read(Format::Yaml, &list(400_000), "a.0").unwrap_err().contains("over 10000 values"));
}
