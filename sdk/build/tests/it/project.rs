//! `scaler.toml`.
use windlass_build::{Language, Project};

fn opened(text: &str) -> Result<Project, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scaler.toml"), text).unwrap();
    Project::open(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn a_project_says_what_it_is() {
    let project = opened("name = \"my-queue\"\nlanguage = \"go\"\ncomponent = \"out/q.wasm\"").unwrap();
    assert_eq!((&*project.name, project.language), ("my-queue", Language::Go));
    assert_eq!(project.component, project.root.join("out/q.wasm"));
    assert_eq!(project.cases, project.root.join("cases"));
    let project = opened("name = \"q\"\nlanguage = \"js\"").unwrap();
    assert_eq!(project.component, project.root.join("build/q.wasm"));
}

#[test]
fn another_language_makes_its_module_by_itself() {
    let text = "name = \"q\"\nlanguage = \"other\"\nbuild = [\"make\", \"-s\"]\nmodule = \"out/q.wasm\"";
    let project = opened(text).unwrap();
    let recipe = project.recipe.unwrap();
    assert_eq!((project.language, recipe.command), (Language::Other, vec!["make".to_owned(), "-s".to_owned()]));
    assert_eq!(recipe.module, project.root.join("out/q.wasm"));
    // It has no template.
    assert!("other".parse::<Language>().is_err());
}

#[test]
fn every_language_has_a_word() {
    for language in Language::ALL {
        assert_eq!(language.to_string().parse(), Ok(language));
    }
}

#[test]
fn a_mistake_is_named_with_its_field() {
    for (text, part) in [
        ("language = \"go\"", "name"),
        ("name = \"My Queue\"\nlanguage = \"go\"", "name: `My Queue`"),
        ("name = \"q--q\"\nlanguage = \"go\"", "for instance `my-queue`"),
        ("name = \"q\"\nlanguage = \"cobol\"", "language: `cobol` is none of the languages: rust, go, js, python, c"),
        ("name = \"q\"\nlanguage = \"go\"\ncomponent = \"../q.wasm\"", "component: `../q.wasm`"),
        ("name = \"q\"\nlanguage = \"go\"\ncases = \"/tmp\"", "cases: `/tmp`"),
        ("name = \"q\"\nlanguage = \"go\"\nlanguages = 1", "languages"),
        ("name = \"q\"\nlanguage = \"go\"\nbuild = [\"make\"]", "build: is for `language = \"other\"` alone"),
        ("name = \"q\"\nlanguage = \"go\"\nmodule = \"q.wasm\"", "module: is for"),
        ("name = \"q\"\nlanguage = \"other\"\nmodule = \"q.wasm\"", "`other` needs `build`"),
        ("name = \"q\"\nlanguage = \"other\"\nbuild = [\"make\"]\nmodule = \"/q.wasm\"", "module: `/q.wasm`"),
        ("name", "expected"),
    ] {
        let told = opened(text).unwrap_err();
        assert!(told.contains(part) && told.contains("scaler.toml"), "{text}: {told}");
    }
    let empty = tempfile::tempdir().unwrap();
    let told = Project::open(empty.path()).unwrap_err().to_string();
    assert!(told.contains("windlass scaler new"), "{told}");
}
