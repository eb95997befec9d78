//! Identities: under which a question is asked once, to which source it goes, with which secrets.
//!
//! All are keyed hashes. The key lives as long as the process, so nothing about a secret can be learned from one, not
//! even by trying values, and none is worth storing.
use crate::binding::Binding;
use crate::key::Fingerprint;
use crate::query::{Endpoint, QueryIdentity, QueryPlan, Question, ResolvedTrigger, SourceKey};
use crate::scaler::{Scaler, Secrecy, Shape};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// The key of this process's fingerprints: random bytes, drawn once at the start.
#[derive(Clone)]
pub struct ProcessKey([u8; 32]);

impl ProcessKey {
    /// From random bytes.
    pub fn new(random: [u8; 32]) -> ProcessKey {
        ProcessKey(random)
    }
}

impl fmt::Debug for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessKey(…)")
    }
}

/// Makes a resolved trigger and its plan ready to be asked.
///
/// Two questions have the same identity exactly when the same component would be asked the same thing for the same
/// namespace: same type, values (secrets included, and whether they came from an authentication), extras, pod identity,
/// endpoints, group and hosts that its secrets are bound to; and the same owner for a component that needs to know it.
pub fn question(key: &ProcessKey, scaler: &Scaler, trigger: ResolvedTrigger, plan: QueryPlan) -> Question {
    let secrets = secrets(key, scaler, &trigger);
    Question {
        identity: identity(key, scaler, &trigger, &plan, Some(&trigger.domain)),
        alike: identity(key, scaler, &trigger, &plan, None).0,
        component: scaler.digest,
        source: source(key, scaler, &trigger, plan.endpoints.first(), secrets),
        secrets,
        trigger,
        plan,
    }
}

fn identity(
    key: &ProcessKey,
    scaler: &Scaler,
    trigger: &ResolvedTrigger,
    plan: &QueryPlan,
    domain: Option<&str>,
) -> QueryIdentity {
    let mut hash = Keyed::new(key, "query");
    hash.bytes(&scaler.digest.0);
    hash.optional(domain);
    hash.text(&trigger.kind);
    hash.count(trigger.values.len());
    for (name, value) in &trigger.values {
        hash.text(name);
        hash.text(value.text.expose());
        hash.flag(value.from_authentication);
    }
    hash.count(trigger.extras.len());
    for (name, text) in &trigger.extras {
        hash.text(name);
        hash.text(text.expose());
    }
    hash.optional(trigger.identity.as_deref());
    hash.flag(trigger.owner.is_some());
    if let Some(owner) = &trigger.owner {
        hash.text(&format!("{:?}", owner.kind));
        hash.text(&owner.namespace);
        hash.text(&owner.name);
    }
    hash.text(&plan.group);
    hash.count(plan.endpoints.len());
    plan.endpoints.iter().for_each(|endpoint| hash.endpoint(endpoint));
    hash.binding(trigger.bound.as_deref());
    QueryIdentity(hash.finish())
}

/// Over everything that may be a credential: secret parameters, whatever came from an authentication or from the
/// environment, and the pod identity. Of a URL that is not revealed these are its user part and its query: host and port stand
/// beside them wherever they count, and two paths of one server are one source.
fn secrets(key: &ProcessKey, scaler: &Scaler, trigger: &ResolvedTrigger) -> Fingerprint {
    let mut hash = Keyed::new(key, "secrets");
    for (name, value) in &trigger.values {
        if value.secrecy == Secrecy::Open && !value.from_authentication {
            continue;
        }
        let is_url = scaler.parameter(name).is_some_and(|declared| declared.shape == Shape::Url);
        if is_url && value.secrecy != Secrecy::Revealed {
            let (user, query) = credentials(value.text.expose());
            if user.is_some() || query.is_some() {
                hash.text(name);
                hash.optional(user);
                hash.optional(query);
            }
        } else {
            hash.text(name);
            hash.text(value.text.expose());
        }
    }
    hash.optional(trigger.identity.as_deref());
    hash.finish()
}

/// The user part and the query of a URL.
fn credentials(url: &str) -> (Option<&str>, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let authority = before.split('/').next().unwrap_or_default();
    (authority.rsplit_once('@').map(|(user, _)| user), query)
}

/// The source of the first endpoint. Budgets protect a source whoever asks, so neither component nor namespace is part
/// of it; without an endpoint there is no source but the component itself, one per namespace. What secrets are bound to is: so
/// those that may go to different hosts never meet in one batch.
fn source(
    key: &ProcessKey,
    scaler: &Scaler,
    trigger: &ResolvedTrigger,
    endpoint: Option<&Endpoint>,
    secrets: Fingerprint,
) -> SourceKey {
    let mut hash = Keyed::new(key, "source");
    hash.flag(endpoint.is_some());
    match endpoint {
        Some(endpoint) => {
            hash.flag(endpoint.tls.is_some());
            hash.text(&endpoint.host);
            hash.count(endpoint.port.into());
            hash.bytes(&secrets.0);
        }
        None => {
            hash.bytes(&scaler.digest.0);
            hash.text(&trigger.domain);
        }
    }
    hash.binding(trigger.bound.as_deref());
    SourceKey(hash.finish())
}

/// A keyed hash over parts that are told apart by their lengths: no two different sequences hash the same bytes.
struct Keyed(Hmac<Sha256>);

impl Keyed {
    fn new(key: &ProcessKey, purpose: &str) -> Keyed {
        // HMAC fills a key up to its hash's block with zeros: done here, the length cannot be wrong.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key.0);
        let mut hash = Keyed(Hmac::new(&block.into()));
        hash.text(purpose);
        hash
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.update(&[u8::from(flag)]);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        self.text(text.unwrap_or_default());
    }

    fn binding(&mut self, bound: Option<&Binding>) {
        self.flag(bound.is_some());
        if let Some(bound) = bound {
            self.text(bound.authentication());
            self.text(&bound.list());
        }
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        self.optional(endpoint.parameter.as_deref());
        self.text(&endpoint.host);
        self.count(endpoint.port.into());
        self.flag(endpoint.tls.is_some());
        if let Some(tls) = &endpoint.tls {
            self.flag(tls.upgrade);
            self.flag(tls.verify);
            for name in [&tls.server_name, &tls.ca, &tls.certificate, &tls.key, &tls.key_password] {
                self.optional(name.as_deref());
            }
        }
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into_bytes().into())
    }
}
