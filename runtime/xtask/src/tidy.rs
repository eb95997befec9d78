//! `cargo xtask tidy`: the rules of the repository that a compiler does not check. Also a test, so `cargo test` runs it.
use crate::tool;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {}

/// Which of our crates may know which: the arrows of `runtime/README.md`. Who is not named may know nobody of ours.
/// `*` stands for all scalers.
const ARROWS: &[(&str, &[&str])] = &[
    ("windlass-core", &[]),
    ("windlass-api", &["windlass-core"]),
    ("windlass-host", &["windlass-core"]),
    ("windlass-pipeline", &["windlass-core"]),
    ("windlass-serve", &["windlass-core"]),
    ("windlass-oci", &[]),
    ("windlass-cluster", &["windlass-core", "windlass-api"]),
    (
        "windlass",
        &[
            "windlass-core",
            "windlass-api",
            "windlass-host",
            "windlass-cluster",
            "windlass-oci",
            "windlass-pipeline",
            "windlass-serve",
            "windlass-build",
            "windlass-conformance",
        ],
    ),
    ("windlass-sdk-derive", &[]),
    ("windlass-sdk", &["windlass-sdk-derive"]),
    ("*", &["windlass-sdk"]),
    ("work-queue", &[]),
    ("windlass-testkit", &["windlass-core"]),
    ("windlass-e2e", &["windlass-testkit", "windlass-core", "windlass-api"]),
    (
        "windlass-bench",
        &[
            "windlass-e2e",
            "windlass-testkit",
            "windlass-core",
            "windlass-api",
            "windlass-host",
            "windlass-sdk",
            // The one that asks nobody: sandboxed and native are timed side by side.
            "windlass-scaler-cron",
        ],
    ),
    ("windlass-build", &[]),
    ("windlass-conformance", &["windlass-host", "windlass-core", "windlass-sdk", "windlass-testkit"]),
    (
        "xtask",
        &["windlass-build", "windlass-e2e", "windlass-api", "windlass-cluster", "windlass-core", "windlass-bench"],
    ),
];

/// A word that may stand only in some folders of `runtime/`.
struct Place {
    word: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const PLACES: &[Place] = &[
    Place { word: "wasmtime::", allowed: &["host", "bench", "xtask"], why: "wasmtime is host's business" },
    Place {
        word: "kube::",
        allowed: &["api", "cluster", "e2e", "testkit", "bench", "xtask"],
        why: "the API server is cluster's business",
    },
    Place {
        word: "std::env::",
        allowed: &["windlass/src/args.rs", "xtask", "e2e", "bench", "testkit"],
        why: "flags and environment variables are read in windlass/src/args.rs alone",
    },
    Place {
        word: "Instant::now",
        allowed: &["host", "cluster", "serve", "pipeline", "windlass", "e2e", "bench", "testkit", "xtask"],
        why: "core and api read no clock",
    },
    Place {
        word: "SystemTime::now",
        allowed: &["host", "cluster", "oci", "serve", "pipeline", "windlass", "e2e", "bench", "testkit", "xtask"],
        why: "core and api read no clock",
    },
    Place {
        word: "tokio::",
        allowed: &["host", "cluster", "oci", "serve", "pipeline", "windlass", "e2e", "bench", "testkit", "xtask"],
        why: "core and api never wait",
    },
    Place {
        word: "tracing::",
        allowed: &["host", "cluster", "oci", "serve", "pipeline", "windlass", "e2e", "bench", "testkit", "xtask"],
        why: "core and api never log",
    },
];

/// Crates whose sources are the product: scalers' names may not stand in them.
const PRODUCT: &[&str] = &["core", "api", "host", "cluster", "oci", "pipeline", "serve", "windlass"];

/// Runs the task.
pub fn run(_args: Args) -> Result<()> {
    let mut complaints = arrows()?;
    complaints.extend(places()?);
    complaints.extend(scaler_names()?);
    complaints.extend(crate::frozen::complaints(&tool::root().join("wit"))?);
    if complaints.is_empty() {
        tool::say("tidy: nothing to complain about");
        return Ok(());
    }
    bail!("{}", complaints.join("\n"))
}

fn arrows() -> Result<Vec<String>> {
    let output = tool::cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .context("cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata's output")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let known = if name.starts_with("windlass-scaler-") { allowed.get("*") } else { allowed.get(name) };
        let Some(known) = known else {
            complaints.push(format!(
                "crate {name} is not in the list of arrows: add it to ARROWS in runtime/xtask/src/tidy.rs"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            // Tests may use the test kit.
            let test_only = dependency["kind"].as_str() == Some("dev") && on == "windlass-testkit";
            if ours.contains(on) && !known.contains(&on) && !test_only {
                complaints.push(format!("{name} may not depend on {on}: see the arrows in runtime/README.md"));
            }
        }
    }
    Ok(complaints)
}

fn places() -> Result<Vec<String>> {
    let runtime = tool::root().join("runtime");
    let mut complaints = Vec::new();
    for file in sources(&runtime)? {
        let within = file.strip_prefix(&runtime).unwrap_or(&file).to_path_buf();
        let text = product_part(&std::fs::read_to_string(&file)?);
        for place in PLACES {
            let allowed = place.allowed.iter().any(|folder| within.starts_with(folder));
            if !allowed && text.lines().any(|line| !comment(line) && line.contains(place.word)) {
                complaints.push(format!("runtime/{}: `{}`: {}", within.display(), place.word, place.why));
            }
        }
    }
    Ok(complaints)
}

/// A new source is a new folder under `scalers/` and nothing else: no product code knows one by name.
fn scaler_names() -> Result<Vec<String>> {
    let root = tool::root();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("scalers"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let mut complaints = Vec::new();
    for krate in PRODUCT {
        for file in sources(&root.join("runtime").join(krate).join("src"))? {
            let text = product_part(&std::fs::read_to_string(&file)?);
            for name in &names {
                let quoted = format!("\"{name}\"");
                if text.lines().any(|line| !comment(line) && line.contains(&quoted)) {
                    complaints.push(format!(
                        "{}: names the scaler {name}",
                        file.strip_prefix(&root).unwrap_or(&file).display()
                    ));
                }
            }
        }
    }
    Ok(complaints)
}

fn comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// A file up to its first test module.
fn product_part(text: &str) -> String {
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "tests" | "benches" | "fuzz" | "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        super::run(super::Args {}).unwrap();
    }
}
