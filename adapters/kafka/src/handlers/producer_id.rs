//! InitProducerId: an id of its own for each idempotent producer.

use crate::context::RequestContext;
use crate::error::{self, NONE};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tracing::debug;

/// Always a fresh id with epoch 0, also when a producer asks to have its epoch raised: what it
/// must not do is continue under the old pair. A transactional id is refused for good, because
/// the transaction APIs are not served.
pub(crate) fn answer(
    context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code| {
        InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    match &request.transactional_id {
        None => {}
        Some(id) if id.is_empty() => return refused(ResponseError::InvalidRequest.code()),
        Some(_) => return refused(ResponseError::TransactionalIdAuthorizationFailed.code()),
    }
    match context.client.allocate_producer_id() {
        Ok(id) => InitProducerIdResponse::default()
            .with_error_code(NONE)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(error) => {
            debug!(%error, connection = context.connection, "no producer id");
            refused(error::code(&error))
        }
    }
}
