//! A connection that costs the measuring side as little as possible: HTTP/1.1, one request at a time, kept open.

use super::super::BenchError;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// How long to wait before a transaction is handed in again for which there was no room.
const ROOM: Duration = Duration::from_millis(5);
/// Most bytes of an answer; none that is asked for here is near it.
const ANSWER_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    address: String,
}

#[derive(serde::Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<Value>,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await.map_err(|error| failed(address, &error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(address, &error.to_string()))?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned() })
    }

    /// The result of a call. Where there is no room for a transaction it waits and asks again, which counts as part of the
    /// answer's time.
    pub(super) async fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, BenchError> {
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        loop {
            let bytes = self.post("/", "application/json", body.as_bytes()).await?;
            let answer: Answer =
                serde_json::from_slice(&bytes).map_err(|error| failed(&self.address, &error.to_string()))?;
            match (answer.result, answer.error) {
                (_, Some(error)) if error.to_string().contains("txpool is full") => tokio::time::sleep(ROOM).await,
                (_, Some(error)) => return Err(failed(&self.address, &error.to_string())),
                (result, None) => return Ok(result.unwrap_or_default()),
            }
        }
    }

    /// What a POST request gets, whatever its status is.
    pub(super) async fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>, BenchError> {
        let answer = self.exchange(path, kind, body).await;
        answer.map_err(|error| self.failed(&error.to_string()))
    }

    /// The error that something went wrong here.
    pub(super) fn failed(&self, reason: &str) -> BenchError {
        failed(&self.address, reason)
    }

    async fn exchange(&mut self, path: &str, kind: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await?;
        let mut length = None;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let length = length.filter(|length| *length <= ANSWER_BYTES).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

fn failed(address: &str, reason: &str) -> BenchError {
    BenchError::Network { address: address.to_owned(), reason: reason.to_owned() }
}
