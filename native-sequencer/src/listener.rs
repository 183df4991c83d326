//! Accepting connections: no more than a number of them, and none that lets what is written to it pile up.
//!
//! Guaranteed of every connection, whatever is spoken over it: while the peer takes nothing of what is written, nothing more
//! is read from it, so it cannot ask for more answers than it takes; and if it takes nothing for
//! [`limits::SLOW_READER`] it is dropped.

use crate::limits;
use axum::{
    Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    middleware::map_request,
    serve::{IncomingStream, Listener},
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

/// Serves `app` at `listener` until the future is dropped. Handlers can extract `ConnectInfo<SocketAddr>`.
///
/// # Errors
/// Only if the listener breaks.
pub async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    let app =
        app.layer(map_request(|ConnectInfo(Peer(address)): ConnectInfo<Peer>, mut request: Request| async move {
            request.extensions_mut().insert(ConnectInfo(address));
            request
        }));
    axum::serve(BoundedListener::new(listener), app.into_make_service_with_connect_info::<Peer>()).await
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, BoundedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A listener for `axum::serve`.
#[derive(Debug)]
struct BoundedListener {
    listener: TcpListener,
    connections: Arc<Semaphore>,
}

impl BoundedListener {
    /// Accepts from `listener`, [`limits::CONNECTIONS`] at once; more wait in the operating system's queue.
    fn new(listener: TcpListener) -> Self {
        Self { listener, connections: Arc::new(Semaphore::new(limits::CONNECTIONS)) }
    }
}

impl Listener for BoundedListener {
    type Io = Paced<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // The semaphore is never closed; if it were, connections would be unbounded, which is still correct.
        let permit = self.connections.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small and waited for. If it cannot be set, they are slower.
        let _ = stream.set_nodelay(true);
        (Paced::new(stream, limits::SLOW_READER, permit), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that is read only while what is written to it is taken.
#[derive(Debug)]
struct Paced<S> {
    stream: S,
    patience: Duration,
    /// Set while a write waits: when the connection is dropped.
    stuck: Option<Pin<Box<Sleep>>>,
    /// Whoever waits to read until the write is done.
    reader: Option<Waker>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Paced<S> {
    fn new(stream: S, patience: Duration, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { stream, patience, stuck: None, reader: None, _permit: permit }
    }

    /// Takes note of how a write went.
    fn note<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            return written;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stuck.is_some() {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.note(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_dropped() {
        let (ours, _theirs) = duplex(8);
        let mut paced = Paced::new(ours, Duration::ZERO, None);
        let error = paced.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn patience_begins_anew_with_whatever_is_taken() {
        let (ours, mut theirs) = duplex(8);
        let mut paced = Paced::new(ours, Duration::from_secs(3_600), None);
        let mut context = Context::from_waker(Waker::noop());
        let mut deadlines = Vec::new();
        for _ in 0..2 {
            while Pin::new(&mut paced).poll_write(&mut context, &[0]).is_ready() {
                assert!(paced.stuck.is_none());
            }
            deadlines.extend(paced.stuck.as_ref().map(|stuck| stuck.deadline()));
            theirs.read_exact(&mut [0]).await.unwrap();
        }
        assert!(deadlines[0] < deadlines[1]);
    }

    #[tokio::test]
    async fn nothing_is_read_while_a_write_waits() {
        let (ours, mut theirs) = duplex(8);
        let mut paced = Paced::new(ours, Duration::from_secs(3_600), None);
        theirs.write_all(b"more").await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut paced).poll_write(&mut context, &[0; 8]).is_ready());
        assert!(Pin::new(&mut paced).poll_write(&mut context, &[0; 8]).is_pending());
        let mut buffer = [0; 8];
        let mut read = ReadBuf::new(&mut buffer);
        assert!(Pin::new(&mut paced).poll_read(&mut context, &mut read).is_pending());
        theirs.read_exact(&mut [0; 8]).await.unwrap();
        assert!(Pin::new(&mut paced).poll_write(&mut context, &[0; 8]).is_ready());
        assert!(Pin::new(&mut paced).poll_read(&mut context, &mut read).is_ready());
        assert_eq!(read.filled(), b"more");
    }
}
