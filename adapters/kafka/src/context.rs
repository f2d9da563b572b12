//! What a handler knows beside the request's body.

use crate::api::Api;
use crate::server::Server;
use gantry_core::Client;
use kafka_protocol::protocol::StrBytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// A request's surroundings; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    /// The endpoint the connection came in by.
    pub(crate) server: Arc<Server>,
    /// The connection's session with core.
    pub(crate) client: Client,
    /// The connection's number, unique in this process.
    pub(crate) connection: u64,
    /// Where the peer is.
    pub(crate) peer: SocketAddr,
    /// The API asked for.
    pub(crate) api: &'static Api,
    /// The version of it, one that is served.
    pub(crate) version: i16,
    /// The client's number of the request.
    pub(crate) correlation_id: i32,
    /// What the client calls itself.
    pub(crate) client_id: Option<StrBytes>,
}
