//! A server under test, with a clock that tests move and access reviews that tests answer.
use crate::pki::{Authority, Client};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use windlass_core::board::{Basis, Board, MetricKey, Served};
use windlass_core::port::BoxFuture;
use windlass_core::{MetricName, Milli, Mono, Now, Reason, Wall};
use windlass_serve::{
    Access, AccessOptions, AccessReview, Authenticator, Bundle, Clock, ExternalMetrics, FrontProxy, Gate, Limits,
    Metrics, Readiness, ReviewError, ServingCertificate, User, Validity, serve, server_config,
};

/// Real time plus what a test added. The two clocks run together.
#[derive(Clone)]
pub(crate) struct TestClock {
    begun: Wall,
    ahead_ms: Arc<AtomicI64>,
}

impl TestClock {
    fn new() -> TestClock {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        TestClock { begun: Wall(since.as_millis().try_into().unwrap()), ahead_ms: Arc::default() }
    }

    pub(crate) fn now(&self) -> Now {
        let ahead = self.ahead_ms.load(Ordering::SeqCst);
        Now { mono: Mono(1_000_000 + u64::try_from(ahead).unwrap()), wall: Wall(self.begun.0 + ahead) }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// Access reviews as a test wants them.
#[derive(Clone)]
pub(crate) struct Reviews {
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) users: Arc<Mutex<Vec<User>>>,
    answer: Arc<Mutex<Result<bool, ReviewError>>>,
    /// Closed gates hold reviews up.
    pub(crate) permits: Arc<Semaphore>,
}

impl Reviews {
    fn new() -> Reviews {
        Reviews {
            asked: Arc::default(),
            users: Arc::default(),
            answer: Arc::new(Mutex::new(Ok(true))),
            permits: Arc::new(Semaphore::new(1_000_000)),
        }
    }

    pub(crate) fn answer(&self, answer: Result<bool, ReviewError>) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl AccessReview for Reviews {
    fn review<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<bool, ReviewError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.users.lock().unwrap().push(user.clone());
        Box::pin(async {
            self.permits.acquire().await.unwrap().forget();
            self.answer.lock().unwrap().clone()
        })
    }
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: TestClock,
    pub(crate) reviews: Reviews,
    pub(crate) trust: watch::Sender<FrontProxy>,
    pub(crate) bundle: Bundle,
    pub(crate) certificate: ServingCertificate,
    pub(crate) synced: Gate,
    pub(crate) registry: Registry,
    pub(crate) client_ca: Authority,
    pub(crate) front_proxy_ca: Authority,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<()>,
}

pub(crate) const HOST: &str = "windlass-metrics-apiserver.windlass-system.svc";

pub(crate) fn config_map(client_ca: &Authority, front_proxy_ca: &Authority) -> BTreeMap<String, String> {
    [
        ("client-ca-file", client_ca.pem.as_str()),
        ("requestheader-client-ca-file", &front_proxy_ca.pem),
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ]
    .map(|(key, value)| (key.to_string(), value.to_string()))
    .into()
}

impl TestServer {
    pub(crate) async fn start() -> TestServer {
        TestServer::with(Limits::default(), AccessOptions::default()).await
    }

    pub(crate) async fn with(limits: Limits, options: AccessOptions) -> TestServer {
        let (client_ca, front_proxy_ca) = (Authority::new("kubernetes"), Authority::new("front-proxy"));
        let trust = FrontProxy::from_config_map(&config_map(&client_ca, &front_proxy_ca)).unwrap();
        let (trust, followed) = watch::channel(trust);
        let clock = TestClock::new();
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        let reviews = Reviews::new();
        let readiness = Arc::new(Readiness::default());
        let synced = readiness.gate("synced");
        synced.open();
        let board = Arc::new(Board::new());
        let access = Access::new(reviews.clone(), clock.clock(), metrics.clone(), options);
        let api = ExternalMetrics::new(
            board.clone(),
            clock.clock(),
            Authenticator::new(followed),
            access,
            readiness,
            metrics,
        );
        let bundle = Bundle::generate(&[HOST.to_string()], Validity::default(), clock.now().wall).unwrap();
        let certificate = ServingCertificate::new(&bundle).unwrap();
        let tls = server_config(certificate.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, tls, Arc::new(api), limits, shutdown.clone()));
        TestServer {
            address,
            board,
            clock,
            reviews,
            trust,
            bundle,
            certificate,
            synced,
            registry,
            client_ca,
            front_proxy_ca,
            shutdown,
            served,
        }
    }

    pub(crate) fn front_proxy(&self) -> Client {
        self.front_proxy_ca.client("front-proxy-client", &[])
    }

    /// Shows a value that was read now and may be used for a minute.
    pub(crate) fn show(&self, object: &str, metric: &str, value: Result<Milli, Reason>) {
        let now = self.clock.now();
        let key = MetricKey { namespace: "shop".into(), object: object.into(), metric: MetricName::new(0, metric) };
        self.board.show(
            &key,
            Served {
                value,
                basis: Basis::Measured,
                observed: now.mono,
                observed_wall: now.wall,
                valid_until: now.mono + Duration::from_secs(60),
            },
        );
    }

    /// The value of one line of the Prometheus text.
    pub(crate) fn metric(&self, line: &str) -> Option<f64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ').map(str::to_owned));
        found.map(|value| value.parse().unwrap())
    }
}

/// The path of a metric in namespace `shop`.
pub(crate) fn path(metric: &str, selector: &str) -> String {
    let selector: String = selector.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/{metric}?labelSelector={selector}")
}

/// The path by which the HPA controller reads a metric of a ScaledObject.
pub(crate) fn path_of(metric: &str, object: &str) -> String {
    path(metric, &format!("scaledobject.keda.sh/name={object}"))
}
