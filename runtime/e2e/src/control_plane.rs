//! etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1.
use crate::audit::{self, Audit};
use crate::certificate::{Authority, Identity, key_pair};
use crate::folder::Folder;
use crate::kubeconfig::{self, Credential};
use crate::process::{Life, Process, free_ports};
use crate::wait::until;
use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Starting takes 3 to 6 s; the rest is for a machine that compiles something else meanwhile.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long tokens of service accounts are valid: longer than any run.
const TOKEN_SECONDS: i64 = 7 * 24 * 3600;

/// The names that a serving certificate of the API server is good for.
const API_SERVER_NAMES: [&str; 8] = [
    "127.0.0.1",
    "::1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
];

/// The controllers that run: those that ScaledObjects, their targets and namespaces need. No node lifecycle controller,
/// so that a fake node needs no heartbeats.
const CONTROLLERS: [&str; 17] = [
    "horizontal-pod-autoscaler",
    "deployment",
    "replicaset",
    "statefulset",
    "garbage-collector",
    "namespace",
    "serviceaccount",
    "serviceaccount-token",
    "root-ca-certificate-publisher",
    "clusterrole-aggregation",
    "endpointslice",
    "endpoints",
    "job",
    "cronjob",
    "ttl-after-finished",
    "disruption",
    "daemonset",
];

/// How to run a control plane. The default is what a stock cluster has.
#[derive(Debug, Clone)]
pub struct ControlPlaneOptions {
    /// The period of the HPA controller; Kubernetes' default is 15 s.
    pub hpa_sync_period: Duration,
    /// For how long the HPA controller remembers higher recommendations before it scales down; default 5 min.
    pub hpa_downscale_stabilization: Duration,
    /// HPAs synced at once; default 5.
    pub hpa_workers: u32,
    /// Queries per second of each client of the controller manager, the one for external metrics among them; default 20.
    pub kube_api_qps: u32,
    /// Burst of the same; default 30.
    pub kube_api_burst: u32,
    /// Whether controllers make pods of Deployments and other workloads. Without them these are objects that nobody acts
    /// on: for sizes at which pods would be most of the work.
    pub workloads: bool,
    /// Whether it ends with this process.
    pub life: Life,
    /// Where data, keys and logs go; a new folder of the run when none is given.
    pub folder: Option<Folder>,
}

impl Default for ControlPlaneOptions {
    fn default() -> ControlPlaneOptions {
        ControlPlaneOptions {
            hpa_sync_period: Duration::from_secs(15),
            hpa_downscale_stabilization: Duration::from_secs(300),
            hpa_workers: 5,
            kube_api_qps: 20,
            kube_api_burst: 30,
            workloads: true,
            life: Life::WithParent,
            folder: None,
        }
    }
}

impl ControlPlaneOptions {
    /// For tests: the HPA controller syncs each second, scales down after five, and its client never waits.
    pub fn quick() -> ControlPlaneOptions {
        ControlPlaneOptions {
            hpa_sync_period: Duration::from_secs(1),
            hpa_downscale_stabilization: Duration::from_secs(5),
            hpa_workers: 20,
            kube_api_qps: 500,
            kube_api_burst: 1000,
            ..ControlPlaneOptions::default()
        }
    }
}

/// A running control plane. Dropping it stops it, unless it is detached.
pub struct ControlPlane {
    folder: Folder,
    binary: PathBuf,
    server: String,
    ca: Authority,
    admin: Kubeconfig,
    admin_file: PathBuf,
    audit_log: PathBuf,
    options: ControlPlaneOptions,
    api_server_arguments: Vec<String>,
    // In the order in which they are stopped.
    processes: Vec<Process>,
}

/// The name of the API server's process.
const API_SERVER: &str = "kube-apiserver";

/// The controllers that make pods.
const WORKLOADS: [&str; 6] = ["deployment", "replicaset", "statefulset", "job", "cronjob", "daemonset"];

/// The files that the servers read.
struct Files {
    ca: PathBuf,
    front_proxy_ca: PathBuf,
    api_server: Pair,
    front_proxy_client: Pair,
    token_key: PathBuf,
    token_public: PathBuf,
    audit_policy: PathBuf,
    controller_manager_kubeconfig: PathBuf,
}

