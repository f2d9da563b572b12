//! DeleteTopics, by name or by id.

use super::{Refusal, refuse};
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::visible;
use gantry_core::Topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use uuid::Uuid;

/// Deletes each topic; when the answer is there, so is the deletion.
pub(crate) fn delete(
    context: &RequestContext,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| {
        DeleteTopicState::default()
            .with_name(Some(name))
            .with_topic_id(Uuid::nil())
    });
    let asked = by_name.chain(request.topics);
    let responses = asked.map(|asked| delete_one(context, asked)).collect();
    DeleteTopicsResponse::default().with_responses(responses)
}

fn delete_one(context: &RequestContext, asked: DeleteTopicState) -> DeletableTopicResult {
    let found = find(context, &asked);
    let deleted = found.and_then(|topic| {
        context.client.delete_topic(topic.name())?;
        Ok(topic)
    });
    match deleted {
        Ok(topic) => {
            let name = StrBytes::from_string(topic.name().as_str().to_owned());
            DeletableTopicResult::default()
                .with_error_code(NONE)
                .with_name(Some(TopicName(name)))
                .with_topic_id(Uuid::from_bytes(topic.uuid()))
        }
        Err(refusal) => DeletableTopicResult::default()
            .with_error_code(refusal.error.code())
            .with_error_message(Some(StrBytes::from_string(refusal.message)))
            .with_name(asked.name)
            .with_topic_id(asked.topic_id),
    }
}

fn find(context: &RequestContext, asked: &DeleteTopicState) -> Result<Arc<Topic>, Refusal> {
    let found = match &asked.name {
        Some(_) if !asked.topic_id.is_nil() => {
            return refuse(
                ResponseError::InvalidRequest,
                "a topic is named or given by id, not both",
            );
        }
        Some(name) => {
            visible::by_name(&context.client, name).ok_or(ResponseError::UnknownTopicOrPartition)
        }
        None => visible::by_id(&context.client, asked.topic_id.into_bytes())
            .ok_or(ResponseError::UnknownTopicId),
    };
    found.or_else(|error| refuse(error, "no such topic"))
}
