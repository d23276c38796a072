//! An object store that answers GET and PUT by path, and can be told to fail.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// What the server holds and does.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: HashMap<String, Vec<u8>>,
    /// Answers to give before the right ones: status codes, 0 cuts the body in the middle.
    pub(crate) failures: Vec<u16>,
}

/// A running server; it ends with the test's process.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) state: Arc<Mutex<State>>,
    base: String,
}

impl Store {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { state, base }
    }

    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}/{key}?signature=secret", self.base)
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> String {
        self.state.lock().unwrap().objects.insert(key.to_owned(), bytes.to_vec());
        self.url(key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.state.lock().unwrap().objects.get(key).cloned()
    }

    pub(crate) fn fail(&self, codes: &[u16]) {
        self.state.lock().unwrap().failures = codes.to_vec();
    }
}

/// One connection, request after request.
fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let mut words = head[0].split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap());
        let key = target.trim_start_matches('/').split('?').next().unwrap().to_owned();
        let length = head.iter().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")
                .map(|value| value.trim().parse::<usize>().unwrap())
        });
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let mut state = state.lock().unwrap();
        let failure = (!state.failures.is_empty()).then(|| state.failures.remove(0));
        let found = state.objects.get(&key).cloned();
        let (status, answer) = match (failure, method.as_str(), found) {
            (Some(0), _, found) => (0, found.unwrap_or_default()),
            (Some(code), ..) => (code, b"<Error/>".to_vec()),
            (None, "PUT", _) if length.is_some() => {
                state.objects.insert(key, body);
                (200, Vec::new())
            }
            (None, "PUT", _) => (411, Vec::new()),
            (None, _, Some(bytes)) => (200, bytes),
            (None, _, None) => (404, Vec::new()),
        };
        drop(state);
        if status == 0 {
            let _ = write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            let _ = out.write_all(&answer[..answer.len() / 2]);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
        let _ = write!(out, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
        let _ = out.write_all(&answer);
    }
}
