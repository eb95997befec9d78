//! Credentials for registries, as Docker's `config.json` and Kubernetes' pull secrets (`kubernetes.io/dockerconfigjson`) have them.
use crate::Reference;
use base64::Engine as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Who we are for one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Name and password.
    Basic {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// A refresh token, changed into a short one at the registry's token service.
    Identity(String),
    /// A token that is sent as it is.
    Bearer(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Basic { .. } => "Basic(…)",
            Credential::Identity(_) => "Identity(…)",
            Credential::Bearer(_) => "Bearer(…)",
        })
    }
}

/// Credentials by registry.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    entries: Vec<(Pattern, Credential)>,
    /// Helper programs by registry: `docker-credential-NAME`.
    pub(crate) helpers: BTreeMap<String, String>,
    /// The helper for all others.
    pub(crate) store: Option<String>,
}

/// Why a file or pull secret cannot be used. What it holds is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not JSON of that form.
    #[error("not Docker's config.json: {0}")]
    Form(String),
    /// One entry.
    #[error("auths.{registry}.{field}: {why}")]
    Entry {
        /// Key of the entry.
        registry: String,
        /// Its field.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    /// Reads the bytes of a `config.json`, or of the key `.dockerconfigjson` of a pull secret. Helpers that it names are asked only
    /// by [`Credentials::find`], which a cluster's pull secrets do not get to.
    ///
    /// # Errors
    /// When it is not of that form; the text names the entry and field.
    pub fn from_docker_config(bytes: &[u8]) -> Result<Credentials, CredentialError> {
        let config: DockerConfig = serde_json::from_slice(bytes).map_err(|error| {
            // serde's own text may repeat a value.
            CredentialError::Form(format!("line {}, column {}", error.line(), error.column()))
        })?;
        let mut entries = Vec::new();
        for (registry, auth) in config.auths {
            if let Some(credential) = auth.credential(&registry)? {
                entries.push((Pattern::new(&registry), credential));
            }
        }
        // The longest path is the most specific.
        entries.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.path.len()));
        let helpers = config.cred_helpers.into_iter().filter(|(_, helper)| !helper.is_empty()).collect();
        Ok(Credentials { entries, helpers, store: config.creds_store.filter(|store| !store.is_empty()) })
    }

    /// Adds those of another source; the first that fits is used.
    pub fn extend(&mut self, others: Credentials) {
        self.entries.extend(others.entries);
        self.entries.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.path.len()));
    }

    /// What is written for this repository; none: anonymous.
    pub fn written(&self, reference: &Reference) -> Option<&Credential> {
        self.entries.iter().find(|(pattern, _)| pattern.fits(reference)).map(|(_, credential)| credential)
    }
}

impl DockerAuth {
    fn credential(self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let fault = |field, why| CredentialError::Entry { registry: registry.to_owned(), field, why };
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = set(self.identitytoken) {
            return Ok(Some(Credential::Identity(token)));
        }
        if let Some(token) = set(self.registrytoken) {
            return Ok(Some(Credential::Bearer(token)));
        }
        if let Some(auth) = set(self.auth) {
            let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim());
            let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| fault("auth", "not base64 of text"))?;
            let (user, password) = text.split_once(':').ok_or_else(|| fault("auth", "not base64 of NAME:PASSWORD"))?;
            return Ok(Some(Credential::Basic { user: user.to_owned(), password: password.to_owned() }));
        }
        match (set(self.username), self.password) {
            (Some(user), Some(password)) => Ok(Some(Credential::Basic { user, password })),
            (None, Some(_)) => Err(fault("username", "is missing beside password")),
            (Some(_), None) => Err(fault("password", "is missing beside username")),
            // An entry that only says where a helper keeps it.
            (None, None) => Ok(None),
        }
    }
}

/// Which repositories an entry is for: a host, where `*` stands for one label or a part of one, and the beginning of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    host: String,
    path: String,
}

impl Pattern {
    fn new(key: &str) -> Pattern {
        let key = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        let (host, path) = key.split_once('/').unwrap_or((key, ""));
        // `https://index.docker.io/v1/` is how Docker writes its own.
        let path = if matches!(path, "v1" | "v2") { "" } else { path };
        Pattern { host: hub(&host.to_ascii_lowercase()).to_owned(), path: path.to_owned() }
    }

    fn fits(&self, reference: &Reference) -> bool {
        let path = reference.repository();
        let within = self.path.is_empty()
            || path == self.path
            || path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('/'));
        within && host_fits(&self.host, hub(reference.registry()))
    }
}

/// Docker Hub has several names.
pub(crate) fn hub(host: &str) -> &str {
    if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host }
}

/// Label by label: a `*` never crosses a dot, as in kubelet.
fn host_fits(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern.iter().zip(&host).all(|(pattern, label)| crate::pattern::glob(pattern, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    fn found(config: &str, reference: &str) -> Option<Credential> {
        let credentials = Credentials::from_docker_config(config.as_bytes()).unwrap();
        credentials.written(&reference.parse().unwrap()).cloned()
    }

    #[test]
    fn the_most_specific_entry_is_used() {
        let config = r#"{"auths": {
            "registry.example": {"auth": "YTpvbmU="},
            "https://registry.example/team/": {"username": "b", "password": "two"},
            "*.registry.example": {"auth": "Yzp0aHJlZTpzdGlsbA=="},
            "https://index.docker.io/v1/": {"auth": "ZDpmb3Vy"},
            "tokens.example": {"identitytoken": "five"},
            "empty.example": {}
        }}"#;
        assert_eq!(found(config, "oci://registry.example/q"), Some(basic("a", "one")));
        assert_eq!(found(config, "oci://registry.example/team/q"), Some(basic("b", "two")));
        assert_eq!(found(config, "oci://registry.example/teams/q"), Some(basic("a", "one")));
        assert_eq!(found(config, "oci://eu.registry.example/q"), Some(basic("c", "three:still")));
        assert_eq!(found(config, "oci://a.eu.registry.example/q"), None);
        assert_eq!(found(config, "oci://docker.io/acme/q"), Some(basic("d", "four")));
        assert_eq!(found(config, "oci://tokens.example/q"), Some(Credential::Identity("five".to_owned())));
        assert_eq!(found(config, "oci://empty.example/q"), None);
        assert_eq!(found("{}", "oci://registry.example/q"), None);
    }

    #[test]
    fn what_is_wrong_names_the_entry_and_never_its_content() {
        let says = |config: &str, words: &str| {
            let error = Credentials::from_docker_config(config.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        };
        says(r#"{"auths": {"r.example": {"auth": "hunter2!"}}}"#, "auths.r.example.auth: not base64");
        says(r#"{"auths": {"r.example": {"auth": "aHVudGVyMg=="}}}"#, "NAME:PASSWORD");
        says(r#"{"auths": {"r.example": {"password": "hunter2"}}}"#, "auths.r.example.username");
        says(r#"{"auths": {"r.example": "hunter2"}}"#, "not Docker's config.json: line 1");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown =
            format!("{:?}", Credentials::from_docker_config(br#"{"auths":{"r.example":{"auth":"YTpodW50ZXIy"}}}"#));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
