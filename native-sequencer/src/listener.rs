//! Accepting connections: no more than a number of them, and none that lets what is written to it pile up.
//!
//! Guaranteed of every connection, whatever is spoken over it: while the peer takes nothing of what is written, nothing more
//! is read from it, so it cannot ask for more answers than it takes; if it takes nothing for [`limits::SLOW_READER`] it is
//! dropped; and so is one that has been given nothing for [`limits::UNANSWERED`]: a peer that has nothing to ask, or takes
//! for ever to ask it, keeps nobody out. (Sockets that are open for long are pinged more often than that.)

mod backlog;

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
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

use backlog::Backlogs;
pub use backlog::{Asked, Backlog, Debt, TooMuchAsked};

/// Listens at `address`, with room for [`limits::CONNECTIONS_WAITING`]. Called on a tokio runtime.
///
/// # Errors
/// Those of the operating system: the port is in use, say.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio's own listeners: elsewhere that would let two listen at one port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::CONNECTIONS_WAITING)
}

/// Serves `app` at `listener` until the future is dropped. Requests have `ConnectInfo<SocketAddr>` and their connection's
/// [`Backlog`] as extensions.
///
/// # Errors
/// Only if the listener breaks.
pub async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    let app = app.layer(map_request(|ConnectInfo(peer): ConnectInfo<Peer>, mut request: Request| async move {
        request.extensions_mut().insert(ConnectInfo(peer.address));
        request.extensions_mut().insert(peer.backlog);
        request
    }));
    axum::serve(BoundedListener::new(listener), app.into_make_service_with_connect_info::<Peer>()).await
}

/// The other end of a connection.
#[derive(Clone, Debug)]
struct Peer {
    address: SocketAddr,
    backlog: Backlog,
}

impl Connected<IncomingStream<'_, BoundedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        Self { address: *stream.remote_addr(), backlog: stream.io().backlog.clone() }
    }
}

/// A listener for `axum::serve`.
#[derive(Debug)]
struct BoundedListener {
    listener: TcpListener,
    connections: Arc<Semaphore>,
    backlogs: Backlogs,
}

impl BoundedListener {
    /// Accepts from `listener`, [`limits::CONNECTIONS`] at once; more wait in the operating system's queue.
    fn new(listener: TcpListener) -> Self {
        let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
        Self { listener, connections, backlogs: Backlogs::default() }
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
        (Paced::new(stream, Patience::default(), self.backlogs.open(), permit), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// How long is waited for a peer.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For it to take something of what is written.
    reader: Duration,
    /// For it to be given something: from the last time, and from when it began to ask.
    unanswered: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { reader: limits::SLOW_READER, unanswered: limits::UNANSWERED }
    }
}

/// A connection that is read only while what is written to it is taken.
#[derive(Debug)]
struct Paced<S> {
    stream: S,
    patience: Patience,
    backlog: Backlog,
    /// Set while a write waits: when the connection is dropped.
    stuck: Option<Pin<Box<Sleep>>>,
    /// When the connection is dropped if nothing is written until then.
    unanswered: Pin<Box<Sleep>>,
    /// It has been read from since something was written.
    asked: bool,
    /// Whoever waits to read until the write is done.
    reader: Option<Waker>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Paced<S> {
    fn new(stream: S, patience: Patience, backlog: Backlog, permit: Option<OwnedSemaphorePermit>) -> Self {
        let unanswered = Box::pin(sleep_until(Instant::now() + patience.unanswered));
        Self { stream, patience, backlog, stuck: None, unanswered, asked: false, reader: None, _permit: permit }
    }

    /// Takes note of how a write or a flush went.
    fn note<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            return written;
        }
        let patience = self.patience.reader;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Takes note of how a write went, and of how much was taken.
    fn note_taken(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.backlog.taken(*bytes);
            self.asked = false;
            self.begin_to_wait();
        }
        self.note(context, written)
    }

    fn begin_to_wait(&mut self) {
        self.unanswered.as_mut().reset(Instant::now() + self.patience.unanswered);
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
        if self.unanswered.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.backlog.heard(buffer.filled().len() - before);
        if read.is_ready() && !self.asked {
            self.asked = true;
            self.begin_to_wait();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_taken(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_taken(context, written)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const LONG: Duration = Duration::from_secs(3_600);

    fn paced(stream: DuplexStream, reader: Duration, unanswered: Duration) -> Paced<DuplexStream> {
        Paced::new(stream, Patience { reader, unanswered }, Backlogs::default().open(), None)
    }

    #[tokio::test]
    async fn a_peer_that_is_given_nothing_is_dropped() {
        let (ours, _theirs) = duplex(8);
        let mut paced = paced(ours, LONG, Duration::ZERO);
        let error = paced.read_exact(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_has_time_to_ask_and_again_after_an_answer_but_not_for_each_byte() {
        let (ours, mut theirs) = duplex(8);
        let mut paced = paced(ours, LONG, LONG);
        let mut deadlines = vec![paced.unanswered.deadline()];
        for _ in 0..3 {
            theirs.write_all(b"?").await.unwrap();
            paced.read_exact(&mut [0]).await.unwrap();
            deadlines.push(paced.unanswered.deadline());
        }
        paced.write_all(b"!").await.unwrap();
        deadlines.push(paced.unanswered.deadline());
        assert!(deadlines[0] < deadlines[1] && deadlines[3] < deadlines[4]);
        assert_eq!(deadlines[1..4], [deadlines[1]; 3]);
    }

    #[tokio::test]
    async fn what_a_peer_takes_is_owed_no_longer() {
        let (ours, _theirs) = duplex(8);
        let mut paced = paced(ours, LONG, LONG);
        let backlog = paced.backlog.clone();
        assert!(backlog.owe(10));
        paced.write_all(&[0; 7]).await.unwrap();
        assert_eq!(backlog.owed(), 3);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_dropped() {
        let (ours, _theirs) = duplex(8);
        let mut paced = paced(ours, Duration::ZERO, LONG);
        let error = paced.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn patience_begins_anew_with_whatever_is_taken() {
        let (ours, mut theirs) = duplex(8);
        let mut paced = paced(ours, LONG, LONG);
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
        let mut paced = paced(ours, LONG, LONG);
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
