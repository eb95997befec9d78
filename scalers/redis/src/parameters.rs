//! What users write.
use crate::Topology;
use windlass_sdk::{Address, Choice, Problem, Revealed, Sealed, Tls, problem};

/// A switch, as KEDA writes it in authentications.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// On.
    Enable,
    /// Off.
    Disable,
}

/// What users write.
#[derive(windlass_sdk::Parameters, Debug)]
pub struct Parameters {
    /// Key of the list. Sets, sorted sets and hashes are counted too.
    pub(crate) list_name: String,
    /// Items per replica.
    #[parameter(default = "5")]
    pub(crate) list_length: i64,
    /// The workload is active while there are more items than this.
    #[parameter(default = "0")]
    pub(crate) activation_list_length: i64,
    /// `host:port` of the server; for a cluster or sentinels several, separated by commas.
    #[parameter(name = "address", aliases("addresses"), from(metadata, environment, authentication))]
    pub(crate) addresses: Option<Vec<Address>>,
    /// Instead of `address`: the host, or several, separated by commas.
    #[parameter(name = "host", aliases("hosts"), from(metadata, environment, authentication))]
    pub(crate) hosts: Option<Vec<String>>,
    /// Port of `host`; of several hosts as many.
    #[parameter(name = "port", aliases("ports"), from(metadata, environment, authentication))]
    pub(crate) ports: Option<Vec<String>>,
    /// Number of the database; a cluster has only one.
    #[parameter(default = "0")]
    pub(crate) database_index: u32,
    /// ACL user, from Redis 6 on. Counts only with a password.
    #[parameter(from(metadata, environment, authentication))]
    pub(crate) username: Option<Revealed>,
    /// Password of the user, or of the server.
    #[parameter(from(metadata, environment, authentication))]
    pub(crate) password: Option<Revealed>,
    /// `redis-sentinel`: name by which the sentinels know the master.
    #[parameter(from(metadata, environment, authentication))]
    pub(crate) sentinel_master: Option<String>,
    /// `redis-sentinel`: ACL user of the sentinels.
    #[parameter(from(metadata, environment, authentication))]
    pub(crate) sentinel_username: Option<Revealed>,
    /// `redis-sentinel`: password of the sentinels.
    #[parameter(from(metadata, environment, authentication))]
    pub(crate) sentinel_password: Option<Revealed>,
    /// Whether to connect with TLS.
    #[parameter(name = "enableTLS")]
    pub(crate) enable_tls: Option<bool>,
    /// The same in an authentication; only one of the two may be set.
    #[parameter(from(authentication))]
    pub(crate) tls: Option<Switch>,
    /// Accept any certificate.
    #[parameter(default = "false")]
    pub(crate) unsafe_ssl: bool,
    /// Certificate authorities to trust, PEM.
    #[parameter(from(authentication))]
    pub(crate) ca: Option<Sealed>,
    /// Client certificate, PEM. Counts only with `key`.
    #[parameter(name = "cert", aliases("Cert"), from(authentication))]
    pub(crate) certificate: Option<Sealed>,
    /// Key of the client certificate, PEM.
    #[parameter(from(authentication))]
    pub(crate) key: Option<Sealed>,
    /// Password of `key`.
    #[parameter(from(authentication))]
    pub(crate) key_password: Option<Sealed>,
}

impl Parameters {
    /// Whom to connect to: `address`, then each of `host` with its `port`; of one server, the first.
    pub(crate) fn addresses(&self, topology: Topology) -> Result<Vec<Address>, Vec<Problem>> {
        let mut addresses = self.addresses.clone().unwrap_or_default();
        let hosts = self.hosts.as_deref().unwrap_or_default();
        let ports = self.ports.as_deref().unwrap_or_default();
        // As in KEDA: one without the other does not count.
        if !hosts.is_empty() && !ports.is_empty() {
            if hosts.len() != ports.len() {
                let message = format!("has {} entries and `host` has {}: give one per host", ports.len(), hosts.len());
                return Err(vec![problem("port", message)]);
            }
            for (host, port) in hosts.iter().zip(ports) {
                addresses.push(address(host, port)?);
            }
        }
        if addresses.is_empty() {
            return Err(vec![problem("address", "is required: give host:port, or `host` and `port`")]);
        }
        if topology == Topology::Single {
            addresses.truncate(1);
        }
        Ok(addresses)
    }

    /// TLS, where it is wanted.
    pub(crate) fn transport(&self) -> Option<Tls> {
        if !(self.enable_tls == Some(true) || self.tls == Some(Switch::Enable)) {
            return None;
        }
        let (certificate, key) = (self.certificate.as_ref(), self.key.as_ref());
        let mut tls = Tls::verified().verify(!self.unsafe_ssl).ca(self.ca.as_ref()).certificate(certificate, key);
        if tls.key.is_some() {
            tls.key_password = self.key_password.as_ref().map(Sealed::parameter);
        }
        Some(tls)
    }
}

fn address(host: &str, port: &str) -> Result<Address, Vec<Problem>> {
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| vec![problem("port", "is not between 1 and 65535")])?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Address { parameter: "host".to_owned(), host: host.to_owned(), port })
}
