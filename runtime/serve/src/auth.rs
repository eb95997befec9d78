//! Who asks. Requests come from the API server's aggregation layer, which proves itself by its front-proxy certificate and
//! tells the user in headers; or directly from clients with a certificate of the cluster's client authority.
use crate::status::Problem;
use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, server};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use windlass_core::Wall;
use x509_parser::certificate::X509Certificate;

/// How long the judgement of a living connection's certificate holds. Certificates end, and so must this.
const JUDGED_FOR: Duration = Duration::from_secs(60);

/// Somebody whom the API server, or a certificate, vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// Name.
    pub name: String,
    /// Unique identifier, when there is one.
    pub uid: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// What else the authenticator told.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What the ConfigMap `kube-system/extension-apiserver-authentication` says: whom to believe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontProxy {
    /// Authority of the cluster's client certificates, PEM; empty: none are taken.
    pub client_ca: String,
    /// Authority of the aggregation layer's certificate, PEM; empty: no user headers are believed.
    pub request_header_ca: String,
    /// Common names that the aggregation layer's certificate may have; empty: any.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name, the first that is there counts.
    pub username_headers: Vec<String>,
    /// Headers with the user's identifier.
    pub uid_headers: Vec<String>,
    /// Headers with the user's groups.
    pub group_headers: Vec<String>,
    /// Prefixes of headers with further attributes.
    pub extra_header_prefixes: Vec<String>,
}

/// Why the trust cannot be used; the former one stays in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrontProxyError {
    /// Not a list of texts.
    #[error("{0} of ConfigMap extension-apiserver-authentication is not a JSON list of texts")]
    NotAList(&'static str),
    /// Not certificates.
    #[error("{0} of ConfigMap extension-apiserver-authentication is not a PEM bundle of certificate authorities")]
    NotAuthorities(&'static str),
    /// Not the name of a header.
    #[error("{0:?} of ConfigMap extension-apiserver-authentication is not the name of a header")]
    NotAHeader(String),
}

const CLIENT_CA: &str = "client-ca-file";
const REQUEST_HEADER_CA: &str = "requestheader-client-ca-file";

impl FrontProxy {
    /// From the data of the ConfigMap.
    ///
    /// # Errors
    /// When one of the lists in it is malformed.
    pub fn from_config_map(data: &BTreeMap<String, String>) -> Result<FrontProxy, FrontProxyError> {
        let text = |key: &str| data.get(key).cloned().unwrap_or_default();
        let list = |key: &'static str| match data.get(key).map(String::as_str) {
            None | Some("") => Ok(Vec::new()),
            Some(json) => serde_json::from_str(json).map_err(|_| FrontProxyError::NotAList(key)),
        };
        Ok(FrontProxy {
            client_ca: text(CLIENT_CA),
            request_header_ca: text(REQUEST_HEADER_CA),
            allowed_names: list("requestheader-allowed-names")?,
            username_headers: list("requestheader-username-headers")?,
            uid_headers: list("requestheader-uid-headers")?,
            group_headers: list("requestheader-group-headers")?,
            extra_header_prefixes: list("requestheader-extra-headers-prefix")?,
        })
    }
}

/// A [`FrontProxy`] made ready.
#[derive(Debug, Default)]
struct Trust {
    /// Grows with each change, so that what was judged by a former trust is judged again.
    generation: u64,
    client: Option<Arc<dyn ClientCertVerifier>>,
    request_header: Option<Arc<dyn ClientCertVerifier>>,
    allowed_names: Vec<String>,
    username: Vec<HeaderName>,
    uid: Vec<HeaderName>,
    group: Vec<HeaderName>,
    /// Lower case.
    extra: Vec<String>,
}

impl Trust {
    fn new(generation: u64, from: &FrontProxy) -> Result<Trust, FrontProxyError> {
        Ok(Trust {
            generation,
            client: verifier(&from.client_ca, CLIENT_CA)?,
            request_header: verifier(&from.request_header_ca, REQUEST_HEADER_CA)?,
            allowed_names: from.allowed_names.clone(),
            username: headers(&from.username_headers)?,
            uid: headers(&from.uid_headers)?,
            group: headers(&from.group_headers)?,
            extra: from.extra_header_prefixes.iter().map(|prefix| prefix.to_ascii_lowercase()).collect(),
        })
    }

    /// Whether a header tells something of the user.
    fn concerns(&self, name: &HeaderName) -> bool {
        self.username.contains(name)
            || self.group.contains(name)
            || self.uid.contains(name)
            || self.extra.iter().any(|prefix| name.as_str().starts_with(prefix.as_str()))
    }
}

fn headers(names: &[String]) -> Result<Vec<HeaderName>, FrontProxyError> {
    names.iter().map(|name| name.parse().map_err(|_| FrontProxyError::NotAHeader(name.clone()))).collect()
}

