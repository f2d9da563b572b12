//! A protocol of length-prefixed commands, and a client for it.

use bytes::{Buf, Bytes, BytesMut};
use gantry_connection::{Closed, Limits, Outgoing, Protocol, Replies, ReplyOrder, Shutdown, run};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::vec::Drain;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};

pub static BODY: [u8; 100_000] = [b'x'; 100_000];
pub const FRAME_BYTES_MAX: usize = 200_000;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ToyError {
    #[error("not a frame")]
    NotAFrame,
    #[error("bye")]
    Bye,
}

/// What a test sees and does behind the connection.
#[derive(Default)]
pub struct Backstage {
    pub handled: Cell<usize>,
    pub waiting: RefCell<HashMap<String, oneshot::Sender<()>>>,
}

impl Backstage {
    pub fn release(&self, name: &str) {
        let sender = self.waiting.borrow_mut().remove(name).expect(name);
        sender.send(()).expect("the reply is still waited for");
    }

    pub fn is_dropped(&self, name: &str) -> bool {
        self.waiting.borrow()[name].is_closed()
    }

    pub fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }
}

/// Commands: `echo X`, `none`, `later X` and `held X` (answered X when released), `big N` (N bytes
/// of [`BODY`]), `bye X` (answers X, then refuses to go on).
pub struct Toy<const ORDERED: bool> {
    pub backstage: Rc<Backstage>,
    pub notices: Option<mpsc::Receiver<String>>,
}

impl<const ORDERED: bool> Protocol for Toy<ORDERED> {
    type Frame = Bytes;
    type Pending = Pin<Box<dyn Future<Output = Bytes>>>;
    type Error = ToyError;

    const ORDER: ReplyOrder = if ORDERED {
        ReplyOrder::OfRequests
    } else {
        ReplyOrder::AsReady
    };

    fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX
    }

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, ToyError> {
        let Some(length) = buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > 1 << 30 {
            return Err(ToyError::NotAFrame);
        }
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        buffer.advance(4);
        Ok(Some(buffer.split_to(length).freeze()))
    }

    fn handle(
        &mut self,
        frames: Drain<'_, Bytes>,
        replies: &mut Replies<Self>,
    ) -> Result<(), ToyError> {
        for frame in frames {
            self.backstage.handled.set(self.backstage.handled.get() + 1);
            let text = String::from_utf8_lossy(&frame).into_owned();
            let (command, argument) = text.split_once(' ').unwrap_or((&text, ""));
            let argument = argument.to_owned();
            match command {
                "none" => {}
                "later" => replies.pending(self.wait(argument)),
                "held" => replies.held(self.wait(argument)),
                "big" => {
                    let reply = replies.ready();
                    reply.head().extend_from_slice(b"<");
                    reply.push(Bytes::from_static(&BODY[..argument.parse().unwrap()]));
                    reply.push(Bytes::from_static(b">"));
                }
                "bye" => {
                    replies.ready().push(Bytes::from(argument));
                    return Err(ToyError::Bye);
                }
                _ => replies.ready().push(Bytes::from(argument)),
            }
        }
        Ok(())
    }

    fn finish(output: Bytes, reply: &mut Outgoing) -> Result<(), ToyError> {
        reply.push(output);
        Ok(())
    }

    fn poll_notice(
        &mut self,
        context: &mut Context<'_>,
        notice: &mut Outgoing,
    ) -> Poll<Result<(), ToyError>> {
        let Some(notices) = &mut self.notices else {
            return Poll::Pending;
        };
        match notices.poll_recv(context) {
            Poll::Ready(Some(text)) => {
                notice.push(Bytes::from(text));
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        }
    }
}

impl<const ORDERED: bool> Toy<ORDERED> {
    fn wait(&self, name: String) -> Pin<Box<dyn Future<Output = Bytes>>> {
        let (sender, released) = oneshot::channel();
        self.backstage
            .waiting
            .borrow_mut()
            .insert(name.clone(), sender);
        Box::pin(async move {
            let _ = released.await;
            Bytes::from(name)
        })
    }
}

pub type Served = JoinHandle<Closed<ToyError>>;

/// Serves a toy on `stream` in the current local set.
pub fn serve_on<const ORDERED: bool>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    limits: Limits,
    notices: Option<mpsc::Receiver<String>>,
) -> (Rc<Backstage>, Shutdown, Served) {
    let backstage = Rc::new(Backstage::default());
    let toy = Toy::<ORDERED> {
        backstage: Rc::clone(&backstage),
        notices,
    };
    let shutdown = Shutdown::new();
    let asked = shutdown.clone();
    let served = spawn_local(async move { run(stream, toy, &limits, &asked).await });
    (backstage, shutdown, served)
}

/// A client of a toy on a pipe that holds `pipe_bytes` each way.
pub struct Client {
    pub stream: DuplexStream,
    pub backstage: Rc<Backstage>,
    pub shutdown: Shutdown,
    pub served: Served,
}

impl Client {
    pub fn of<const ORDERED: bool>(pipe_bytes: usize, limits: Limits) -> Self {
        let (stream, ours) = duplex(pipe_bytes);
        let (backstage, shutdown, served) = serve_on::<ORDERED>(ours, limits, None);
        Self {
            stream,
            backstage,
            shutdown,
            served,
        }
    }

    pub async fn send(&mut self, commands: &[&str]) {
        self.stream.write_all(&frames(commands)).await.unwrap();
        settle().await;
    }

    pub async fn expect(&mut self, answer: &str) {
        let mut got = vec![0; answer.len()];
        self.stream.read_exact(&mut got).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), answer);
    }

    /// Nothing is there to read.
    pub async fn expect_nothing(&mut self) {
        settle().await;
        let mut byte = [0];
        let read = std::pin::pin!(self.stream.read(&mut byte));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.poll(&mut context).is_pending());
    }

    /// All there is until the end.
    pub async fn rest(mut self) -> (Vec<u8>, Closed<ToyError>) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        (rest, self.served.await.unwrap())
    }
}

pub fn frames(commands: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for command in commands {
        bytes.extend_from_slice(&(command.len() as u32).to_be_bytes());
        bytes.extend_from_slice(command.as_bytes());
    }
    bytes
}

/// Lets every task that can go on do so.
pub async fn settle() {
    for _ in 0..64 {
        yield_now().await;
    }
}

pub async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}
