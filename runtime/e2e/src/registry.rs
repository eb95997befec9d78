//! A registry of OCI artifacts: Debian's `docker-registry`.
use crate::folder::Folder;
use crate::get::get;
use crate::kubeconfig::base64;
use crate::operator::operator_program;
use crate::process::{Life, Process, free_ports, installed};
use crate::wait::until;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Who may ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RegistryAccess {
    /// Everybody.
    #[default]
    Open,
    /// [`Registry::USER`] with [`Registry::PASSWORD`].
    Basic,
}

/// A running registry without TLS.
pub struct Registry {
    folder: Folder,
    access: RegistryAccess,
    port: u16,
    process: Option<Process>,
}

/// What came of a command of `windlass scaler`.
#[derive(Debug)]
pub struct Ran {
    /// Whether it went well.
    pub ok: bool,
    /// What it printed as JSON; null where it printed none.
    pub told: Value,
    /// Everything that it wrote, to both of its outputs.
    pub text: String,
}

impl Registry {
    /// The user of basic authentication.
    pub const USER: &'static str = "reader";
    /// The password of basic authentication.
    pub const PASSWORD: &'static str = "test-password";
    /// Its bcrypt hash, as htpasswd writes it.
    const PASSWORD_HASH: &'static str = "$2b$06$rCL9r2OCoFcDQzR0eiBXdujeE8xWdsGJBx/6j8bXIIBfzVA0HxQca";

    /// Starts a registry and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, or does not come up; the text has the end of its log.
    pub async fn start(access: RegistryAccess) -> Result<Registry> {
        let folder = Folder::for_run("registry")?;
        let [port] = free_ports()?;
        let mut configuration = json!({
            "version": "0.1",
            "log": { "level": "warn", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": folder.file("data") }, "delete": { "enabled": true } },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        if access == RegistryAccess::Basic {
            let users = folder.write("users", format!("{}:{}\n", Registry::USER, Registry::PASSWORD_HASH))?;
            configuration["auth"] = json!({ "htpasswd": { "realm": "test", "path": users } });
        }
        folder.write("config.yml", serde_yaml::to_string(&configuration)?)?;
        let mut registry = Registry { folder, access, port, process: None };
        registry.resume().await?;
        Ok(registry)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `oci://127.0.0.1:PORT/` and what follows.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address())
    }

    /// Ends the registry at once (SIGKILL). What it holds stays.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.kill().map(drop))
    }

    /// Starts a killed registry again, on the same port, with what it held.
    ///
    /// # Errors
    /// As for [`Registry::start`].
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(installed("docker-registry", "docker-registry")?);
        command.arg("serve").arg(self.folder.file("config.yml")).current_dir(self.folder.path());
        let process = Process::start("registry", command, &self.folder.file("registry.log"), Life::WithParent)?;
        let expected = if self.access == RegistryAccess::Open { 200 } else { 401 };
        until("the registry answers", LIMIT, || async {
            process.ensure_running()?;
            Ok((get(&self.address(), "/v2/", None).await?.0 == expected).then_some(()))
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Docker's configuration with the login for it: the content of a pull secret.
    pub fn docker_config(&self, password: &str) -> Value {
        let login = base64(&format!("{}:{password}", Registry::USER));
        json!({ "auths": { self.address(): { "auth": login } } })
    }

    /// Files that it holds for a repository's blobs or manifests, to be changed by a test.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let start = hex.get(..2).unwrap_or_default();
        self.folder.file(&format!("data/docker/registry/v2/blobs/sha256/{start}/{hex}/data"))
    }

    /// The folder of this run.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Runs `windlass scaler …` with the login of a `docker_config`, or with none.
///
/// # Errors
/// When the program is not built.
pub fn scaler(folder: &Folder, login: Option<&Value>, arguments: &[&str]) -> Result<Ran> {
    let config = folder.file("docker");
    std::fs::create_dir_all(&config)?;
    std::fs::write(config.join("config.json"), login.unwrap_or(&json!({})).to_string())?;
    let mut command = Command::new(operator_program()?);
    command.arg("scaler").args(arguments).env("DOCKER_CONFIG", &config).current_dir(folder.path());
    let output = command.output().context("cannot start windlass")?;
    let text = [output.stdout.as_slice(), b"\n", &output.stderr].concat();
    Ok(Ran {
        ok: output.status.success(),
        told: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