fn verifier(pem: &str, key: &'static str) -> Result<Option<Arc<dyn ClientCertVerifier>>, FrontProxyError> {
    if pem.trim().is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| FrontProxyError::NotAuthorities(key))?;
        roots.add(certificate).map_err(|_| FrontProxyError::NotAuthorities(key))?;
    }
    let verifier: Result<_, server::VerifierBuilderError> =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider())).build();
    verifier.map(Some).map_err(|_| FrontProxyError::NotAuthorities(key))
}

/// Tells who asks, by the trust of this moment.
#[derive(Debug)]
pub struct Authenticator {
    source: RwLock<watch::Receiver<FrontProxy>>,
    trust: ArcSwap<Trust>,
}

impl Authenticator {
    /// Follows `source`. What it holds now may be the empty default: then nobody is believed until it changes.
    pub fn new(mut source: watch::Receiver<FrontProxy>) -> Authenticator {
        let trust = ArcSwap::default();
        renew(&trust, &mut source);
        Authenticator { source: RwLock::new(source), trust }
    }

    fn trust(&self) -> Arc<Trust> {
        let changed = |source: &watch::Receiver<FrontProxy>| source.borrow().has_changed();
        if changed(&self.source.read().unwrap_or_else(PoisonError::into_inner)) {
            let mut source = self.source.write().unwrap_or_else(PoisonError::into_inner);
            if changed(&source) {
                renew(&self.trust, &mut source);
            }
        }
        self.trust.load_full()
    }

    /// Who asks.
    pub(crate) fn identify<'a>(&self, peer: &Peer, headers: &'a HeaderMap, now: Wall) -> Result<Identity<'a>, Problem> {
        let trust = self.trust();
        let certificate = match peer.judge(&trust, now) {
            Standing::FrontProxy => {
                let named = trust.username.iter().any(|name| headers.get(name).is_some_and(|value| !value.is_empty()));
                if !named {
                    return Err(Problem::unauthorized("the front proxy names no user"));
                }
                None
            }
            Standing::Client(user) => Some(user),
            Standing::Nobody(why) => return Err(Problem::unauthorized(why)),
        };
        Ok(Identity { trust, certificate, headers })
    }
}

/// Takes over what the source holds now.
fn renew(trust: &ArcSwap<Trust>, source: &mut watch::Receiver<FrontProxy>) {
    let generation = trust.load().generation + 1;
    match Trust::new(generation, &source.borrow_and_update()) {
        Ok(renewed) => trust.store(Arc::new(renewed)),
        Err(error) => tracing::warn!(%error, "clients of the metrics API are judged by the former trust"),
    }
}

/// The other end of a connection.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    chain: Vec<CertificateDer<'static>>,
    judged: ArcSwapOption<Judged>,
}

#[derive(Debug)]
struct Judged {
    generation: u64,
    at: Wall,
    standing: Standing,
}

/// What a client certificate makes of its holder.
#[derive(Clone, Debug)]
enum Standing {
    /// May speak for others.
    FrontProxy,
    /// Speaks for itself.
    Client(Arc<User>),
    /// Not believed, and why.
    Nobody(&'static str),
}

impl Peer {
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>) -> Peer {
        Peer { chain, judged: ArcSwapOption::empty() }
    }

    /// The standing by `trust`; remembered for [`JUDGED_FOR`].
    fn judge(&self, trust: &Trust, now: Wall) -> Standing {
        let judged = self.judged.load();
        let holds = judged.as_ref().filter(|judged| {
            judged.generation == trust.generation && now >= judged.at && now <= judged.at + JUDGED_FOR
        });
        if let Some(judged) = holds {
            return judged.standing.clone();
        }
        let standing = self.verify(trust, now);
        let judged = Judged { generation: trust.generation, at: now, standing: standing.clone() };
        self.judged.store(Some(Arc::new(judged)));
        standing
    }

    fn verify(&self, trust: &Trust, now: Wall) -> Standing {
        let Some((leaf, rest)) = self.chain.split_first() else {
            return Standing::Nobody("no client certificate: read metrics through the API server");
        };
        let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now.0).unwrap_or(0)));
        let signed_by = |verifier: &Option<Arc<dyn ClientCertVerifier>>| {
            verifier.as_ref().is_some_and(|verifier| verifier.verify_client_cert(leaf, rest, now).is_ok())
        };
        let parsed = x509_parser::parse_x509_certificate(leaf);
        let Ok((_, parsed)) = parsed else {
            return Standing::Nobody("the client certificate cannot be read");
        };
        let name = common_name(&parsed);
        let by_front_proxy = signed_by(&trust.request_header);
        if by_front_proxy {
            let allowed = &trust.allowed_names;
            if allowed.is_empty() || name.is_some_and(|name| allowed.iter().any(|allowed| allowed == name)) {
                return Standing::FrontProxy;
            }
        }
        if signed_by(&trust.client) {
            return match name {
                Some(name) if !name.is_empty() => Standing::Client(Arc::new(user_of(name, &parsed))),
                _ => Standing::Nobody("the client certificate names no user"),
            };
        }
        Standing::Nobody(match by_front_proxy {
            true => "the client certificate's name is not one that the front proxy may have",
            false => "the client certificate is not signed by an authority that this cluster trusts, or has ended",
        })
    }
}

