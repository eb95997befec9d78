//! Every component that `cargo xtask scalers` has built, by the cases beside its sources.
use futures::StreamExt as _;
use std::path::{Path, PathBuf};
use windlass_conformance::{Case, Example, examine, play};

/// Why there is nothing to examine.
const BUILD: &str =
    "run `cargo xtask test`, or `cargo xtask scalers` and set WINDLASS_COMPONENTS to target/scalers/components";

fn components() -> Vec<PathBuf> {
    let folder =
        std::env::var_os("WINDLASS_COMPONENTS").unwrap_or_else(|| panic!("WINDLASS_COMPONENTS is not set: {BUILD}"));
    let folder = PathBuf::from(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}: {BUILD}", folder.display()));
    let files = entries.map(|entry| entry.unwrap().path());
    let mut components: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "wasm")).collect();
    components.sort();
    assert!(!components.is_empty(), "no component in {}: {BUILD}", folder.display());
    components
}

#[tokio::test(flavor = "multi_thread")]
async fn every_component_conforms() {
    let scalers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scalers");
    let scalers = &scalers;
    let examined = components().into_iter().map(|component| async move {
        let name = component.file_stem().unwrap().to_string_lossy().into_owned();
        let wasm = std::fs::read(&component).unwrap();
        let examples = Example::of_folder(&scalers.join(&name).join("cases")).unwrap();
        (name, examine(&wasm, &examples).await.unwrap())
    });
    let mut wrong = String::new();
    // Two at a time: what they wait for is mostly sources that hang.
    let mut reports = futures::stream::iter(examined).buffered(2);
    while let Some((name, report)) = reports.next().await {
        println!("{name}: {report}");
        if !report.conforms() {
            wrong.push_str(&format!("{name}: {report}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What holds natively holds for the component, in the real host, over a real connection.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds_for_its_component() {
    let scalers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scalers");
    let (mut wrong, mut played) = (String::new(), 0);
    for component in components() {
        let name = component.file_stem().unwrap().to_string_lossy().into_owned();
        let cases = Case::read_all(&scalers.join(&name).join("cases")).unwrap();
        for report in play(&std::fs::read(&component).unwrap(), &cases).await.unwrap() {
            played += 1;
            for difference in &report.differences {
                wrong.push_str(&format!("{name}/{}: {difference}\n", report.name));
            }
        }
    }
    println!("{played} cases");
    assert!(wrong.is_empty() && played > 0, "{wrong}");
}

#[test]
fn cases_without_problems_are_examples() {
    let folder = tempfile::tempdir().unwrap();
    let case = |name: &str, text: &str| {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("case.json"), text).unwrap();
    };
    case("good", r#"{"about": "a", "metadata": {"url": "http://a"}, "authentication": {"token": "t"}, "polls": []}"#);
    case("bad", r#"{"about": "b", "problems": {"url": "is required"}}"#);
    let examples = Example::of_folder(folder.path()).unwrap();
    assert_eq!(examples.iter().map(|example| &*example.name).collect::<Vec<_>>(), ["good"]);
    assert_eq!((&*examples[0].metadata["url"], &*examples[0].authentication["token"]), ("http://a", "t"));
    case("ugly", "{");
    assert!(Example::of_folder(folder.path()).is_err());
    assert!(Example::of_folder(&folder.path().join("missing")).is_err());
}
