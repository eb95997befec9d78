//! `windlass scaler list`: which component serves each trigger of a cluster, since when, and how its object is.
use super::exit::{Ends, Exit, Stop};
use crate::args::{List, Output};
use crate::operator::registration::{BUNDLED, KEY, RECORD, Row, Standing};
use crate::style::{FAINT, ODD};
use crate::table;
use anyhow::{Context, anyhow};
use serde::Serialize;
use std::collections::BTreeMap;
use windlass_cluster::config_map;
use windlass_cluster::survey::{Surveyed, connect, namespaces, survey};
use windlass_core::Text;

/// Bytes of a digest that people tell components apart by.
const SHORT: usize = 12;

/// One trigger and what serves it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    namespace: String,
    name: String,
    trigger: usize,
    #[serde(rename = "type")]
    kind: String,
    /// What serves it; none: nothing is recorded that would.
    component: Option<Row>,
    /// Status of the object's Ready condition.
    ready: String,
    reason: String,
    message: String,
}

pub(super) async fn run(options: List) -> Result<Exit, Stop> {
    let client = connect(options.kubeconfig.clone()).await.ends(Exit::Outside)?;
    let home = &options.operator_namespace;
    let record = config_map::read(&client, home, RECORD, KEY).await;
    let record = record.with_context(|| format!("ConfigMap {RECORD} of {home}")).ends(Exit::Outside)?;
    let record = record.with_context(|| {
        format!(
            "no ConfigMap {RECORD} in {home}: is Windlass running there? Name its namespace by --operator-namespace"
        )
    });
    let rows: Vec<Row> = serde_json::from_str(&record.ends(Exit::Outside)?)
        .map_err(|error| anyhow!("ConfigMap {RECORD} of {home} is not of this version: {error}"))
        .ends(Exit::Outside)?;
    let objects = survey(&client, options.namespace.as_deref()).await.context("ScaledObjects").ends(Exit::Outside)?;
    let registered = match namespaces(&client).await {
        Ok(registered) => registered,
        Err(error) => {
            anstream::eprintln!("{ODD}warning{ODD:#}: annotations of namespaces are not known: {error}");
            BTreeMap::new()
        }
    };
    let served: Vec<Served> = objects.iter().flat_map(|object| triggers(object, &registered, &rows)).collect();
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&served).context("JSON")?),
        Output::Text => print(&served, &rows),
    }
    Ok(Exit::Fine)
}

fn triggers(object: &Surveyed, registered: &BTreeMap<String, BTreeMap<Text, Text>>, rows: &[Row]) -> Vec<Served> {
    let own = registered.get(&object.namespace);
    let [ready, reason, message] = object.ready.clone().unwrap_or_default();
    let served = |(trigger, kind): (usize, &String)| Served {
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        trigger,
        kind: kind.clone(),
        component: serving(object, own, kind, rows).cloned(),
        ready: ready.clone(),
        reason: reason.clone(),
        message: message.clone(),
    };
    let kinds = object.triggers.iter().enumerate();
    // Resource metrics are the HPA's.
    kinds.filter(|(_, kind)| !matches!(kind.as_str(), "cpu" | "memory")).map(served).collect()
}

/// What serves a trigger: the nearest registration, else what everybody has.
fn serving<'a>(object: &Surveyed, own: Option<&BTreeMap<Text, Text>>, kind: &str, rows: &'a [Row]) -> Option<&'a Row> {
    let serves = |row: &&Row| row.triggers.iter().any(|served| served == kind);
    match object.components.get(kind).or_else(|| own?.get(kind)) {
        Some(reference) => {
            let theirs = |row: &&Row| row.namespace.as_deref() == Some(&*object.namespace);
            rows.iter().filter(theirs).find(|row| row.reference == **reference)
        }
        None => {
            let mut everybodys = rows.iter().filter(|row| row.namespace.is_none()).filter(serves);
            // One that was registered stands before one that came with the operator.
            let bundled = everybodys.clone().find(|row| row.reference == BUNDLED);
            everybodys.find(|row| row.reference != BUNDLED).or(bundled)
        }
    }
}

fn print(served: &[Served], rows: &[Row]) {
    let head = ["NAMESPACE", "NAME", "TRIGGER", "COMPONENT", "DIGEST", "FROM", "SINCE", "STATE", "READY"];
    table::print(
        &head,
        served.iter().map(|served| {
            let row = served.component.as_ref();
            let told = |tell: fn(&Row) -> String| row.map_or_else(|| "-".to_owned(), tell);
            vec![
                served.namespace.clone(),
                served.name.clone(),
                format!("{} {}", served.trigger, served.kind),
                told(|row| format!("{} {}", row.name, row.version).trim().to_owned()),
                told(|row| row.component.as_deref().map_or("-", short).to_owned()),
                told(|row| row.reference.clone()),
                told(|row| row.since.clone().unwrap_or_else(|| "-".to_owned())),
                told(|row| row.state.as_str().to_owned()),
                if served.reason.is_empty() { "-".to_owned() } else { format!("{} {}", served.ready, served.reason) },
            ]
        }),
    );
    if served.is_empty() {
        println!("no ScaledObject has a trigger that asks an event source");
    }
    for row in rows.iter().filter(|row| row.state != Standing::Serving) {
        let whose = row.namespace.as_deref().unwrap_or("the cluster");
        let why = row.message.as_deref().unwrap_or("it is being fetched");
        anstream::println!("{FAINT}{} of {whose}:{FAINT:#} {}: {why}", row.reference, row.state.as_str());
    }
}

/// The begin of a digest.
fn short(digest: &str) -> &str {
    let hex = digest.trim_start_matches("sha256:");
    hex.get(..SHORT).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(namespace: Option<&str>, reference: &str, kind: &str) -> Row {
        let namespace = namespace.map(str::to_owned);
        Row { namespace, reference: reference.to_owned(), triggers: vec![kind.to_owned()], ..Row::default() }
    }

    #[test]
    fn the_nearest_registration_is_told() {
        let rows = [
            row(Some("a"), "oci://r.example/a:1", "queue"),
            row(Some("b"), "oci://r.example/a:1", "queue"),
            row(None, BUNDLED, "queue"),
            row(None, "oci://r.example/all:1", "queue"),
            row(None, BUNDLED, "cron"),
        ];
        let object = |namespace: &str, written: &[(&str, &str)]| Surveyed {
            namespace: namespace.to_owned(),
            name: "web".to_owned(),
            triggers: vec!["queue".to_owned(), "cpu".to_owned(), "cron".to_owned(), "none".to_owned()],
            components: written.iter().map(|(kind, to)| ((*kind).into(), (*to).into())).collect(),
            ready: None,
        };
        let registered = BTreeMap::from([(
            "b".to_owned(),
            BTreeMap::from([(Text::from("queue"), Text::from("oci://r.example/a:1"))]),
        )]);
        let told = |object: Surveyed| {
            let told = triggers(&object, &registered, &rows).into_iter();
            let place = |row: &Row| rows.iter().position(|known| known == row);
            told.map(|served| (served.trigger, served.component.as_ref().and_then(place))).collect::<Vec<_>>()
        };
        assert_eq!(told(object("a", &[("queue", "oci://r.example/a:1")])), [(0, Some(0)), (2, Some(4)), (3, None)]);
        assert_eq!(told(object("b", &[])), [(0, Some(1)), (2, Some(4)), (3, None)]);
        assert_eq!(told(object("a", &[])), [(0, Some(3)), (2, Some(4)), (3, None)]);
        assert_eq!(told(object("a", &[("queue", "oci://r.example/not-yet:1")]))[0], (0, None));
    }
}
