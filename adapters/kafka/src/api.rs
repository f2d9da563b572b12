//! The one table of what is served: dispatch and the ApiVersions answer are both made of it.

use crate::answer::Answer;
use crate::context::RequestContext;
use crate::handlers::{
    api_versions, cluster, configs, fetch, groups, list_offsets, metadata, producer_id, topics,
};
use crate::session::{Closed, Reply};
use crate::wire::shape::Shape;
use crate::wire::{DecodeError, shape, shapes};
use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, HeaderVersion, Message, Request};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use tracing::error;

/// An answer that is not there yet.
pub type Pending = Pin<Box<dyn Future<Output = Result<Answer, Closed>> + Send>>;

/// One API and the versions of it that are served.
pub(crate) struct Api {
    /// Kafka's number of it.
    pub(crate) key: i16,
    /// The lowest version served.
    pub(crate) first: i16,
    /// The highest version served.
    pub(crate) last: i16,
    /// What a body looks like.
    pub(crate) body: Shape,
    /// Who answers; `None` is the produce path, which takes consecutive requests together.
    pub(crate) handler: Option<Handler>,
}

/// Who answers an API.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// A handler with its own decoder.
    Hot(fn(RequestContext, Bytes) -> Result<Reply, Closed>),
    /// A handler that answers at once.
    Now(fn(&RequestContext, CheckedBody) -> Result<Answer, Closed>),
    /// A handler that may wait.
    Later(fn(RequestContext, CheckedBody) -> Pending),
}

/// A body whose every length and count has been walked, so that `kafka-protocol` can decode it
/// without reserving more than there is.
pub(crate) struct CheckedBody(Bytes);

impl Api {
    /// Whether requests and responses of `version` have tagged fields.
    pub(crate) const fn is_flexible(&self, version: i16) -> bool {
        version >= self.body.flexible_from
    }

    /// Whether the response header has tagged fields; ApiVersions never does, so that a client
    /// can read it before it knows the broker.
    pub(crate) const fn has_flexible_response(&self, version: i16) -> bool {
        self.key != API_VERSIONS && self.is_flexible(version)
    }

    /// The lowest version that ApiVersions shows. Produce is shown from 0, because librdkafka
    /// before 2.11.1 stops compressing otherwise (reference: KAFKA-18659).
    pub(crate) const fn advertised_first(&self) -> i16 {
        if self.key == PRODUCE { 0 } else { self.first }
    }

    /// Walks `body`, the only way to a [`CheckedBody`].
    ///
    /// # Errors
    /// What the walk finds.
    pub(crate) fn check(
        &self,
        body: Bytes,
        version: i16,
        elements_max: usize,
    ) -> Result<CheckedBody, DecodeError> {
        shape::check(&body, &self.body, version, elements_max)?;
        Ok(CheckedBody(body))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} v{}-{}", self.key, self.first, self.last)
    }
}

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const FETCH: i16 = 1;
pub(crate) const API_VERSIONS: i16 = 18;

/// The served API of `key`.
pub(crate) fn served(key: i16) -> Option<&'static Api> {
    all().find(|api| api.key == key)
}

/// Everything served, in no order a client may rely on.
pub(crate) fn all() -> impl Iterator<Item = &'static Api> {
    APIS.iter().chain(groups::APIS)
}

/// A row of the table.
pub(crate) const fn api(key: i16, first: i16, last: i16, body: Shape, handler: Handler) -> Api {
    Api {
        key,
        first,
        last,
        body,
        handler: Some(handler),
    }
}

