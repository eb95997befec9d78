//! A real Kubernetes control plane, real event sources and the real operator, as processes on 127.0.0.1: for the
//! end-to-end tests and for people (`cargo xtask cluster up`).
//!
//! ```text
//! ControlPlane ─ etcd, kube-apiserver, kube-controller-manager     the Go module in controlplane/, built once (cache)
//!    ├ FakeNode  runs pods on paper, so that they become ready     ├ Audit  who wrote what to the API server
//!    └ install   deploy/ as users apply it                         ├ Operator  `windlass operator` as its service account
//!    └ PodMetrics  what metrics-server serves, with loads that tests set
//! Redis, Prometheus ─ event sources; Registry ─ components as OCI artifacts
//! ```
//!
//! Every process is stopped when its value is dropped, and dies with the process that started it however that ends;
//! only a cluster for people is detached. Folders with logs stay under `target/e2e/` until the next run.
mod audit;
mod cache;
mod certificate;
mod cluster;
mod control_plane;
mod folder;
mod get;
mod install;
mod kubeconfig;
mod kubelet;
mod operator;
mod pod_metrics;
mod process;
mod prometheus;
mod redis;
mod registry;
mod scaler;
mod wait;

pub use audit::{Audit, AuditEntry, AuditMark, counted};
pub use cache::{BuildState, MINIMUM_GO, control_plane_binary};
pub use certificate::{Authority, Identity};
pub use cluster::{Cluster, ClusterStatus, serve_node};
pub use control_plane::{ControlPlane, ControlPlaneOptions};
pub use folder::{Folder, repository, target};
pub use install::{Installed, METRICS_API, install, register_metrics_api, wait_for_metrics_api};
pub use kubelet::{FakeNode, JOB_SECONDS};
pub use operator::{Operator, OperatorOptions, components, components_copy, operator_program};
pub use pod_metrics::PodMetrics;
pub use process::{Life, Process, free_ports};
pub use prometheus::{Prometheus, PrometheusAccess, PrometheusOptions};
pub use redis::{Redis, RedisCluster, RedisOptions, RedisSentinel, RedisTransport};
pub use registry::{Ran, Registry, RegistryAccess, scaler};
pub use scaler::{Polled, poll};
pub use wait::until;
