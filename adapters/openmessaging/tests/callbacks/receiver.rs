//! A receiver of messages on a port of its own.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response};
use axum::serve::Listener;
use bytes::Bytes;
use futures_util::stream;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    arrived: UnboundedReceiver<Arrived>,
    behaviour: Arc<Behaviour>,
}

/// A request that came.
pub(crate) struct Arrived {
    pub(crate) method: Method,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrived {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The bodies of a batch's messages.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let batch: Value = serde_json::from_slice(&self.body).unwrap();
        let messages = batch["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["body"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What a request is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    Status(u16, Vec<(&'static str, String)>),
    /// So, once as many wait for it as the barrier wants.
    Together(Arc<Barrier>, u16),
    /// Nothing, for ever.
    Silence,
    /// 200, and a body without an end.
    Endless,
}

pub(crate) fn status(status: u16) -> Reply {
    Reply::Status(status, Vec::new())
}

struct Behaviour {
    arrived: UnboundedSender<Arrived>,
    /// To OPTIONS.
    handshake: Reply,
    /// To those that come next.
    replies: Mutex<VecDeque<Reply>>,
    /// To those after them.
    usual: Box<dyn Fn(&Arrived) -> Reply + Send + Sync>,
}

impl Receiver {
    /// Wants what gantry sends, and takes it.
    pub(crate) async fn new() -> Self {
        let wanted = vec![("webhook-allowed-origin", "gantry".to_owned())];
        Self::with(Reply::Status(200, wanted), |_| status(204)).await
    }

    pub(crate) async fn with(
        handshake: Reply,
        usual: impl Fn(&Arrived) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on((listener, address), handshake, usual)
    }

    /// On a listener and its address.
    pub(crate) fn on(
        (listener, address): (impl Listener<Addr: std::fmt::Debug>, SocketAddr),
        handshake: Reply,
        usual: impl Fn(&Arrived) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (sender, arrived) = unbounded_channel();
        let behaviour = Arc::new(Behaviour {
            arrived: sender,
            handshake,
            replies: Mutex::default(),
            usual: Box::new(usual),
        });
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&behaviour));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            arrived,
            behaviour,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next POST so.
    pub(crate) fn reply(&self, reply: Reply) {
        self.behaviour.replies.lock().push_back(reply);
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Arrived {
        let next = tokio::time::timeout(PATIENCE, self.arrived.recv()).await;
        next.expect("a request comes").unwrap()
    }

    /// The next request with messages.
    pub(crate) async fn delivery(&mut self) -> Arrived {
        loop {
            let next = self.next().await;
            if next.method == Method::POST {
                return next;
            }
        }
    }

    /// What came and was not looked at.
    pub(crate) fn rest(&mut self) -> Vec<Arrived> {
        std::iter::from_fn(|| self.arrived.try_recv().ok()).collect()
    }
}

async fn answer(State(behaviour): State<Arc<Behaviour>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let arrived = Arrived {
        method: head.method.clone(),
        fields: head.headers,
        body: to_bytes(body, usize::MAX).await.unwrap(),
    };
    let reply = if head.method == Method::OPTIONS {
        behaviour.handshake.clone()
    } else {
        let next = behaviour.replies.lock().pop_front();
        next.unwrap_or_else(|| (behaviour.usual)(&arrived))
    };
    behaviour.arrived.send(arrived).ok();
    match reply {
        Reply::Status(status, fields) => {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(name, value);
            }
            response.body(Body::empty()).unwrap()
        }
        Reply::Together(barrier, status) => {
            barrier.wait().await;
            let response = Response::builder().status(status);
            response.body(Body::empty()).unwrap()
        }
        Reply::Silence => std::future::pending().await,
        Reply::Endless => {
            let chunk = Bytes::from_static(&[b'x'; 16_384]);
            let chunks = stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
            Response::new(Body::from_stream(chunks))
        }
    }
}
