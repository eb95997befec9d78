//! Components in a real registry, by the commands that people use.
use anyhow::{Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use windlass_e2e::{Ran, Registry, RegistryAccess, components, scaler};

const JSON: &str = "--output=json";

fn component(name: &str) -> Result<PathBuf> {
    Ok(components()?.join(format!("{name}.wasm")))
}

/// A command that has to go well; its JSON.
fn told(ran: Ran) -> Result<Value> {
    ensure!(ran.ok, "{}", ran.text);
    Ok(ran.told)
}

/// A command that has to fail; what it says.
fn fails(ran: Ran) -> Result<String> {
    ensure!(!ran.ok, "it went well: {}", ran.text);
    Ok(ran.text)
}

fn contains(text: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(text.contains(word), "no {word} in: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_component_goes_to_a_registry_and_comes_back() -> Result<()> {
    let registry = Registry::start(RegistryAccess::Open).await?;
    let run = |arguments: &[&str]| scaler(registry.folder(), None, arguments);
    let (file, reference) = (component("cron")?.display().to_string(), registry.reference("acme/cron:1"));
    let created = ["--created=1767225600", "--annotation=org.opencontainers.image.title=cron", JSON];
    let push = |reference: &str| run(&[&["push", &file, reference], created.as_slice()].concat()).and_then(told);
    let pushed = push(&reference)?["reference"].clone();
    let pinned = pushed.as_str().unwrap_or_default();
    contains(pinned, &["acme/cron:1@sha256:"])?;
    // Equal content of equal age is the same artifact.
    ensure!(push(&reference)?["reference"] == pushed, "another digest");

    for from in [reference.as_str(), pinned] {
        let pulled = told(run(&["pull", from, "--to=back.wasm", JSON])?)?;
        ensure!(pulled["reference"] == pushed, "{pulled}");
        ensure!(std::fs::read(registry.folder().file("back.wasm"))? == std::fs::read(&file)?, "other bytes");
    }
    // It is still a scaler.
    let inspected = told(run(&["inspect", "back.wasm", JSON])?)?;
    ensure!(inspected["triggers"] == serde_json::json!(["cron"]), "{inspected}");

    contains(&fails(run(&["pull", &registry.reference("acme/cron:2")])?)?, &["acme/cron:2", "no such manifest"])?;
    contains(&fails(run(&["pull", &registry.reference("acme/none:1")])?)?, &["acme/none:1", "no such manifest"])?;
    std::fs::write(registry.folder().file("no.wasm"), "text")?;
    contains(&fails(run(&["push", "no.wasm", &reference])?)?, &["not a WebAssembly component"])?;
    Ok(())
}

#[tokio::test]
async fn a_registry_asks_for_a_login() -> Result<()> {
    let registry = Registry::start(RegistryAccess::Basic).await?;
    let file = component("cron")?.display().to_string();
    let reference = registry.reference("acme/cron:1");
    let push = |login: Option<&Value>| scaler(registry.folder(), login, &["push", &file, &reference, JSON]);
    contains(&fails(push(None)?)?, &[&reference, "there are none for it", "docker login"])?;
    let wrong = fails(push(Some(&registry.docker_config("wrong-password")))?)?;
    contains(&wrong, &[&reference, "does not accept the credentials"])?;
    ensure!(!wrong.contains("wrong-password"), "the password is told: {wrong}");
    let login = registry.docker_config(Registry::PASSWORD);
    told(push(Some(&login))?)?;
    told(scaler(registry.folder(), Some(&login), &["pull", &reference, JSON])?)?;
    contains(&fails(scaler(registry.folder(), None, &["pull", &reference])?)?, &["there are none for it"])
}

#[tokio::test]
async fn signatures_are_made_and_checked() -> Result<()> {
    let registry = Registry::start(RegistryAccess::Open).await?;
    let run = |arguments: &[&str]| scaler(registry.folder(), None, arguments);
    let reference = registry.reference("acme/cron:1");
    let pushed = told(run(&["push", &component("cron")?.display().to_string(), &reference, JSON])?)?;
    for name in ["ours", "theirs"] {
        ensure!(run(&["keygen", name])?.ok, "no key");
    }
    contains(&fails(run(&["keygen", "ours"])?)?, &["ours.key", "exists"])?;

    let verify = |key: &str| run(&["verify", &reference, "--key", key, JSON]);
    contains(&fails(verify("ours.pub")?)?, &[&reference, "not signed", "ours.pub"])?;
    told(run(&["sign", &reference, "--key=theirs.key", JSON])?)?;
    contains(&fails(verify("ours.pub")?)?, &["none of its 1 signatures is by an accepted key"])?;
    let signed = told(run(&["sign", &reference, "--key=ours.key", JSON])?)?;
    ensure!(signed["reference"] == pushed["reference"], "{signed}");
    for key in ["ours.pub", "theirs.pub"] {
        ensure!(told(verify(key)?)?["verified"] == true, "{key}");
    }
    told(run(&["pull", &reference, "--key=ours.pub", JSON])?)?;

    // The tag moves to another artifact, which nobody signed.
    told(run(&["push", &component("cron")?.display().to_string(), &reference, "--author=somebody", JSON])?)?;
    contains(&fails(run(&["pull", &reference, "--key=ours.pub"])?)?, &["not signed"])?;
    Ok(())
}

#[tokio::test]
async fn what_was_changed_within_the_registry_is_refused() -> Result<()> {
    let registry = Registry::start(RegistryAccess::Open).await?;
    let run = |arguments: &[&str]| scaler(registry.folder(), None, arguments);
    let reference = registry.reference("acme/cron:1");
    told(run(&["push", &component("cron")?.display().to_string(), &reference, JSON])?)?;
    let pulled = told(run(&["pull", &reference, JSON])?)?;
    let blob = registry.blob(pulled["component"].as_str().unwrap_or_default());
    let mut bytes = std::fs::read(&blob)?;
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    std::fs::write(&blob, bytes)?;
    contains(&fails(run(&["pull", &reference])?)?, &[&reference, "the content was changed"])
}

#[tokio::test]
async fn a_registry_that_is_down_is_said_so() -> Result<()> {
    let mut registry = Registry::start(RegistryAccess::Open).await?;
    registry.kill()?;
    let reference = registry.reference("acme/cron:1");
    let text = fails(scaler(registry.folder(), None, &["pull", &reference])?)?;
    contains(&text, &[&reference, "no connection to", "refused"])
}