/// A certificate file and its key file.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl ControlPlane {
    /// Starts one, and waits until the API server is ready and the controllers work.
    ///
    /// # Errors
    /// When the binary cannot be had, or a server does not come up in time; the text has the end of its log.
    pub async fn start(options: ControlPlaneOptions) -> Result<ControlPlane> {
        // kube's client takes the process's default; with one provider compiled in, an error means it is set already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let binary = tokio::task::spawn_blocking(crate::cache::control_plane_binary).await??;
        let folder = options.folder.clone().map_or_else(|| Folder::for_run("control-plane"), Ok)?;
        let [etcd_port, peer_port, api_port] = free_ports()?;
        let server = format!("https://127.0.0.1:{api_port}");

        let ca = Authority::new("kubernetes")?;
        let admin = ca.client("admin", Some("system:masters"))?;
        let admin = kubeconfig::kubeconfig(&server, &ca.certificate(), &Credential::Certificate(&admin))?;
        let admin_file = folder.write("admin.kubeconfig", kubeconfig::text(&admin)?)?;
        let files = write_files(&folder, &ca, &server)?;
        let audit_log = folder.file("audit.log");

        let mut control_plane = ControlPlane {
            folder,
            binary,
            server,
            ca,
            admin,
            admin_file,
            audit_log,
            options,
            api_server_arguments: Vec::new(),
            processes: Vec::new(),
        };
        let started = control_plane.launch_all(&files, [etcd_port, peer_port, api_port]).await;
        if started.is_err() {
            // Detached processes would stay.
            control_plane.processes.iter().for_each(|process| drop(process.kill()));
        }
        started.map(|()| control_plane)
    }

    async fn launch_all(&mut self, files: &Files, [etcd_port, peer_port, api_port]: [u16; 3]) -> Result<()> {
        let etcd = format!("http://127.0.0.1:{etcd_port}");
        let process = self.launch("etcd", etcd_arguments(&self.folder, &etcd, peer_port))?;
        self.processes.push(process);
        self.api_server_arguments = api_server_arguments(self, files, &etcd, api_port);
        let process = self.launch(API_SERVER, self.api_server_arguments.clone())?;
        self.processes.push(process);
        self.wait_for_api_server().await?;
        // Started earlier it would find no API server, and come again 10 s later.
        let arguments = controller_manager_arguments(&self.options, files);
        let process = self.launch("kube-controller-manager", arguments)?;
        self.processes.push(process);
        self.wait_for_controllers().await?;
        // Controllers end before the API server, and that before etcd.
        self.processes.reverse();
        Ok(())
    }

    /// Where data, keys and logs are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The authority that signed the API server's certificate and whose client certificates it takes.
    pub fn authority(&self) -> &Authority {
        &self.ca
    }

    /// The kubeconfig file of the administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin_file
    }

    /// The file with the authority of the aggregation layer: who presents a certificate of it is the API server.
    pub fn front_proxy_authority(&self) -> PathBuf {
        self.folder.file("front-proxy-ca.crt")
    }

    /// The client certificate by which the aggregation layer proves itself to extension servers, and its key: PEM files.
    pub fn front_proxy_client(&self) -> (PathBuf, PathBuf) {
        (self.folder.file("front-proxy-client.crt"), self.folder.file("front-proxy-client.key"))
    }

    /// The ids of its processes, in the order in which they are to be stopped.
    pub fn process_ids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// A client of the administrator. It belongs to the runtime that calls.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self) -> Result<Client> {
        client_of(self.admin.clone()).await
    }

    /// A kubeconfig file with a token of a service account that exists.
    ///
    /// # Errors
    /// When there is no such service account, or the file cannot be written.
    pub async fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let reply = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let reply = reply.with_context(|| format!("no token for the service account {namespace}/{name}"))?;
        let token = reply.status.and_then(|status| status.token).context("a token request without an answer")?;
        let config = kubeconfig::kubeconfig(&self.server, &self.ca.certificate(), &Credential::Token(&token))?;
        self.folder.write(&format!("{namespace}-{name}.kubeconfig"), kubeconfig::text(&config)?)
    }

    /// Who asked what of the API server.
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(self, &self.audit_log)
    }

    /// A `kubectl` command of the administrator; add arguments and run it.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("kubectl").env("KUBECONFIG", &self.admin_file).env("HOME", self.folder.path());
        command
    }

    /// The program `kubectl`.
    pub fn kubectl_program(&self) -> PathBuf {
        self.binary.with_file_name("kubectl")
    }

    /// Fails when one of its processes has ended.
    ///
    /// # Errors
    /// When one of its processes has ended; the text has the end of its log.
    pub fn ensure_running(&self) -> Result<()> {
        self.processes.iter().try_for_each(Process::ensure_running)
    }

    /// Kills the API server (SIGKILL), starts it again on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not run, or does not come back in time.
    pub async fn restart_api_server(&mut self) -> Result<()> {
        let at = self.processes.iter().position(|process| process.name() == API_SERVER).context("no API server")?;
        self.processes[at].kill()?;
        self.processes[at] = self.launch(API_SERVER, self.api_server_arguments.clone())?;
        self.wait_for_api_server().await
    }

    fn launch(&self, name: &str, arguments: Vec<String>) -> Result<Process> {
        let mut command = Command::new(&self.binary);
        command.arg(name).args(arguments).current_dir(self.folder.path());
        let log = self.folder.file(&format!("{name}.log"));
        Process::start(name, command, &log, self.options.life)
    }

    async fn wait_for_api_server(&self) -> Result<()> {
        let client = self.client().await?;
        until("the API server is ready", START_LIMIT, || async {
            self.ensure_running()?;
            let request = http::Request::get("/readyz").body(Vec::new())?;
            Ok((client.request_text(request).await? == "ok").then_some(()))
        })
        .await
        .with_context(|| format!("see the logs in {}", self.folder.path().display()))
    }

    /// The controllers are at work when one of them has made the default service account.
    async fn wait_for_controllers(&self) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, "default");
        until("the controllers work", START_LIMIT, || async {
            self.ensure_running()?;
            Ok(accounts.get_opt("default").await?.map(drop))
        })
        .await
        .with_context(|| format!("see the logs in {}", self.folder.path().display()))
    }
}

