//! A Prometheus server that scrapes what a test serves.
use crate::folder::Folder;
use crate::get::get;
use crate::process::{Life, Process, free_ports, installed};
use crate::wait::until;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// What it scrapes, and how it is protected.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// `HOST:PORT` of what is scraped at `/metrics`, job `test`.
    pub targets: Vec<String>,
    /// How often.
    pub scrape_interval: Duration,
    /// Whether a name and password are asked for.
    pub access: PrometheusAccess,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrometheusAccess {
    /// Everybody.
    #[default]
    Open,
    /// [`Prometheus::USER`] with [`Prometheus::PASSWORD`].
    Basic,
}

impl Default for PrometheusOptions {
    fn default() -> PrometheusOptions {
        let access = PrometheusAccess::default();
        PrometheusOptions { targets: Vec::new(), scrape_interval: Duration::from_secs(1), access }
    }
}

/// A running server.
pub struct Prometheus {
    folder: Folder,
    options: PrometheusOptions,
    port: u16,
    process: Option<Process>,
}

impl Prometheus {
    /// The user of basic authentication.
    pub const USER: &'static str = "reader";
    /// The password of basic authentication.
    pub const PASSWORD: &'static str = "test-password";
    /// Its bcrypt hash, as Prometheus wants it.
    const PASSWORD_HASH: &'static str = "$2b$06$rCL9r2OCoFcDQzR0eiBXdujeE8xWdsGJBx/6j8bXIIBfzVA0HxQca";

    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// When Prometheus is not installed, or does not come up; the text has the end of its log.
    pub async fn start(options: PrometheusOptions) -> Result<Prometheus> {
        let folder = Folder::for_run("prometheus")?;
        let [port] = free_ports()?;
        let interval = format!("{}ms", options.scrape_interval.as_millis());
        let configuration = json!({
            "global": { "scrape_interval": interval, "scrape_timeout": interval },
            "scrape_configs": [{ "job_name": "test", "static_configs": [{ "targets": options.targets }] }],
        });
        folder.write("prometheus.yml", serde_yaml::to_string(&configuration)?)?;
        let users = match options.access {
            PrometheusAccess::Open => json!({}),
            PrometheusAccess::Basic => json!({ "basic_auth_users": { Prometheus::USER: Prometheus::PASSWORD_HASH } }),
        };
        folder.write("web.yml", serde_yaml::to_string(&users)?)?;
        let mut prometheus = Prometheus { folder, options, port, process: None };
        prometheus.resume().await?;
        Ok(prometheus)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Ends the server at once (SIGKILL).
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.kill().map(drop))
    }

    /// Starts a killed server again, on the same port.
    ///
    /// # Errors
    /// As for [`Prometheus::start`].
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(installed("prometheus", "prometheus")?);
        command
            .arg(format!("--config.file={}", self.folder.file("prometheus.yml").display()))
            .arg(format!("--web.config.file={}", self.folder.file("web.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.folder.file("data").display()))
            .arg(format!("--web.listen-address={}", self.address()))
            .arg("--log.level=warn")
            .current_dir(self.folder.path());
        let process = Process::start("prometheus", command, &self.folder.file("prometheus.log"), Life::WithParent)?;
        until("prometheus is ready", LIMIT, || async {
            process.ensure_running()?;
            Ok((self.get("/-/ready").await?.0 == 200).then_some(()))
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// The value of an instant query; none when its result is empty.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn query(&self, expression: &str) -> Result<Option<f64>> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, body) = self.get(&format!("/api/v1/query?query={encoded}")).await?;
        if status != 200 {
            bail!("{expression}: HTTP {status}: {body}");
        }
        let body: Value = serde_json::from_str(&body)?;
        let value = &body["data"]["result"][0]["value"][1];
        value.as_str().map(|text| text.parse().with_context(|| format!("no number: {text}"))).transpose()
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    async fn get(&self, path: &str) -> Result<(u16, String)> {
        let authorization = match self.options.access {
            PrometheusAccess::Open => None,
            PrometheusAccess::Basic => {
                let pair = format!("{}:{}", Prometheus::USER, Prometheus::PASSWORD);
                Some(format!("Basic {}", crate::kubeconfig::base64(&pair)))
            }
        };
        get(&self.address(), path, authorization.as_deref()).await
    }
}