fn common_name<'a>(certificate: &'a X509Certificate<'a>) -> Option<&'a str> {
    certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok())
}

/// A client certificate's user: its common name, its organisations as groups, as the API server has it.
fn user_of(name: &str, certificate: &X509Certificate<'_>) -> User {
    let organisations = certificate.subject().iter_organization();
    let mut groups: Vec<String> = organisations.filter_map(|group| group.as_str().ok().map(str::to_owned)).collect();
    groups.push("system:authenticated".to_owned());
    User { name: name.to_owned(), groups, ..User::default() }
}

/// A believed user, not yet copied out of the request.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    trust: Arc<Trust>,
    certificate: Option<Arc<User>>,
    headers: &'a HeaderMap,
}

impl Identity<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let told = self.certificate.is_none();
        self.headers.iter().filter(move |(name, _)| told && self.trust.concerns(name))
    }

    /// Whether the user is in `group`.
    pub(crate) fn in_group(&self, group: &str) -> bool {
        match &self.certificate {
            Some(user) => user.groups.iter().any(|held| held == group),
            None => self.trust.group.iter().any(|name| self.headers.get_all(name).iter().any(|held| held == group)),
        }
    }

    /// The user's name.
    pub(crate) fn name(&self) -> String {
        self.user().name
    }

    /// The user, copied.
    pub(crate) fn user(&self) -> User {
        if let Some(user) = &self.certificate {
            return User::clone(user);
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let first = |names: &[HeaderName]| {
            names.iter().filter_map(|name| self.headers.get(name)).find(|value| !value.is_empty()).map(text)
        };
        let mut user = User { name: first(&self.trust.username).unwrap_or_default(), ..User::default() };
        user.uid = first(&self.trust.uid);
        for name in &self.trust.group {
            user.groups.extend(self.headers.get_all(name).iter().map(text));
        }
        for (name, value) in self.headers {
            let key = self.trust.extra.iter().find_map(|prefix| name.as_str().strip_prefix(prefix.as_str()));
            if let Some(key) = key {
                user.extra.entry(unescape(key)).or_default().push(text(value));
            }
        }
        user
    }

    /// What stands for this user in a cache.
    pub(crate) fn to_key(&self) -> IdentityKey {
        let pairs = self.pairs().map(|(name, value)| (name.clone(), value.clone())).collect();
        IdentityKey { generation: self.trust.generation, certificate: self.certificate.clone(), pairs }
    }
}

/// Keys of extra attributes are percent-encoded in header names; what is not, is taken as it is.
fn unescape(key: &str) -> String {
    crate::selector::decode(key, crate::selector::Plus::Literal)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
        .unwrap_or_else(|| key.to_owned())
}

/// An [`Identity`] that can be kept. Two users of equal headers under equal trust are the same, in whatever order the headers
/// came: the aggregation layer sends them from a map, in another order each time. The values of one name keep theirs.
#[derive(Clone, Debug)]
pub(crate) struct IdentityKey {
    generation: u64,
    certificate: Option<Arc<User>>,
    pairs: Vec<(HeaderName, HeaderValue)>,
}

impl IdentityKey {
    fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        self.pairs.iter().filter(move |(held, _)| held == name).map(|(_, value)| value)
    }
}

impl PartialEq for IdentityKey {
    fn eq(&self, other: &IdentityKey) -> bool {
        self.generation == other.generation
            && self.certificate == other.certificate
            && self.pairs.len() == other.pairs.len()
            && self.pairs.iter().all(|(name, _)| self.values(name).eq(other.values(name)))
    }
}

impl Eq for IdentityKey {}

impl Hash for IdentityKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.generation, &self.certificate, self.pairs.iter().map(|(name, value)| (name, value)), state);
    }
}

impl Hash for Identity<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.trust.generation, &self.certificate, self.pairs(), state);
    }
}

/// The one way to hash both forms, so that a look-up by the borrowed one finds the kept one. The order does not count.
fn hash<'a, H: Hasher>(
    generation: u64,
    certificate: &Option<Arc<User>>,
    pairs: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    state: &mut H,
) {
    generation.hash(state);
    certificate.hash(state);
    let sum = pairs.fold(0_u64, |sum, pair| {
        let mut one = DefaultHasher::new();
        pair.hash(&mut one);
        sum.wrapping_add(one.finish())
    });
    sum.hash(state);
}

impl papaya::Equivalent<IdentityKey> for Identity<'_> {
    fn equivalent(&self, key: &IdentityKey) -> bool {
        self.trust.generation == key.generation
            && self.certificate == key.certificate
            && self.pairs().count() == key.pairs.len()
            && self.pairs().all(|(name, _)| self.headers.get_all(name).iter().eq(key.values(name)))
    }
}