static APIS: &[Api] = &[
    Api {
        key: PRODUCE,
        first: 3,
        last: 13,
        body: shape::flexible_from(9),
        handler: None,
    },
    api(
        FETCH,
        4,
        18,
        shape::flexible_from(12),
        Handler::Hot(fetch::answer),
    ),
    api(
        2,
        1,
        11,
        shapes::LIST_OFFSETS,
        Handler::Now(|context, body| answer(context, body, list_offsets::list)),
    ),
    api(
        3,
        0,
        13,
        shapes::METADATA,
        Handler::Now(|context, body| answer(context, body, metadata::answer)),
    ),
    api(
        10,
        0,
        6,
        shapes::FIND_COORDINATOR,
        Handler::Now(|context, body| answer(context, body, cluster::find_coordinator)),
    ),
    api(
        API_VERSIONS,
        0,
        4,
        shapes::API_VERSIONS,
        Handler::Now(|context, body| answer(context, body, api_versions::answer)),
    ),
    api(
        19,
        2,
        7,
        shapes::CREATE_TOPICS,
        Handler::Now(|context, body| answer(context, body, topics::create)),
    ),
    api(
        20,
        1,
        6,
        shapes::DELETE_TOPICS,
        Handler::Now(|context, body| answer(context, body, topics::delete)),
    ),
    api(
        21,
        0,
        2,
        shapes::DELETE_RECORDS,
        Handler::Now(|context, body| answer(context, body, topics::delete_records)),
    ),
    api(
        22,
        0,
        5,
        shapes::INIT_PRODUCER_ID,
        Handler::Now(|context, body| answer(context, body, producer_id::answer)),
    ),
    api(
        23,
        2,
        4,
        shapes::OFFSET_FOR_LEADER_EPOCH,
        Handler::Now(|context, body| answer(context, body, list_offsets::epoch_ends)),
    ),
    api(
        32,
        1,
        4,
        shapes::DESCRIBE_CONFIGS,
        Handler::Now(|context, body| answer(context, body, configs::describe)),
    ),
    api(
        33,
        0,
        2,
        shapes::ALTER_CONFIGS,
        Handler::Now(|context, body| answer(context, body, configs::replace)),
    ),
    api(
        37,
        0,
        3,
        shapes::CREATE_PARTITIONS,
        Handler::Now(|context, body| answer(context, body, topics::create_partitions)),
    ),
    api(
        44,
        0,
        1,
        shapes::INCREMENTAL_ALTER_CONFIGS,
        Handler::Now(|context, body| answer(context, body, configs::alter)),
    ),
    api(
        60,
        0,
        2,
        shapes::DESCRIBE_CLUSTER,
        Handler::Now(|context, body| answer(context, body, cluster::describe)),
    ),
];

/// Decodes, handles and encodes a request that is answered at once.
///
/// # Errors
/// A body that is not a `Q`; an answer that this version cannot carry, a mistake of ours.
pub(crate) fn answer<Q>(
    context: &RequestContext,
    body: CheckedBody,
    handle: impl FnOnce(&RequestContext, Q) -> Q::Response,
) -> Result<Answer, Closed>
where
    Q: Request,
{
    let request = decode::<Q>(context, body)?;
    encode(context, &handle(context, request))
}

/// Decodes, handles and encodes a request whose answer may wait.
pub(crate) fn answer_later<Q, F>(
    context: RequestContext,
    body: CheckedBody,
    handle: impl FnOnce(RequestContext, Q) -> F + Send + 'static,
) -> Pending
where
    Q: Request + Send + 'static,
    Q::Response: Send,
    F: Future<Output = Q::Response> + Send + 'static,
{
    Box::pin(async move {
        let request = decode::<Q>(&context, body)?;
        let response = handle(context.clone(), request).await;
        encode(&context, &response)
    })
}

fn decode<Q: Decodable + Message>(
    context: &RequestContext,
    CheckedBody(mut body): CheckedBody,
) -> Result<Q, Closed> {
    Q::decode(&mut body, crate_version::<Q>(context))
        .map_err(|error| DecodeError::Body(error.to_string()).into())
}

fn encode<R>(context: &RequestContext, response: &R) -> Result<Answer, Closed>
where
    R: kafka_protocol::protocol::Encodable + HeaderVersion + Message,
{
    let answer = Answer::encode(
        context.correlation_id,
        context.api.has_flexible_response(context.version),
        response,
        crate_version::<R>(context),
    );
    answer.map_err(|unanswerable| {
        let (api, version) = (context.api.key, context.version);
        error!(api, version, error = %unanswerable, "an answer of ours does not encode");
        unanswerable.into()
    })
}

/// ListOffsets 11 has the bytes of 10, and the crate ends at 10.
fn crate_version<M: Message>(context: &RequestContext) -> i16 {
    context.version.min(M::VERSIONS.max)
}