/// A client from a kubeconfig.
pub(crate) async fn client_of(kubeconfig: Kubeconfig) -> Result<Client> {
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // What the API server answers is what tests are about.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn write_files(folder: &Folder, ca: &Authority, server: &str) -> Result<Files> {
    let front_proxy = Authority::new("front-proxy-ca")?;
    let pair = |name: &str, identity: Identity| -> Result<Pair> {
        Ok(Pair {
            certificate: folder.write(&format!("{name}.crt"), identity.certificate)?,
            key: folder.write(&format!("{name}.key"), identity.key)?,
        })
    };
    let (token_key, token_public) = key_pair()?;
    let controller_manager = ca.client("system:kube-controller-manager", None)?;
    let controller_manager =
        kubeconfig::kubeconfig(server, &ca.certificate(), &Credential::Certificate(&controller_manager))?;
    Ok(Files {
        ca: folder.write("ca.crt", ca.certificate())?,
        front_proxy_ca: folder.write("front-proxy-ca.crt", front_proxy.certificate())?,
        api_server: pair("apiserver", ca.server("kube-apiserver", &API_SERVER_NAMES)?)?,
        front_proxy_client: pair("front-proxy-client", front_proxy.client("front-proxy-client", None)?)?,
        token_key: folder.write("service-account.key", token_key)?,
        token_public: folder.write("service-account.pub", token_public)?,
        audit_policy: folder.write("audit-policy.yaml", audit::POLICY)?,
        controller_manager_kubeconfig: folder
            .write("controller-manager.kubeconfig", kubeconfig::text(&controller_manager)?)?,
    })
}

fn etcd_arguments(folder: &Folder, url: &str, peer_port: u16) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.file("etcd").display()),
        format!("--listen-client-url={url}"),
        format!("--listen-peer-url=http://127.0.0.1:{peer_port}"),
    ]
}

fn api_server_arguments(control_plane: &ControlPlane, files: &Files, etcd: &str, port: u16) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        // No Endpoints of itself: a loopback address is not allowed there.
        "--endpoint-reconciler-type=none",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        // With routing by endpoints an APIService could not name a process on loopback.
        "--enable-aggregator-routing=false",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--audit-log-maxsize=2000",
        "--v=1",
    ]
    .map(str::to_owned)
    .into();
    arguments.extend([
        format!("--etcd-servers={etcd}"),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", control_plane.folder.file("apiserver-certificates").display()),
        format!("--tls-cert-file={}", files.api_server.certificate.display()),
        format!("--tls-private-key-file={}", files.api_server.key.display()),
        format!("--client-ca-file={}", files.ca.display()),
        format!("--service-account-key-file={}", files.token_public.display()),
        format!("--service-account-signing-key-file={}", files.token_key.display()),
        format!("--requestheader-client-ca-file={}", files.front_proxy_ca.display()),
        format!("--proxy-client-cert-file={}", files.front_proxy_client.certificate.display()),
        format!("--proxy-client-key-file={}", files.front_proxy_client.key.display()),
        format!("--audit-policy-file={}", files.audit_policy.display()),
        format!("--audit-log-path={}", control_plane.audit_log.display()),
    ]);
    arguments
}

fn controller_manager_arguments(options: &ControlPlaneOptions, files: &Files) -> Vec<String> {
    let runs = |name: &&str| options.workloads || !WORKLOADS.contains(name);
    let controllers: Vec<String> =
        CONTROLLERS.iter().filter(|name| runs(name)).map(|name| format!("{name}-controller")).collect();
    let controllers = controllers.join(",");
    let kubeconfig = files.controller_manager_kubeconfig.display();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        // Nobody needs its own port.
        "--secure-port=0".to_owned(),
        "--leader-elect=false".to_owned(),
        // Each controller has its own service account, so that the stock RBAC rules are in force.
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", files.token_key.display()),
        format!("--root-ca-file={}", files.ca.display()),
        format!("--controllers={controllers}"),
        format!("--kube-api-qps={}", options.kube_api_qps),
        format!("--kube-api-burst={}", options.kube_api_burst),
        format!("--concurrent-horizontal-pod-autoscaler-syncs={}", options.hpa_workers),
        format!("--horizontal-pod-autoscaler-sync-period={}ms", options.hpa_sync_period.as_millis()),
        format!(
            "--horizontal-pod-autoscaler-downscale-stabilization={}ms",
            options.hpa_downscale_stabilization.as_millis()
        ),
        "--v=1".to_owned(),
    ]
}
