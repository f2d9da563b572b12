//! One connection: frames in, replies out in the same order.

use crate::answer::{Answer, Unanswerable};
use crate::api::{self, API_VERSIONS, Handler, Pending};
use crate::context::RequestContext;
use crate::handlers::{api_versions, produce};
use crate::server::Server;
use crate::wire::DecodeError;
use crate::wire::frame::{self, RequestHeader};
use crate::wire::reader::Reader;
use bytes::Bytes;
use gantry_core::Client;
use kafka_protocol::protocol::StrBytes;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection's state.
#[derive(Debug)]
pub struct Session {
    server: Arc<Server>,
    client: Client,
    connection: u64,
    peer: SocketAddr,
    client_id: Option<StrBytes>,
}

/// What becomes of a request. Replies are written in the order of the requests.
pub enum Reply {
    /// Written as soon as the replies before it are.
    Ready(Answer),
    /// Waited for first.
    Pending(Pending),
    /// Waited for first, and given up when the gateway stops: a Fetch for which nothing has come.
    Held(Pending),
}

/// Why a connection ends without an answer to its last request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The peer's bytes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A mistake of ours.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// A produce request that wants no answer failed, and closing is all that can be said.
    #[error("an unacknowledged produce request failed with code {0}")]
    Unacknowledged(i16),
}

impl Session {
    /// A session of a connection from `peer`.
    #[must_use]
    pub fn new(server: Arc<Server>, peer: SocketAddr) -> Self {
        Self {
            client: server.broker.anonymous(),
            connection: server.next_connection(),
            server,
            peer,
            client_id: None,
        }
    }

    /// Starts the requests in `frames`, in order; consecutive Produce requests become one append.
    /// Replies are pushed to `replies` in the order to be written; a produce request that wants
    /// no answer pushes none.
    ///
    /// # Errors
    /// The connection is to be closed once `replies` are written; frames after the offending one
    /// were not looked at.
    pub fn begin(
        &mut self,
        frames: impl IntoIterator<Item = Bytes>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Closed> {
        let mut produces = Vec::new();
        for frame in frames {
            let parsed = self.parse(frame);
            if !matches!(parsed, Ok(Parsed::Produce(..))) {
                produce::answer_all(&mut produces, replies)?;
            }
            match parsed? {
                Parsed::Produce(context, body) => produces.push((context, body)),
                Parsed::Other(context, handler, body) => {
                    replies.push(start(context, handler, body)?);
                }
                Parsed::UnknownApiVersions(answer) => replies.push(Reply::Ready(answer)),
            }
        }
        produce::answer_all(&mut produces, replies)
    }

    fn parse(&mut self, frame: Bytes) -> Result<Parsed, Closed> {
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::read(&mut reader)?;
        let api = api::served(header.key).ok_or(DecodeError::UnknownApi(header.key))?;
        if !(api.first..=api.last).contains(&header.version) {
            if header.key == API_VERSIONS {
                let answer = api_versions::unsupported(header.correlation_id)?;
                return Ok(Parsed::UnknownApiVersions(answer));
            }
            return Err(DecodeError::UnsupportedVersion {
                key: header.key,
                version: header.version,
            }
            .into());
        }
        let client_id = frame::read_client_id(&mut reader, api.is_flexible(header.version))?;
        self.remember_client_id(client_id);
        let body_at = reader.position();
        let context = RequestContext {
            server: self.server.clone(),
            client: self.client.clone(),
            connection: self.connection,
            peer: self.peer,
            api,
            version: header.version,
            correlation_id: header.correlation_id,
            client_id: self.client_id.clone(),
        };
        let body = frame.slice(body_at..);
        Ok(match api.handler {
            None => Parsed::Produce(context, body),
            Some(handler) => Parsed::Other(context, handler, body),
        })
    }

    /// Keeps one copy of the name for the connection instead of one a request.
    fn remember_client_id(&mut self, client_id: Option<&str>) {
        if self.client_id.as_deref() != client_id {
            self.client_id = client_id.map(|name| StrBytes::from_string(name.to_owned()));
        }
    }
}

enum Parsed {
    Produce(RequestContext, Bytes),
    Other(RequestContext, Handler, Bytes),
    UnknownApiVersions(Answer),
}

fn start(context: RequestContext, handler: Handler, body: Bytes) -> Result<Reply, Closed> {
    let elements_max = context.server.config.request_elements_max;
    let check = |body| context.api.check(body, context.version, elements_max);
    match handler {
        Handler::Hot(handler) => handler(context, body),
        Handler::Now(handler) => Ok(Reply::Ready(handler(&context, check(body)?)?)),
        Handler::Later(handler) => {
            let body = check(body)?;
            Ok(Reply::Held(handler(context, body)))
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(answer) => write!(f, "Ready({} bytes)", answer.len()),
            Self::Pending(_) => f.write_str("Pending"),
            Self::Held(_) => f.write_str("Held"),
        }
    }
}
