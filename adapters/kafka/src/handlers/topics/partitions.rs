//! CreatePartitions: a topic grows, it never shrinks.

use super::create::{is_here, legal_count};
use super::{Refusal, refuse, repeated};
use crate::context::RequestContext;
use crate::error::NONE;
use crate::handlers::visible;
use gantry_core::model::TopicSpec;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use kafka_protocol::protocol::StrBytes;

/// Grows each topic, or with `validate_only` says whether it could be. Every topic is answered.
pub(crate) fn create_partitions(
    context: &RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let repeated = repeated(request.topics.iter().map(|topic| &topic.name.0));
    let results = request.topics.iter().map(|asked| {
        let grown = if repeated.contains(&asked.name.0) {
            refuse(ResponseError::InvalidRequest, "Duplicate topic in request.")
        } else {
            grow(context, asked, request.validate_only)
        };
        let result = CreatePartitionsTopicResult::default().with_name(asked.name.clone());
        match grown {
            Ok(()) => result.with_error_code(NONE),
            Err(refusal) => result
                .with_error_code(refusal.error.code())
                .with_error_message(Some(StrBytes::from_string(refusal.message))),
        }
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn grow(
    context: &RequestContext,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refusal> {
    let Some(topic) = visible::by_name(&context.client, &asked.name) else {
        return refuse(ResponseError::UnknownTopicOrPartition, "no such topic");
    };
    let present = topic.queue_count();
    let wanted = legal_count(context, asked.count)?;
    if wanted <= present {
        return refuse(
            ResponseError::InvalidPartitions,
            format!("the topic has {present} partitions, {wanted} would not be an increase"),
        );
    }
    if let Some(assignments) = &asked.assignments {
        let here = assignments
            .iter()
            .all(|assignment| is_here(context, &assignment.broker_ids));
        let added = usize::try_from(wanted - present).unwrap_or(usize::MAX);
        if !here || assignments.len() != added {
            return refuse(
                ResponseError::InvalidReplicaAssignment,
                "each new partition must be assigned to this broker",
            );
        }
    }
    if validate_only {
        return Ok(());
    }
    let spec = TopicSpec {
        read_queues: wanted,
        write_queues: wanted,
        ..TopicSpec::clone(&topic.spec())
    };
    context.client.alter_topic(topic.name(), spec)?;
    Ok(())
}
