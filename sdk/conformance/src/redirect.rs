//! Examples whose addresses are those of a server of ours.
use crate::Example;
use crate::trial::{Planned, Trial};
use std::net::SocketAddr;
use windlass_core::query::Endpoint;
use windlass_core::scaler::Scaler;

/// The example with its endpoints at an address, planned anew; none where its text cannot be rewritten so.
pub(crate) async fn redirect(
    trial: &Trial,
    example: &Example,
    planned: &Planned,
    address: SocketAddr,
) -> Option<Planned> {
    let mut moved = example.clone();
    for endpoint in &planned.1.endpoints {
        rewrite(&trial.scaler, &mut moved, endpoint, address);
    }
    let (trigger, plan) = trial.plan(&moved).await.ok()?.ok()?;
    let there = |endpoint: &Endpoint| *endpoint.host == *address.ip().to_string() && endpoint.port == address.port();
    (!plan.endpoints.is_empty() && plan.endpoints.iter().all(there)).then_some((trigger, plan))
}

/// Writes the address where an endpoint's host stands, and its port beside it or into the parameter that has it.
fn rewrite(scaler: &Scaler, example: &mut Example, endpoint: &Endpoint, address: SocketAddr) {
    let Some(parameter) = endpoint.parameter.as_deref() else { return };
    let declared = scaler.parameters.iter().find(|declared| *declared.name == *parameter);
    let aliases = declared.map(|declared| declared.aliases.as_slice()).unwrap_or_default();
    let mut names = vec![parameter];
    names.extend(aliases.iter().map(|alias| &**alias));
    let (host, port) = (&*endpoint.host, endpoint.port.to_string());
    let Example { metadata, authentication, .. } = example;
    let mut with_port = false;
    for (name, text) in metadata.iter_mut().chain(authentication.iter_mut()) {
        if names.contains(&name.as_str())
            && let Some(moved) = moved(text, host, &port, address)
        {
            with_port |= moved.contains(&address.to_string());
            *text = moved;
        }
    }
    if !with_port {
        // The port is a parameter of its own.
        for (_, text) in metadata.iter_mut().filter(|(_, text)| text.trim() == port) {
            *text = address.port().to_string();
        }
    }
}

/// A text with one host and port exchanged for another; `https` becomes `http`, and a URL gets a port.
fn moved(text: &str, host: &str, port: &str, address: SocketAddr) -> Option<String> {
    let at = text.to_ascii_lowercase().find(&host.to_ascii_lowercase())?;
    let (before, rest) = text.split_at(at);
    let after = rest.get(host.len()..)?;
    let (before, after) = match (before.strip_suffix('['), after.strip_prefix(']')) {
        (Some(before), Some(after)) => (before, after),
        _ => (before, after),
    };
    let url = text.contains("://");
    let (place, after) = match after.strip_prefix(&format!(":{port}")) {
        Some(after) => (address.to_string(), after),
        None if url => (address.to_string(), after),
        None => (address.ip().to_string(), after),
    };
    Some(format!("{}{place}{after}", before.replacen("https://", "http://", 1)))
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn a_host_and_its_port() {
        let address = "127.0.0.1:9".parse().unwrap();
        for (text, host, port, there) in [
            ("https://a.example/x?y=1", "a.example", "443", Some("http://127.0.0.1:9/x?y=1")),
            ("http://u:p@A.Example:80/x", "a.example", "80", Some("http://u:p@127.0.0.1:9/x")),
            ("http://[::1]:80/x", "::1", "80", Some("http://127.0.0.1:9/x")),
            ("redis.prod:6379", "redis.prod", "6379", Some("127.0.0.1:9")),
            ("redis.prod", "redis.prod", "6379", Some("127.0.0.1")),
            ("a:1,b:2", "b", "2", Some("a:1,127.0.0.1:9")),
            ("a.example", "b.example", "1", None),
        ] {
            assert_eq!(moved(text, host, port, address).as_deref(), there, "{text}");
        }
    }
}
