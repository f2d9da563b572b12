//! A client of the wire, and a broker for it on a temporary directory.

use bytes::BytesMut;
use gantry_connection::{Limits, Shutdown, run};
use gantry_core::model::{ManualClock, Timestamp};
use gantry_core::vfs::RealVfs;
use gantry_core::{Broker, Steps};
use gantry_remoting::{BrokerConnection, BrokerRole, Config};
use gantry_remoting_protocol::codec::{FieldWriter, Request, WriteFields, decode};
use gantry_remoting_protocol::record::{Record, records};
use gantry_remoting_protocol::{Command, FRAME_BYTES_MAX, RequestCode, ResponseCode};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The time at which every test starts.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker, serving on a free port of loopback.
pub struct Server {
    pub role: Arc<BrokerRole>,
    pub clock: Arc<ManualClock>,
    pub broker: Broker,
    pub address: SocketAddr,
    panics: Arc<AtomicUsize>,
    _directory: tempfile::TempDir,
}

/// Fields by their names on the wire.
pub struct Pairs<'a>(pub &'a [(&'a str, &'a str)]);

impl WriteFields for Pairs<'_> {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        for (name, value) in self.0 {
            out.pair(name, value);
        }
    }
}

/// One connection.
pub struct TestClient {
    stream: TcpStream,
    buffer: BytesMut,
    opaque: i32,
    /// Requests of the broker's own.
    pub notices: VecDeque<Command>,
    answers: VecDeque<Command>,
}

impl TestClient {
    pub async fn connect(server: &Server) -> Self {
        Self::connect_to(server.address).await
    }

    pub async fn connect_to(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: BytesMut::new(),
            opaque: 0,
            notices: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Encodes a request without sending it; its number.
    pub fn encode(
        &mut self,
        out: &mut BytesMut,
        code: RequestCode,
        fields: &dyn WriteFields,
        body: &[u8],
    ) -> i32 {
        self.opaque += 1;
        let request = Request {
            code,
            opaque: self.opaque,
            is_oneway: false,
            fields: Some(fields),
            body_len: body.len(),
        };
        request.encode(out);
        out.extend_from_slice(body);
        self.opaque
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Writes `bytes`, closes this side, and reads until the broker has closed the other.
    pub async fn write_and_close(&mut self, bytes: &[u8]) {
        // The broker may have closed before it has read all.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.shutdown().await;
        while self.read().await.is_some() {}
    }

    /// Sends a request; its number.
    pub async fn send(&mut self, code: RequestCode, fields: &dyn WriteFields, body: &[u8]) -> i32 {
        let mut out = BytesMut::new();
        let opaque = self.encode(&mut out, code, fields, body);
        self.write(&out).await;
        opaque
    }

    /// Sends a request and waits for its answer.
    pub async fn call(
        &mut self,
        code: RequestCode,
        fields: &dyn WriteFields,
        body: &[u8],
    ) -> Command {
        let opaque = self.send(code, fields, body).await;
        self.answer(opaque).await
    }

    /// The answer to request `opaque`.
    pub async fn answer(&mut self, opaque: i32) -> Command {
        loop {
            let is_it = |answer: &Command| answer.opaque == opaque;
            if let Some(at) = self.answers.iter().position(is_it) {
                return self.answers.remove(at).unwrap();
            }
            self.read().await.expect("the connection is open");
        }
    }

    /// The next request of the broker's own.
    pub async fn notice(&mut self) -> Command {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return notice;
            }
            self.read().await.expect("the connection is open");
        }
    }

    /// Whether every answer that has come was taken.
    pub fn has_nothing_left(&self) -> bool {
        self.answers.is_empty() && self.buffer.is_empty()
    }

    /// Whether the broker closes the connection, and says nothing before.
    pub async fn is_closed(&mut self) -> bool {
        self.read().await.is_none() && self.answers.is_empty()
    }

    /// Reads one more frame; `None` at the end.
    async fn read(&mut self) -> Option<()> {
        loop {
            if let Some(command) = decode(&mut self.buffer, FRAME_BYTES_MAX).unwrap() {
                if command.flag.is_response() {
                    self.answers.push_back(command);
                } else {
                    self.notices.push_back(command);
                }
                return Some(());
            }
            let read = self.stream.read_buf(&mut self.buffer);
            match tokio::time::timeout(PATIENCE, read)
                .await
                .expect("an answer in time")
            {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// Space is taken segment by segment, and many tests run at a time.
pub fn small_store() -> gantry_core::Config {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 16 << 20;
    config.store.stretch_bytes = 4 << 20;
    config
}

/// The messages of a pull's answer.
pub fn messages(answer: &Command) -> Vec<Record> {
    assert_eq!(answer.response_code(), ResponseCode::Success, "{answer:?}");
    records(answer.body.clone())
        .collect::<Result<_, _>>()
        .unwrap()
}

impl Server {
    pub async fn start() -> Self {
        Self::with(small_store()).await
    }

    pub async fn with(core: gantry_core::Config) -> Self {
        Self::with_protocol(core, Config::default()).await
    }

    pub async fn with_protocol(core: gantry_core::Config, protocol: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let broker = Broker::open(directory.path(), core, Arc::clone(&clock) as _).unwrap();
        Self::on(directory, clock, broker, protocol).await
    }

    /// One whose broker flushes nothing but by the steps returned.
    pub async fn stepped(core: gantry_core::Config) -> (Self, Steps) {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let (vfs, time) = (Arc::new(RealVfs), Arc::clone(&clock));
        let (broker, steps) = Broker::open_stepped(vfs, directory.path(), core, time as _).unwrap();
        let server = Self::on(directory, clock, broker, Config::default()).await;
        (server, steps)
    }

    async fn on(
        directory: tempfile::TempDir,
        clock: Arc<ManualClock>,
        broker: Broker,
        config: Config,
    ) -> Self {
        let panics = Arc::default();
        let (role, address) = serve(&broker, &clock, config, &panics).await;
        Self {
            role,
            clock,
            broker,
            address,
            panics,
            _directory: directory,
        }
    }

    /// Serves the same store once more, as after a restart, with other settings; where.
    pub async fn serve_again(&self, config: Config) -> SocketAddr {
        let (_, address) = serve(&self.broker, &self.clock, config, &self.panics).await;
        address
    }

    /// Connections that ended in a panic.
    pub fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }
}

async fn serve(
    broker: &Broker,
    clock: &Arc<ManualClock>,
    config: Config,
    panics: &Arc<AtomicUsize>,
) -> (Arc<BrokerRole>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config {
        advertised_address: address,
        ..config
    };
    let role = BrokerRole::new(broker.anonymous(), config, Arc::clone(clock) as _);
    let checks = Arc::clone(&role);
    tokio::spawn(async move { checks.run_transaction_checks().await });
    tokio::spawn(accept(listener, Arc::clone(&role), Arc::clone(panics)));
    (role, address)
}

async fn accept(listener: TcpListener, role: Arc<BrokerRole>, panics: Arc<AtomicUsize>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let connection = BrokerConnection::new(Arc::clone(&role), peer);
        let served = tokio::spawn(async move {
            run(stream, connection, &Limits::default(), &Shutdown::new()).await;
        });
        let panics = Arc::clone(&panics);
        tokio::spawn(async move {
            if served.await.is_err() {
                panics.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}
