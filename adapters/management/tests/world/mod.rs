//! A broker with its API over a real socket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gantry_amqp::Server;
use gantry_core::Broker;
use gantry_core::model::{Clock as _, ManualClock, SystemClock};
use gantry_management::{Config, Listening, Management};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct World {
    _directory: TempDir,
    _broker: Broker,
    pub(crate) server: Arc<Server>,
    /// The endpoint's, and nobody else's.
    pub(crate) clock: Arc<ManualClock>,
    address: SocketAddr,
}

/// A status, the head, and the body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = gantry_core::Config::default();
        config.store.segment_bytes = 1 << 20;
        let broker = Broker::open(directory.path(), config, Arc::new(SystemClock)).unwrap();
        let settings = gantry_amqp::Config::default();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let server = Server::new(broker.anonymous(), settings, clock.clone());
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let listening = vec![Listening {
            protocol: "amqp",
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5672)),
        }];
        let management = Management::new(Arc::clone(&server), Config::default(), listening);
        let routes = management.routes();
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(socket, service).await });
        Self {
            _directory: directory,
            _broker: broker,
            server,
            clock,
            address,
        }
    }

    pub(crate) async fn ask_as(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let login = match user {
            "" => String::new(),
            user => {
                let login = STANDARD.encode(format!("{user}:{user}"));
                format!("Authorization: Basic {login}\r\n")
            }
        };
        let request = format!(
            "{method} /api/{path} HTTP/1.1\r\nHost: gantry\r\nConnection: close\r\n{login}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_as("guest", method, path, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask_as("guest", "GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// What a request without a body is answered with.
    pub(crate) async fn status(&self, method: &str, path: &str) -> u16 {
        self.ask_as("guest", method, path, None).await.status
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> u16 {
        self.ask("PUT", path, body).await.status
    }
}

pub(crate) fn error(answer: &Answer) -> (u16, String) {
    let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
    (
        answer.status,
        format!("{}: {}", text("error"), text("reason")),
    )
}
