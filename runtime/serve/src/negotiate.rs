//! Which media type an answer has.
use http::HeaderMap;
use http::header::ACCEPT;

/// The media types that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    /// The same bytes: JSON is YAML.
    Yaml,
}

impl Media {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json",
            Media::Yaml => "application/yaml",
        }
    }
}

/// JSON wherever it is accepted, YAML for who accepts nothing else of ours, `None` when neither is accepted.
///
/// Parameters other than `q` are ignored. Clients that ask for aggregated discovery
/// (`application/json;g=apidiscovery.k8s.io;…`) or for a `Table` see from the content type that they got the plain form,
/// which is what all of them fall back to.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    let mut yaml = false;
    let mut asked = false;
    for value in headers.get_all(ACCEPT) {
        // What is not text names no type that we know.
        for range in value.to_str().unwrap_or("?").split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            if kind.is_empty() {
                continue;
            }
            asked = true;
            if parts.any(refuses) {
                continue;
            }
            if ["application/json", "application/*", "*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
                return Some(Media::Json);
            }
            yaml |= ["application/yaml", "application/x-yaml", "text/yaml"]
                .iter()
                .any(|known| kind.eq_ignore_ascii_case(known));
        }
    }
    match (asked, yaml) {
        (false, _) => Some(Media::Json),
        (true, true) => Some(Media::Yaml),
        (true, false) => None,
    }
}

/// Whether a parameter is `q=0`: not acceptable.
fn refuses(parameter: &str) -> bool {
    parameter
        .split_once('=')
        .is_some_and(|(name, value)| name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn accept_headers() {
        let table: &[(&[&str], Option<Media>)] = &[
            (&[], Some(Media::Json)),
            (&[""], Some(Media::Json)),
            (&["*/*"], Some(Media::Json)),
            (&["application/vnd.kubernetes.protobuf,application/json"], Some(Media::Json)),
            (&["application/vnd.kubernetes.protobuf", "Application/JSON ; q=0.5"], Some(Media::Json)),
            (&["application/vnd.kubernetes.protobuf"], None),
            (&["application/json;q=0"], None),
            (&["application/json;q=0.0, application/yaml"], Some(Media::Yaml)),
            (&["application/yaml"], Some(Media::Yaml)),
            (&["application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"], Some(Media::Json)),
            (&["text/html"], None),
        ];
        for (accept, expected) in table {
            let mut headers = HeaderMap::new();
            accept.iter().for_each(|value| {
                headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
            });
            assert_eq!(negotiate(&headers), *expected, "{accept:?}");
        }
    }
}
