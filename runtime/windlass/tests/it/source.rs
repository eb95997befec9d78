//! An event source on loopback.
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Answers every request with the same document, over connections that stay open. Its thread ends with the process.
pub(crate) struct Source {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    document: Arc<Mutex<String>>,
}

impl Source {
    pub(crate) fn start(document: &str) -> Source {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let source = Source {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            document: Arc::new(Mutex::new(document.to_owned())),
        };
        let (requests, document) = (source.requests.clone(), source.document.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (requests, document) = (requests.clone(), document.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &requests, &document));
            }
        });
        source
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Answers this from now on.
    pub(crate) fn says(&self, document: &str) {
        *self.document.lock().unwrap() = document.to_owned();
    }
}

fn serve(stream: TcpStream, requests: &AtomicUsize, document: &Mutex<String>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            requests.fetch_add(1, Ordering::SeqCst);
            let body = document.lock().unwrap().clone();
            if write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).is_err() {
                return;
            }
        }
    }
}
