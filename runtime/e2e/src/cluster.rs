//! A cluster for people: the control plane, a node, and Windlass installed, all detached; its state in `target/cluster/`.
use crate::folder::{Folder, target};
use crate::install::{install, run, wait_for_metrics_api};
use crate::process::{self, Life, Process};
use crate::{ControlPlane, ControlPlaneOptions, FakeNode, Operator, OperatorOptions};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(20);
const STATE: &str = "cluster.json";

/// What runs, as it stands in `target/cluster/cluster.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// The administrator's kubeconfig file.
    pub kubeconfig: PathBuf,
    /// The program `kubectl`.
    pub kubectl: PathBuf,
    /// The operator's log; none when the cluster was started without it.
    pub operator_log: Option<PathBuf>,
    /// Its processes, in the order in which they are stopped.
    processes: Vec<Recorded>,
}

/// A process that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recorded {
    name: String,
    id: u32,
    /// What the kernel says of it, so that a process that has its id later is not taken for it.
    born: Option<String>,
}

/// One line of `cluster status`.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterStatus {
    /// Process.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Whether it runs.
    pub running: bool,
}

impl Cluster {
    /// Starts everything. Progress is told on standard error.
    ///
    /// # Errors
    /// When one runs already, or a part does not start; what had been started is stopped.
    pub async fn up(operator: Option<OperatorOptions>) -> Result<Cluster> {
        if let Some(cluster) = Cluster::read()?
            && cluster.status().iter().any(|process| process.running)
        {
            bail!(
                "a cluster runs already: export KUBECONFIG={}; `cargo xtask cluster down` ends it",
                cluster.kubeconfig.display()
            );
        }
        let folder = target().join("cluster");
        let _ = std::fs::remove_dir_all(&folder);
        let folder = Folder::at(&folder)?;
        eprintln!("==> starting etcd, kube-apiserver and kube-controller-manager");
        let life = Life::Detached;
        let options = ControlPlaneOptions { life, folder: Some(folder.clone()), ..ControlPlaneOptions::default() };
        let control_plane = ControlPlane::start(options).await?;
        let mut cluster = Cluster {
            kubeconfig: control_plane.kubeconfig().to_owned(),
            kubectl: control_plane.kubectl_program(),
            operator_log: None,
            processes: Vec::new(),
        };
        for (name, id) in
            ["kube-controller-manager", "kube-apiserver", "etcd"].into_iter().zip(control_plane.process_ids())
        {
            cluster.record(name, id);
        }
        cluster.write(&folder)?;
        let done = cluster.furnish(&control_plane, operator, &folder).await;
        if let Err(error) = done {
            return Err(match cluster.stop() {
                Ok(()) => error,
                Err(second) => error.context(format!("and it cannot be stopped: {second:#}")),
            });
        }
        Ok(cluster)
    }

    /// The node, `deploy/` and the operator.
    async fn furnish(
        &mut self,
        control_plane: &ControlPlane,
        operator: Option<OperatorOptions>,
        folder: &Folder,
    ) -> Result<()> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg("node").arg(control_plane.kubeconfig());
        let node = Process::start("node", command, &folder.file("node.log"), Life::Detached)?;
        self.record_first("node", node.id());
        self.write(folder)?;
        let Some(options) = operator else { return Ok(()) };
        eprintln!("==> installing deploy/");
        let installed = install(control_plane).await?;
        eprintln!("==> starting windlass operator as {}/{}", installed.namespace, installed.service_account);
        let options = OperatorOptions { life: Life::Detached, folder: Some(folder.clone()), ..options };
        let operator = Operator::launch_at(control_plane, &installed, options).await?;
        self.record_first("windlass operator", operator.id()?);
        self.operator_log = Some(operator.log());
        self.write(folder)?;
        operator.wait_until_ready().await?;
        wait_for_metrics_api(control_plane).await
    }

    /// The cluster that was started last, unless it was stopped.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn read() -> Result<Option<Cluster>> {
        let path = target().join("cluster").join(STATE);
        match std::fs::read(&path) {
            Ok(text) => {
                Ok(Some(serde_json::from_slice(&text).with_context(|| format!("{} is not readable", path.display()))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Which of its processes run.
    pub fn status(&self) -> Vec<ClusterStatus> {
        let status = |process: &Recorded| ClusterStatus {
            name: process.name.clone(),
            id: process.id,
            running: process.is_running(),
        };
        self.processes.iter().map(status).collect()
    }

    /// Stops its processes one after the other and forgets it; data and logs stay until the next start.
    ///
    /// # Errors
    /// When a process does not end.
    pub fn stop(&self) -> Result<()> {
        for process in self.processes.iter().filter(|process| process.is_running()) {
            process::end(process.id, GRACE).with_context(|| format!("cannot stop {}", process.name))?;
        }
        let _ = std::fs::remove_file(target().join("cluster").join(STATE));
        Ok(())
    }

    /// `kubectl` with arguments, as the administrator.
    ///
    /// # Errors
    /// When kubectl fails; the text has what it says.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        run(Command::new(&self.kubectl).args(arguments).env("KUBECONFIG", &self.kubeconfig))
    }

    fn record(&mut self, name: &str, id: u32) {
        self.processes.push(Recorded { name: name.to_owned(), id, born: process::born(id) });
    }

    fn record_first(&mut self, name: &str, id: u32) {
        self.record(name, id);
        self.processes.rotate_right(1);
    }

    fn write(&self, folder: &Folder) -> Result<()> {
        folder.write(STATE, serde_json::to_string_pretty(self)?).map(drop)
    }
}

impl Recorded {
    fn is_running(&self) -> bool {
        process::is_running(self.id) && process::born(self.id) == self.born
    }
}

/// Serves as the node of a detached cluster, until it is told to end.
///
/// # Errors
/// When the node cannot be registered.
pub async fn serve_node(kubeconfig: PathBuf) -> Result<()> {
    let _node = FakeNode::start_with(&kubeconfig).await?;
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?.recv().await;
    Ok(())
}
