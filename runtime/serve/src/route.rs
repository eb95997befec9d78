//! What a path means.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/healthz`, `/livez`.
    Alive,
    /// `/readyz`.
    Ready,
    Version,
    /// `/`: the list of paths.
    Paths,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group,
    /// `/apis/GROUP/VERSION`.
    Resources,
    OpenApiV2,
    OpenApiV3,
    OpenApiV3Group,
    /// A metric read; the parts are still percent-encoded.
    Metric {
        namespace: &'a str,
        metric: &'a str,
    },
    /// Why an object is as it is; the parts are still percent-encoded.
    Why {
        namespace: &'a str,
        object: &'a str,
    },
    Unknown,
}

/// A group of routes, as metrics tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Metric,
    Discovery,
    OpenApi,
    Health,
    Other,
}

impl Class {
    pub(crate) fn as_label(self) -> &'static str {
        match self {
            Class::Metric => "metric",
            Class::Discovery => "discovery",
            Class::OpenApi => "openapi",
            Class::Health => "health",
            Class::Other => "other",
        }
    }
}

impl<'a> Route<'a> {
    /// The route of a path. One slash at its end is forgiven.
    pub(crate) fn of(path: &'a str) -> Route<'a> {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        match path {
            "/" => Route::Paths,
            "/healthz" | "/livez" => Route::Alive,
            "/readyz" => Route::Ready,
            "/version" => Route::Version,
            "/apis" => Route::Groups,
            "/apis/external.metrics.k8s.io" => Route::Group,
            "/apis/external.metrics.k8s.io/v1beta1" => Route::Resources,
            "/openapi/v2" => Route::OpenApiV2,
            "/openapi/v3" => Route::OpenApiV3,
            "/openapi/v3/apis/external.metrics.k8s.io/v1beta1" => Route::OpenApiV3Group,
            _ => Route::metric(path).unwrap_or(Route::Unknown),
        }
    }

    fn metric(path: &'a str) -> Option<Route<'a>> {
        let rest = path.strip_prefix("/apis/external.metrics.k8s.io/v1beta1/namespaces/")?;
        let (namespace, metric) = rest.split_once('/')?;
        if let Some(object) = metric.strip_prefix("scaledobjects/").and_then(|rest| rest.strip_suffix("/why")) {
            let plain = !namespace.is_empty() && !object.is_empty() && !object.contains('/');
            return plain.then_some(Route::Why { namespace, object });
        }
        let plain = !namespace.is_empty() && !metric.is_empty() && !metric.contains('/');
        plain.then_some(Route::Metric { namespace, metric })
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Route::Metric { .. } => Class::Metric,
            Route::Paths | Route::Groups | Route::Group | Route::Resources | Route::Version => Class::Discovery,
            Route::OpenApiV2 | Route::OpenApiV3 | Route::OpenApiV3Group => Class::OpenApi,
            Route::Alive | Route::Ready => Class::Health,
            Route::Why { .. } | Route::Unknown => Class::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let root = "/apis/external.metrics.k8s.io/v1beta1";
        let table = [
            ("/".to_string(), Route::Paths),
            ("/apis/".into(), Route::Groups),
            (root.into(), Route::Resources),
            (format!("{root}/"), Route::Resources),
            (format!("{root}/namespaces/shop/s0-queue"), Route::Metric { namespace: "shop", metric: "s0-queue" }),
            (format!("{root}/namespaces/shop/s0-queue/"), Route::Metric { namespace: "shop", metric: "s0-queue" }),
            (format!("{root}/namespaces/shop/s0%2Fa"), Route::Metric { namespace: "shop", metric: "s0%2Fa" }),
            (format!("{root}/namespaces/shop"), Route::Unknown),
            (format!("{root}/namespaces//s0-queue"), Route::Unknown),
            (format!("{root}/namespaces/shop/s0-queue/x"), Route::Unknown),
            (format!("{root}/s0-queue"), Route::Unknown),
            (format!("{root}/namespaces/shop/scaledobjects/web/why"), Route::Why { namespace: "shop", object: "web" }),
            (format!("{root}/namespaces/shop/scaledobjects//why"), Route::Unknown),
            (format!("{root}/namespaces/shop/scaledobjects/a/b/why"), Route::Unknown),
            (format!("{root}/namespaces/shop/scaledobjects/web"), Route::Unknown),
            ("/apis/custom.metrics.k8s.io".into(), Route::Unknown),
            ("//".into(), Route::Paths),
            ("".into(), Route::Unknown),
        ];
        for (path, expected) in table {
            assert_eq!(Route::of(&path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(path in ".{0,120}", tail in "[a-z/%0-9]{0,40}") {
            let _ = Route::of(&path).class();
            let _ = Route::of(&format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{tail}")).class();
        }
    }
}
