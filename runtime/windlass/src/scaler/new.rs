//! `windlass scaler new`: a working project, from what the program carries with it.
mod embedded;
mod vendor;

use super::exit::{Ends, Exit, Stop};
use crate::args::{New, Output};
use crate::style::{FAINT, GOOD, STRONG};
use anyhow::{Context, anyhow};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use windlass_build::{Language, kebab};

/// Trigger types that are no event sources: the HPA reads them itself.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// Files by their path in the project.
type Files = BTreeMap<String, Vec<u8>>;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Made {
    ok: bool,
    name: String,
    language: &'static str,
    folder: PathBuf,
    files: usize,
    next: Vec<String>,
}

pub(super) fn run(options: New) -> Result<Exit, Stop> {
    let New { name, lang, dir, output } = options;
    check_name(&name).ends(Exit::Usage)?;
    let folder = dir.unwrap_or_else(|| PathBuf::from(&name));
    let files = project(&name, lang)?;
    claim(&folder)?;
    for (path, bytes) in &files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(&folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, bytes));
        written.with_context(|| format!("cannot write {}", path.display())).ends(Exit::Outside)?;
    }
    let mut next = vec![format!("cd {}", shell_word(&folder))];
    next.extend(lang.prepare().map(str::to_owned));
    next.extend(["windlass scaler build".to_owned(), "windlass scaler test".to_owned()]);
    let made = Made { ok: true, name, language: lang.word(), folder, files: files.len(), next };
    match output {
        Output::Json => println!("{}", serde_json::to_string(&made).context("JSON")?),
        Output::Text => print(&made),
    }
    Ok(Exit::Fine)
}

fn print(made: &Made) {
    anstream::println!(
        "{GOOD}made{GOOD:#} {STRONG}{}{STRONG:#} in {}: a scaler in {}, {} files",
        made.name,
        made.folder.display(),
        made.language,
        made.files
    );
    anstream::println!("{FAINT}next:{FAINT:#}");
    for command in &made.next {
        println!("  {command}");
    }
}

fn check_name(name: &str) -> anyhow::Result<()> {
    if !kebab(name) {
        return Err(anyhow!(
            "NAME: `{name}` is not 1 to 63 of a-z, 0-9 and single `-`, beginning with a letter; for instance `{}`",
            suggestion(name)
        ));
    }
    if RESOURCES.contains(&name) {
        return Err(anyhow!(
            "NAME: `{name}` is a resource metric of the HPA; take another, for instance `{name}-queue`"
        ));
    }
    Ok(())
}

/// A name like the one that was meant.
fn suggestion(name: &str) -> String {
    let mut made = String::new();
    for character in name.chars() {
        let lower = character.to_ascii_lowercase();
        let new_word = character.is_ascii_uppercase() || !lower.is_ascii_alphanumeric();
        if new_word && !made.is_empty() && !made.ends_with('-') {
            made.push('-');
        }
        if lower.is_ascii_lowercase() || (lower.is_ascii_digit() && !made.is_empty()) {
            made.push(lower);
        }
    }
    let made = made.trim_matches('-');
    if kebab(made) { made.to_owned() } else { "my-queue".to_owned() }
}

/// A folder that is empty or not there; what somebody wrote is never overwritten.
fn claim(folder: &Path) -> Result<(), Stop> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(anyhow!("{} is not empty: name another folder by --dir", folder.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow!("{}: {error}: name another folder by --dir", folder.display())),
    }
    .ends(Exit::Usage)
}

/// All files of a project.
fn project(name: &str, language: Language) -> Result<Files, Stop> {
    let mut files = Files::new();
    for (path, bytes) in embedded::under("template/").chain(embedded::under(&format!("{language}/template/"))) {
        files.insert(filled(&path, name), fill(bytes, name));
    }
    let own = match language {
        Language::Rust => vendor::rust()?,
        _ => embedded::under(&format!("{language}/windlass/")).collect(),
    };
    if !files.contains_key("scaler.toml") || own.is_empty() {
        return Err(anyhow!("this windlass carries no SDK for {language}")).ends(Exit::Usage);
    }
    files.extend(own.into_iter().map(|(path, bytes)| (format!("windlass/{path}"), bytes)));
    files.insert("windlass/LICENSE".to_owned(), include_bytes!("../../../../LICENSE").to_vec());
    Ok(files)
}

/// A template's file; one that is no text is as it is.
fn fill(bytes: Vec<u8>, name: &str) -> Vec<u8> {
    match String::from_utf8(bytes) {
        Ok(text) => filled(&text, name).into_bytes(),
        Err(other) => other.into_bytes(),
    }
}

fn filled(text: &str, name: &str) -> String {
    let pascal: String = name.split('-').map(capital).collect();
    text.replace("{{name}}", name).replace("{{snake}}", &name.replace('-', "_")).replace("{{pascal}}", &pascal)
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

/// A path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests;
