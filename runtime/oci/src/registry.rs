//! The few requests of the distribution specification that components need.
use crate::transport::{Access, Ask, Session, Transport};
use crate::{Credential, Digest, Fault, Reference};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Deserialize;

/// Media type of manifests.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Manifests of components and signatures have a few kilobytes.
pub(crate) const MANIFEST_LIMIT: u64 = 1 << 20;

/// An index, as far as it is read.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    digest: String,
    artifact_type: Option<String>,
}

/// A repository, for one user.
pub(crate) struct Repository {
    session: Session,
    reference: Reference,
}

impl Repository {
    pub(crate) fn open(
        transport: &Transport,
        reference: &Reference,
        credential: Option<Credential>,
        access: Access,
    ) -> Repository {
        Repository { session: transport.session(reference, credential, access), reference: reference.clone() }
    }

    /// The manifest of a reference and its digest, which is the one asked for where one was.
    pub(crate) async fn manifest(&self, reference: &Reference) -> Result<(Digest, Bytes), Fault> {
        let mut headers = HeaderMap::new();
        // Registries without the index among the accepted ones answer 404, which would hide what is wrong.
        headers.append(ACCEPT, HeaderValue::from_static(MANIFEST));
        headers.append(ACCEPT, HeaderValue::from_static(INDEX));
        let uri = self.session.uri(&format!("manifests/{}", reference.asked()))?;
        let answer = self.session.ask(get(uri, headers, "manifest", MANIFEST_LIMIT)).await?;
        let digest = Digest::of(&answer.body);
        if let Some(expected) = reference.digest() {
            same(expected, digest)?;
        }
        Ok((digest, answer.body))
    }

    /// Manifests of a type that refer to one, at most so many: as the registry lists them, or, where it cannot, as whoever stored
    /// them did (distribution specification 1.1, "Referrers Tag Schema").
    pub(crate) async fn referrers(&self, to: Digest, artifact_type: &str, most: usize) -> Result<Vec<Digest>, Fault> {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static(INDEX));
        let uri = self.session.uri(&format!("referrers/{to}"))?;
        let listed = match self.session.ask(get(uri, headers, "manifest", MANIFEST_LIMIT)).await {
            Ok(answer) => answer.body,
            Err(Fault::NotFound { .. } | Fault::BadAnswer { .. }) => {
                match self.manifest(&self.reference.tagged(format!("sha256-{}", to.hex()))).await {
                    Ok((_, bytes)) => bytes,
                    Err(Fault::NotFound { .. }) => return Ok(Vec::new()),
                    Err(fault) => return Err(fault),
                }
            }
            Err(fault) => return Err(fault),
        };
        let index: Index = serde_json::from_slice(&listed)
            .map_err(|_| Fault::BadAnswer { why: "what refers to the manifest is no index".to_owned() })?;
        let fits = |listed: &Listed| listed.artifact_type.as_deref().is_some_and(|own| own.starts_with(artifact_type));
        let digests =
            index.manifests.iter().filter(|listed| fits(listed)).filter_map(|listed| listed.digest.parse().ok());
        Ok(digests.take(most).collect())
    }

    /// A blob, which has the digest and no more than the bytes.
    pub(crate) async fn blob(&self, digest: Digest, what: &'static str, limit: u64) -> Result<Bytes, Fault> {
        let uri = self.session.uri(&format!("blobs/{digest}"))?;
        let answer = self.session.ask(get(uri, HeaderMap::new(), what, limit)).await?;
        same(digest, Digest::of(&answer.body))?;
        Ok(answer.body)
    }

    /// Stores a blob, unless it is there.
    pub(crate) async fn put_blob(&self, bytes: Bytes) -> Result<(), Fault> {
        let digest = Digest::of(&bytes);
        let uri = self.session.uri(&format!("blobs/{digest}"))?;
        let head = Ask { method: Method::HEAD, ..get(uri, HeaderMap::new(), "blob", 0) };
        match self.session.ask(head).await {
            Ok(_) => return Ok(()),
            Err(Fault::NotFound { .. }) => {}
            Err(fault) => return Err(fault),
        }
        let start = self.session.uri("blobs/uploads/")?;
        let begin = Ask { method: Method::POST, ..get(start.clone(), HeaderMap::new(), "repository", 64 * 1024) };
        let begun = self.session.ask(begin).await?;
        let to = Session::leads(&start, &begun.headers)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let uri = with_query(&to, "digest", &digest.to_string())?;
        self.session.ask(Ask { method: Method::PUT, body: bytes, ..get(uri, headers, "upload", 64 * 1024) }).await?;
        Ok(())
    }

    /// Stores a manifest under the reference's tag, or under its digest where there is no tag.
    pub(crate) async fn put_manifest(&self, reference: &Reference, bytes: Bytes) -> Result<Digest, Fault> {
        let digest = Digest::of(&bytes);
        let name = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let uri = self.session.uri(&format!("manifests/{name}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
        self.session
            .ask(Ask { method: Method::PUT, body: bytes, ..get(uri, headers, "repository", 64 * 1024) })
            .await?;
        Ok(digest)
    }

    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }
}

fn get(uri: Uri, headers: HeaderMap, what: &'static str, limit: u64) -> Ask {
    Ask { method: Method::GET, uri, headers, body: Bytes::new(), what, limit }
}

fn same(expected: Digest, actual: Digest) -> Result<(), Fault> {
    if expected == actual { Ok(()) } else { Err(Fault::DigestMismatch { expected, actual }) }
}

fn with_query(uri: &Uri, name: &str, value: &str) -> Result<Uri, Fault> {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    format!("{uri}{separator}{pair}").parse().map_err(|_| Fault::BadAnswer { why: "its Location is no URL".to_owned() })
}
