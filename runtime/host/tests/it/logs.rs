//! What is logged, kept for the test whose namespace it names. The guests' threads are not the test's, so there is one
//! subscriber for all.
use std::fmt::Write as _;
use std::sync::{Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
static INSTALL: Once = Once::new();

struct Keep;

#[derive(Default)]
struct Fields {
    line: String,
    namespace: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.line, " {}={value:?}", field.name());
        if field.name() == "namespace" {
            self.namespace = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields { line: event.metadata().level().to_string(), ..Fields::default() };
        event.record(&mut fields);
        LINES.lock().unwrap().push((fields.namespace, fields.line));
    }
}

/// The lines that are logged about a namespace while something happens.
pub(crate) async fn of<T>(namespace: &str, happens: impl Future<Output = T>) -> Vec<String> {
    INSTALL.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Keep)).unwrap();
    });
    happens.await;
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|(of, _)| of == namespace).map(|(_, line)| line.clone()).collect()
}
