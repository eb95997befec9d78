//! `windlass operator` as a process of this machine, with the rights of its own service account and no others.
use crate::ControlPlane;
use crate::folder::{Folder, repository, target};
use crate::get::get;
use crate::install::{Installed, register_metrics_api};
use crate::process::{Life, Process, free_ports};
use crate::wait::until;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// How long a shutdown may take before it counts as hanging.
const GRACE: Duration = Duration::from_secs(30);

/// How to run the operator.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    /// More flags of `windlass operator`, for instance `--read-interval-s=1`.
    pub arguments: Vec<String>,
    /// Folder with its scalers; those of the repository when none is given.
    pub scalers: Option<PathBuf>,
    /// Whether it ends with this process.
    pub life: Life,
    /// Where its log and its compiled components go; a new folder of the run when none is given.
    pub folder: Option<Folder>,
}

impl Default for OperatorOptions {
    fn default() -> OperatorOptions {
        OperatorOptions { arguments: Vec::new(), scalers: None, life: Life::WithParent, folder: None }
    }
}

/// An operator, running or stopped.
pub struct Operator {
    program: PathBuf,
    arguments: Vec<String>,
    life: Life,
    folder: Folder,
    metrics_api: String,
    health: String,
    process: Option<Process>,
}

impl Operator {
    /// Registers the external metrics API at a free port, starts the operator there as the installed service account, and
    /// waits until it is ready.
    ///
    /// # Errors
    /// When the program or the components are not built, or the operator does not become ready; the text has the end of
    /// its log.
    pub async fn start(
        control_plane: &ControlPlane,
        installed: &Installed,
        options: OperatorOptions,
    ) -> Result<Operator> {
        let operator = Operator::launch_at(control_plane, installed, options).await?;
        operator.wait_until_ready().await?;
        Ok(operator)
    }

    /// The same without the wait.
    pub(crate) async fn launch_at(
        control_plane: &ControlPlane,
        installed: &Installed,
        options: OperatorOptions,
    ) -> Result<Operator> {
        let folder = options.folder.map_or_else(|| Folder::for_run("operator"), Ok)?;
        let program = tokio::task::spawn_blocking(operator_program).await??;
        let Installed { namespace, service_account, service } = installed;
        let kubeconfig = control_plane.kubeconfig_for_service_account(namespace, service_account).await?;
        let [port, health] = free_ports()?;
        let (metrics_api, health) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{health}"));
        register_metrics_api(control_plane, namespace, service, port, None).await?;
        let scalers = options.scalers.map_or_else(components, Ok)?;
        let mut arguments = vec![
            "operator".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--namespace={namespace}"),
            format!("--service={service}"),
            format!("--secure-bind-address={metrics_api}"),
            format!("--metrics-bind-address={health}"),
            format!("--scalers={}", scalers.display()),
            // Compiled components outlive a run: compiling is not what these tests are about.
            format!("--cache={}", target().join("e2e/compiled").display()),
            "--allow-loopback".to_owned(),
        ];
        arguments.extend(options.arguments);
        let mut operator =
            Operator { program, arguments, life: options.life, folder, metrics_api, health, process: None };
        operator.launch()?;
        Ok(operator)
    }

    /// Starts a stopped operator again, with the same flags, and waits until it is ready.
    ///
    /// # Errors
    /// As for [`Operator::start`].
    pub async fn resume(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready().await
    }

    /// Starts a stopped operator again and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.folder.path()).env_remove("KUBECONFIG");
        self.process = Some(Process::start("windlass operator", command, &self.log(), self.life)?);
        Ok(())
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When it does not in time, or the operator has ended.
    pub async fn wait_until_ready(&self) -> Result<()> {
        let process = self.process()?;
        let ready = until("the operator is ready", LIMIT, || async {
            process.ensure_running()?;
            let (status, body) = get(&self.health, "/readyz", None).await?;
            if status != 200 {
                bail!("HTTP {status}: {body}");
            }
            Ok(Some(()))
        });
        ready
            .await
            .with_context(|| format!("{} ends with:\n{}", self.log().display(), crate::process::tail(&self.log())))
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        let process = self.process.take().context("the operator does not run")?;
        process.ensure_running()?;
        process.kill()
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let process = self.process.take().context("the operator does not run")?;
        process.stop(GRACE).await
    }

    /// Fails when it has ended by itself.
    ///
    /// # Errors
    /// When it does not run.
    pub fn ensure_running(&self) -> Result<()> {
        self.process()?.ensure_running()
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&self) -> Result<u32> {
        Ok(self.process()?.id())
    }

    /// Status and body of a page of its health and metrics address, for instance `/metrics`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn page(&self, path: &str) -> Result<(u16, String)> {
        get(&self.health, path, None).await
    }

    /// `127.0.0.1:PORT` of its health and metrics pages.
    pub fn health_address(&self) -> &str {
        &self.health
    }

    /// `127.0.0.1:PORT` of its external metrics API.
    pub fn metrics_api_address(&self) -> &str {
        &self.metrics_api
    }

    /// The file with what it logs.
    pub fn log(&self) -> PathBuf {
        self.folder.file("operator.log")
    }

    fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("the operator does not run")
    }
}

/// The program `windlass`: the one that `WINDLASS_BIN` names, else built now, so that no test ever runs an old one.
///
/// # Errors
/// When it cannot be built.
pub fn operator_program() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(program) = &*built {
        return Ok(program.clone());
    }
    let program = match std::env::var_os("WINDLASS_BIN") {
        Some(program) => PathBuf::from(program),
        None => {
            cargo(&["build", "--quiet", "--package", "windlass", "--bin", "windlass"])?;
            target().join("debug/windlass")
        }
    };
    if !program.is_file() {
        bail!("no program at {}", program.display());
    }
    Ok(built.insert(program).clone())
}

/// The folder of the scalers as components.
///
/// # Errors
/// When they are not built.
pub fn components() -> Result<PathBuf> {
    let folder = target().join("scalers/components");
    let is_component = |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
    let any = std::fs::read_dir(&folder)
        .is_ok_and(|mut dir| dir.any(|entry| entry.is_ok_and(|entry| is_component(&entry.path()))));
    if !any {
        bail!("no components in {}: run `cargo xtask scalers` first", folder.display());
    }
    Ok(folder)
}

/// The components in a folder of the run, to which tests add their own.
///
/// # Errors
/// As for [`components`], and when they cannot be copied.
pub fn components_copy() -> Result<Folder> {
    let folder = Folder::for_run("scalers")?;
    for entry in std::fs::read_dir(components()?)? {
        let file = entry?.path();
        if let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|end| end == "wasm")) {
            std::fs::copy(&file, folder.path().join(name)).with_context(|| file.display().to_string())?;
        }
    }
    Ok(folder)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What `cargo test` tells us would make it build crates anew whose build scripts look at it.
    let told = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with("CARGO_PKG_");
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names.iter().filter(told) {
        command.env_remove(name);
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("LD_LIBRARY_PATH");
    let status = command.args(arguments).current_dir(repository()).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
