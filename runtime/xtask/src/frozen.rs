//! Released versions of the contract are frozen: `wit/released.sha256` has the hash of each of their files.
use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The list, in the form of `sha256sum`.
const LIST: &str = "released.sha256";
/// What to do instead.
const REMEDY: &str = "a released version is frozen: put the change into a new folder beside it";

/// What is not as it was released, in a folder like `wit/`.
pub(crate) fn complaints(wit: &Path) -> Result<Vec<String>> {
    let path = wit.join(LIST);
    let list = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut complaints = Vec::new();
    let mut released = BTreeMap::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once("  ").filter(|(hash, file)| hash.len() == 64 && file.contains('/')) {
            Some((hash, file)) => drop(released.insert(file.to_owned(), hash.to_ascii_lowercase())),
            None => complaints.push(format!("wit/{LIST}: `{line}` is not `<sha256>  <version>/<file>`")),
        }
    }
    for (file, hash) in &released {
        match std::fs::read(wit.join(file)) {
            Ok(bytes) if hex(&bytes) == *hash => {}
            Ok(_) => complaints.push(format!("wit/{file} changed: {REMEDY}")),
            Err(error) => complaints.push(format!("wit/{file}: {error}: {REMEDY}")),
        }
    }
    let folders: BTreeSet<&str> = released.keys().filter_map(|file| file.split('/').next()).collect();
    for folder in folders {
        for file in files(wit, folder)? {
            if !released.contains_key(&file) {
                complaints.push(format!("wit/{file} is new in a released folder: {REMEDY}"));
            }
        }
    }
    Ok(complaints)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files below a folder, by their path in `wit`.
fn files(wit: &Path, folder: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(wit.join(folder)) {
        // That its files are gone has been said.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.with_context(|| folder.to_owned())?,
    };
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files(wit, &path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{complaints, hex};

    #[test]
    fn a_released_version_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let wit = folder.path();
        let write = |file: &str, text: &str| {
            let path = wit.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("v0.1/scaler.wit", "package a;\n");
        write("v0.2/scaler.wit", "package b;\n");
        write("released.sha256", "# nothing yet\n");
        assert_eq!(complaints(wit).unwrap(), [""; 0]);
        write("released.sha256", &format!("# one\n{}  v0.1/scaler.wit\n", hex(b"package a;\n")));
        assert_eq!(complaints(wit).unwrap(), [""; 0]);
        // What is not released may change.
        write("v0.2/scaler.wit", "package c;\n");
        assert_eq!(complaints(wit).unwrap(), [""; 0]);
        let complains = |words: &str| {
            let found = complaints(wit).unwrap();
            assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
        };
        write("v0.1/more.wit", "");
        complains("v0.1/more.wit is new");
        std::fs::remove_file(wit.join("v0.1/more.wit")).unwrap();
        write("v0.1/scaler.wit", "package a; // a word\n");
        complains("v0.1/scaler.wit changed: a released version is frozen");
        std::fs::remove_dir_all(wit.join("v0.1")).unwrap();
        complains("v0.1/scaler.wit: No such file");
        write("released.sha256", "v0.1/scaler.wit\n");
        complains("is not `<sha256>");
        std::fs::remove_file(wit.join("released.sha256")).unwrap();
        assert!(complaints(wit).is_err());
    }
}
