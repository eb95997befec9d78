//! Whom no scaler of an operator reaches: the API server and the operator itself, wherever they are found.
use crate::args::Operator as Arguments;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use windlass_cluster::Client;
use windlass_host::{Denial, Rule};

const API_SERVER: &str = "the API server's address";
const OURSELVES: &str = "an address of this operator itself";

/// How long a name may take to be resolved.
const LOOKUP: Duration = Duration::from_secs(5);
/// The API server's own Service, by its name in every cluster.
const SERVICE: (&str, u16) = ("kubernetes.default.svc", 443);

/// What is closed: the API server as the configuration and the cluster name it, our pod's addresses, our Service, and our
/// listeners where loopback is open.
pub(super) async fn closed(arguments: &Arguments, client: &Client, listeners: &[SocketAddr]) -> Vec<Denial> {
    let configured = client.server();
    let in_cluster = arguments.kubernetes_service_host.clone();
    let in_cluster = in_cluster.map(|host| (host, arguments.kubernetes_service_port));
    let service = format!("{}.{}.svc", arguments.service, arguments.namespace);
    let (configured_at, in_cluster, api, ours) = tokio::join!(
        addresses(configured.clone()),
        addresses(in_cluster),
        addresses(Some((SERVICE.0.to_owned(), SERVICE.1))),
        addresses(Some((service, 0))),
    );
    if let (Some((host, _)), true) = (configured, configured_at.is_empty()) {
        tracing::warn!(server = host, "the API server's name does not resolve: close its address by --deny-egress");
    }
    let servers = [configured_at, in_cluster, api].concat().into_iter().collect();
    let mut own: BTreeSet<IpAddr> = ours.iter().map(SocketAddr::ip).collect();
    own.extend(arguments.pod_ips.iter().chain(&arguments.pod_ip).copied());
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => own.extend(interfaces.iter().map(if_addrs::Interface::ip)),
        Err(error) => tracing::warn!(%error, "the addresses of this machine cannot be read: only POD_IPS are closed"),
    }
    let denials = denials(&servers, &own, listeners);
    for denial in &denials {
        tracing::debug!(rule = %denial.rule, why = denial.why, "closed to scalers");
    }
    denials
}

async fn addresses(place: Option<(String, u16)>) -> Vec<SocketAddr> {
    let Some((host, port)) = place else { return Vec::new() };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => found.collect(),
        _ => Vec::new(),
    }
}

fn denials(servers: &BTreeSet<SocketAddr>, own: &BTreeSet<IpAddr>, listeners: &[SocketAddr]) -> Vec<Denial> {
    let of_servers = servers.iter().map(|server| {
        let rule = Rule::address(server.ip().to_canonical(), Some(server.port()));
        Denial { rule, why: API_SERVER }
    });
    // Loopback as a whole is another matter: where it is open, sources of this machine are meant.
    let own = own.iter().map(|address| address.to_canonical()).filter(|address| !address.is_loopback());
    let own = own.map(|address| Rule::address(address, None));
    let listening = listeners.iter().flat_map(|listener| Rule::loopback(listener.port()));
    let ours = own.chain(listening).map(|rule| Denial { rule, why: OURSELVES });
    of_servers.chain(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_host::Egress;

    #[test]
    fn the_api_server_and_we_ourselves_are_closed_also_where_loopback_is_open() {
        let servers = ["127.0.0.1:6443", "10.96.0.1:443", "[::ffff:10.0.0.9]:443"].map(|text| text.parse().unwrap());
        let own = ["10.1.2.3", "127.0.0.1", "2001:db8::5"].map(|text| text.parse().unwrap());
        let listeners = ["0.0.0.0:8080".parse().unwrap()];
        let denied = denials(&servers.into(), &own.into(), &listeners);
        let egress =
            |allow_loopback, allowed| Egress { allow_loopback, allowed, denied: denied.clone(), ..Egress::default() };
        let open = egress(true, Vec::new());
        for (address, port, why) in [
            ("127.0.0.1", 6443, Some(API_SERVER)),
            ("10.96.0.1", 443, Some(API_SERVER)),
            ("10.0.0.9", 443, Some(API_SERVER)),
            ("::ffff:10.96.0.1", 443, Some(API_SERVER)),
            ("64:ff9b::a60:1", 443, Some(API_SERVER)),
            ("10.96.0.1", 80, None),
            ("10.1.2.3", 9, Some(OURSELVES)),
            ("2001:db8::5", 9, Some(OURSELVES)),
            ("127.0.0.1", 8080, Some(OURSELVES)),
            ("127.9.9.9", 8080, Some(OURSELVES)),
            ("::1", 8080, Some(OURSELVES)),
            ("127.0.0.1", 9090, None),
            ("10.1.2.4", 9, None),
        ] {
            assert_eq!(open.refusal(address.parse().unwrap(), port), why, "{address}:{port}");
        }
        assert!(egress(false, Vec::new()).refusal("127.0.0.1".parse().unwrap(), 9090).is_some());
        let granted = egress(false, vec!["10.96.0.1:443".parse().unwrap()]);
        assert_eq!(granted.refusal("10.96.0.1".parse().unwrap(), 443), None);
        assert!(granted.refusal("10.1.2.3".parse().unwrap(), 443).is_some());
    }
}
