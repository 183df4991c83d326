//! A line to a server that can be cut, and led to another server.

use parking_lot::Mutex;
use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

#[derive(Debug, Default)]
struct State {
    to: String,
    open: Vec<TcpStream>,
}

/// Passes bytes on, both ways.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

impl Line {
    /// A line to the server at `url`.
    pub(super) fn to(url: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let own = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { to: address(url), open: Vec::new() }));
        let shared = state.clone();
        // It ends with the process: nobody connects any more when the test is over.
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let mut state = shared.lock();
                let Ok(to) = TcpStream::connect(&state.to) else { continue };
                for (from, to) in [(&from, &to), (&to, &from)] {
                    let (mut from, mut to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                state.open.extend([from, to]);
            }
        });
        Self { url: own, state }
    }

    /// Cuts every connection; the next ones lead to the server at `url`.
    pub(super) fn lead_to(&self, url: &str) {
        let mut state = self.state.lock();
        state.to = address(url);
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}
