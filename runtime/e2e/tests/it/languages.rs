//! A scaler of every language, as its project's template builds it: asked, published, registered, and swapped while it serves.
use crate::registration::{push_file, registering};
use crate::windlass::{Windlass, text};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windlass_e2e::{Folder, Registry, RegistryAccess, scaler, target};
use windlass_testkit::ScriptedHttp;

/// The languages that have an SDK, and C++ against the bare contract.
const LANGUAGES: [&str; 6] = ["rust", "go", "js", "python", "c", "cpp"];

/// The component of a project: 1 as it was made, 2 with another default of its target (2 instead of 5).
fn component(language: &str, version: u8) -> Result<PathBuf> {
    let file = target().join(format!("languages/{language}-{version}.wasm"));
    ensure!(file.is_file(), "{} is missing: run `cargo xtask test --only languages`", file.display());
    Ok(file)
}

/// One poll by the command that people use.
fn poll(folder: &Folder, language: &str, metadata: &Value) -> Result<Value> {
    let trigger = json!({ "type": format!("{language}-queue"), "metadata": metadata });
    let trigger = folder.write("trigger.json", trigger.to_string())?.display().to_string();
    let file = component(language, 1)?.display().to_string();
    let cache = target().join("e2e/compiled").display().to_string();
    let arguments = ["poll", "--output=json", "--trigger", &trigger, "--component", &file, "--cache", &cache];
    let ran = scaler(folder, None, &arguments)?;
    ensure!(ran.told.is_object(), "{language}: {}", ran.text);
    Ok(ran.told)
}

#[tokio::test]
async fn every_language_goes_from_a_project_to_a_workload_and_is_swapped_while_it_serves() -> Result<()> {
    let windlass = Windlass::beside("languages").await?;
    let registry = Registry::start(RegistryAccess::Open).await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(10.0);
    let kind = |language: &str| format!("{language}-queue");
    let at = |language: &str| registry.reference(&format!("open/{language}-queue:1"));
    let push = |language: &str, version| push_file(registry.folder(), &component(language, version)?, &at(language));
    for language in LANGUAGES {
        push(language, 1)?;
        windlass.deployment(language, 0).await?;
        let trigger = json!({ "type": kind(language), "metadata": { "url": source.url() } });
        let spec = json!({ "pollingInterval": 1, "triggers": [trigger] });
        windlass.scale_with(language, registering(&kind(language), &at(language)), spec).await?;
    }
    // 10 items, 5 for each replica.
    for language in LANGUAGES {
        windlass.wait_replicas(language, 2).await.context(language)?;
        windlass.wait_ready(language).await?;
    }

    let done = AtomicBool::new(false);
    let read = async {
        let mut reads = 0;
        while !done.load(Ordering::Relaxed) {
            for language in LANGUAGES {
                let told = windlass.metric(&format!("s0-{language}-queue-value"), language).await?;
                ensure!(told == (200, Some("10".to_owned())), "{language}: {told:?}");
                reads += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(reads)
    };
    let swap = async {
        let swapped = async {
            for language in LANGUAGES {
                push(language, 2)?;
            }
            for language in LANGUAGES {
                windlass.wait_replicas(language, 5).await.context(language)?;
            }
            Ok(())
        };
        let swapped = swapped.await;
        done.store(true, Ordering::Relaxed);
        swapped
    };
    let (reads, swapped): (Result<u64>, Result<()>) = tokio::join!(read, swap);
    swapped?;
    assert!(reads? > 20);
    Ok(())
}

// The commands block a thread; the source answers on another.
#[tokio::test(flavor = "multi_thread")]
async fn equal_questions_have_equal_answers_in_every_language() -> Result<()> {
    let folder = Folder::for_run("languages")?;
    let source = ScriptedHttp::start().await?;
    let url = source.url();
    // Where it is looked for, and what comes of it: the bits of a value, or a kind of failure.
    let locations = [
        ("value", json!({ "value": 0.1 })),
        ("value", json!({ "value": "1e21" })),
        ("value", json!({ "value": 9007199254740993_u64 })),
        ("a.1.b", json!({ "a": [1, { "b": -0.0 }] })),
        ("a.01", json!({ "a": [1, 2] })),
        ("a.+1", json!({ "a": [1, 2] })),
        ("a.-1", json!({ "a": [1, 2] })),
        ("value", json!({ "value": "+1.50" })),
        ("value", json!({ "value": " 0x10 " })),
        ("value", json!({ "value": "" })),
        ("value", json!({ "value": "1_0" })),
        ("value", json!({ "value": "1e400" })),
        ("value", json!({ "value": true })),
        ("value", json!({ "value": null })),
        ("ü.😀", json!({ "ü": { "😀": 5e-324 } })),
        ("value", json!([1])),
    ];
    for (location, document) in &locations {
        source.set_body(document.to_string());
        let metadata = json!({ "url": url, "valueLocation": location, "targetValue": "2.50" });
        let mut answers = Vec::new();
        for language in LANGUAGES {
            let told = poll(&folder, language, &metadata)?;
            let metric = &told["metrics"][0];
            let value = metric["value"].as_f64().map(f64::to_bits);
            answers.push((value, metric["target"].clone(), text(&told, "/failure/kind")));
        }
        ensure!(answers.iter().all(|answer| *answer == answers[0]), "{location} of {document}: {answers:?}");
        ensure!(answers[0].0.is_some() != (answers[0].2 == "bad-response"), "{location} of {document}: {answers:?}");
    }
    Ok(())
}
