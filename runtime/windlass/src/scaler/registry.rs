//! `windlass scaler push`, `pull`, `sign`, `verify` and `keygen`: components in registries.
use super::exit::{Exit, Stop};
use crate::args::{
    Keygen, Output, PullComponent, PushComponent, Registries, SignComponent, Signers, VerifyComponent, docker_folder,
};
use anyhow::{Context, bail};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_oci::{
    About, Credential, Credentials, Identity, PrivateKey, PublicKey, Pull, Reference, Registrant, Requirement, Store,
    TrustedRoot,
};

/// What a command prints as JSON.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// The artifact, pinned: what an annotation names.
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

/// A registry and who we are there.
struct Door {
    store: Store,
    reference: Reference,
    credential: Option<Credential>,
}

/// How a command ended: what a registry holds may be wrong, or the registry is of no help.
pub(super) fn ended(done: anyhow::Result<()>) -> Result<Exit, Stop> {
    let exit = |error: &anyhow::Error| match error.downcast_ref::<windlass_oci::Error>().map(|error| &error.fault) {
        Some(fault) if fault.about_signatures() => Exit::Wrong,
        Some(_) => Exit::Outside,
        None => Exit::Usage,
    };
    match done {
        Ok(()) => Ok(Exit::Fine),
        Err(error) => Err(Stop { exit: exit(&error), error }),
    }
}

pub(super) async fn push(options: PushComponent) -> anyhow::Result<()> {
    let door = open(&options.registries, &options.reference).await?;
    let bytes = std::fs::read(&options.component).with_context(|| options.component.display().to_string())?;
    let created = match options.created {
        Some(seconds) => jiff::Timestamp::from_second(seconds).context("--created")?,
        None => jiff::Timestamp::now(),
    };
    // Registries and people read whole seconds.
    let created = jiff::Timestamp::from_second(created.as_second()).context("--created")?.to_string();
    let mut annotations = BTreeMap::new();
    for annotation in &options.annotations {
        let (name, text) =
            annotation.split_once('=').with_context(|| format!("--annotation {annotation}: NAME=TEXT"))?;
        annotations.insert(name.to_owned(), text.to_owned());
    }
    let about = About { created, author: options.author, annotations };
    let pushed = door.store.push(&door.reference, bytes.into(), &about, door.credential).await?;
    tell(options.registries.output, "pushed", Told { reference: pushed.to_string(), ..Told::default() })
}

pub(super) async fn pull(options: PullComponent) -> anyhow::Result<()> {
    let requirement = requirement(&options.signers)?;
    let door = open(&options.registries, &options.reference).await?;
    let file = options.to.unwrap_or_else(|| {
        let name = door.reference.repository().rsplit('/').next().unwrap_or_default();
        PathBuf::from(format!("{name}.wasm"))
    });
    let pulled = door.store.pull(&asked(door.reference, door.credential, requirement)).await?;
    std::fs::write(&file, &pulled.bytes).with_context(|| file.display().to_string())?;
    let told = Told {
        reference: pulled.resolved.reference.to_string(),
        component: Some(pulled.resolved.component.to_string()),
        file: Some(file),
        ..Told::default()
    };
    tell(options.registries.output, "pulled", told)
}

pub(super) async fn sign(options: SignComponent) -> anyhow::Result<()> {
    let path = &options.key;
    let pem = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let key = PrivateKey::from_pem(&pem).with_context(|| path.display().to_string())?;
    let door = open(&options.registries, &options.reference).await?;
    let signed = door.store.sign(&door.reference, &key, door.credential).await?;
    tell(options.registries.output, "signed", Told { reference: signed.to_string(), ..Told::default() })
}

pub(super) async fn verify(options: VerifyComponent) -> anyhow::Result<()> {
    let requirement = requirement(&options.signers)?;
    if requirement.is_none() {
        bail!("by whom? Give --key FILE, or --identity SUBJECT with --issuer URL and --trusted-root FILE");
    }
    let door = open(&options.registries, &options.reference).await?;
    let resolved = door.store.verify(&asked(door.reference, door.credential, requirement)).await?;
    let told = Told {
        reference: resolved.reference.to_string(),
        component: Some(resolved.component.to_string()),
        verified: Some(true),
        ..Told::default()
    };
    tell(options.registries.output, "verified", told)
}

pub(super) fn keygen(options: Keygen) -> anyhow::Result<()> {
    let named = |ending: &str| PathBuf::from(format!("{}.{ending}", options.name.display()));
    let (private, public) = (named("key"), named("pub"));
    let pem = PrivateKey::generate()?;
    let key = PrivateKey::from_pem(&pem)?;
    write_new(&private, &pem, 0o600)?;
    write_new(&public, &key.public().to_pem(), 0o644)?;
    println!("{} is secret: it signs; {} verifies", private.display(), public.display());
    Ok(())
}

/// A key that exists is never written over.
fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let file = std::fs::File::options().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

fn asked(reference: Reference, credential: Option<Credential>, requirement: Option<Requirement>) -> Pull {
    Pull { reference, credential, registrant: Registrant::Cluster, requirement }
}

async fn open(options: &Registries, reference: &str) -> anyhow::Result<Door> {
    let reference: Reference = reference.parse()?;
    let credential = logins(options)?.find(&reference).await?;
    let deadline = Duration::from_secs(options.timeout_s);
    // Whoever calls this command may reach what it may reach.
    let anywhere = Arc::new(|_| None);
    let transport = crate::registries::transport(&options.ca_dirs, options.plain_http.iter(), deadline, anywhere)?;
    Ok(Door { store: Store::new(transport, None), reference, credential })
}

/// The logins of Docker's configuration. None there is no error: most registries let anybody pull.
fn logins(options: &Registries) -> anyhow::Result<Credentials> {
    let Some(folder) = options.docker_config.clone().or_else(docker_folder) else { return Ok(Credentials::default()) };
    let path = folder.join("config.json");
    match std::fs::read(&path) {
        Ok(bytes) => Credentials::from_docker_config(&bytes).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Credentials::default()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// By whom it has to be signed; none: nobody was named.
fn requirement(signers: &Signers) -> anyhow::Result<Option<Requirement>> {
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let mut names = Vec::new();
    let mut requirement = Requirement::wanted("");
    for path in &signers.keys {
        let key = PublicKey::from_pem(&read(path)?).with_context(|| path.display().to_string())?;
        requirement.keys.push(key);
        names.push(format!("--key {}", path.display()));
    }
    if let (Some(subject), Some(issuer), Some(path)) = (&signers.identity, &signers.issuer, &signers.trusted_root) {
        let root = TrustedRoot::parse(&read(path)?).with_context(|| path.display().to_string())?;
        requirement.identities.push(Identity { issuer: issuer.clone(), subject: subject.clone() });
        requirement.trusted = Some(Arc::new(root));
        names.push(format!("--identity {subject} --issuer {issuer}"));
    }
    if names.is_empty() {
        return Ok(None);
    }
    requirement.wanted = format!("a signature is wanted by {}", names.join(" or "));
    Ok(Some(requirement))
}

fn tell(output: Output, done: &str, told: Told) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string(&told)?),
        Output::Text => match &told.file {
            Some(file) => println!("{done} {} into {}", told.reference, file.display()),
            None => println!("{done} {}", told.reference),
        },
    }
    Ok(())
}
