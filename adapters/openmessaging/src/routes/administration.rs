//! What OpenMessaging's ResourceManager does: destinations, consumers with their progress.

use super::{json, parse, reply};
use crate::error::Refusal;
use crate::names;
use crate::request::Place;
use crate::server::OpenMessaging;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use gantry_core::model::{QueueId, QueueOffset, Timestamp, TopicSpec};
use gantry_core::{Error, OffsetCommit, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

type Server = State<Arc<OpenMessaging>>;

/// Longest body of these requests.
const BODY_BYTES_MAX: usize = 64 << 10;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/destinations", get(destinations))
        .route(
            "/destinations/{name}",
            get(destination)
                .post(reply::ask)
                .put(put_destination)
                .delete(delete_destination),
        )
        .route("/subscriptions", get(subscriptions))
        .route(
            "/subscriptions/{name}",
            get(subscription).delete(delete_subscription),
        )
        .route("/subscriptions/{name}/offset", put(seek))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Names {
    names: Vec<String>,
}

async fn destinations(State(server): Server, place: Place) -> Response {
    let topics = server.client.topics();
    let shown = topics.iter().filter(|topic| !topic.name().is_system());
    let names = shown.filter_map(|topic| {
        let name = topic.name().as_str();
        names::within(place.namespace.as_deref(), name).map(str::to_owned)
    });
    let names = names.collect();
    json(StatusCode::OK, &Names { names })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Destination<'a> {
    name: &'a str,
    partitions: Vec<Partition>,
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Partition {
    partition: u32,
    start: u64,
    end: u64,
}

async fn destination(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let name = names::source(place.namespace.as_deref(), &place.name)?;
    let topic = server.topic(&name)?;
    described(&server, &topic, &place.name, StatusCode::OK)
}

fn described(
    server: &OpenMessaging,
    topic: &Topic,
    name: &str,
    status: StatusCode,
) -> Result<Response, Refusal> {
    let mut partitions = Vec::new();
    for partition in 0..topic.queue_count() {
        let range = server.client.offset_range(topic, QueueId::new(partition))?;
        partitions.push(Partition {
            partition,
            start: range.start.get(),
            end: range.end.get(),
        });
    }
    let attributes = topic.spec().attributes.clone();
    let destination = Destination {
        name,
        partitions,
        attributes,
    };
    Ok(json(status, &destination))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DestinationSettings)]
pub(crate) struct Wanted {
    partitions: Option<u32>,
    attributes: BTreeMap<String, String>,
}

/// Makes a destination, or gives one more partitions and other attributes.
async fn put_destination(
    State(server): Server,
    place: Place,
    body: Body,
) -> Result<Response, Refusal> {
    let name = names::destination(place.namespace.as_deref(), &place.name)?;
    let body = server.body(body, BODY_BYTES_MAX).await?;
    let wanted: Wanted = if body.is_empty() {
        Wanted::default()
    } else {
        parse(&body)?
    };
    let queues = wanted.partitions;
    let queues = queues.unwrap_or_else(|| server.client.default_queues());
    let spec = TopicSpec {
        attributes: wanted.attributes.clone(),
        ..TopicSpec::with_queues(queues)
    };
    match server.client.create_topic(&name, spec) {
        Ok(topic) => described(&server, &topic, &place.name, StatusCode::CREATED),
        Err(Error::AlreadyExists(_)) => {
            let topic = server.topic(&name)?;
            let mut spec = TopicSpec::clone(&topic.spec());
            if let Some(queues) = wanted.partitions {
                (spec.read_queues, spec.write_queues) = (queues, queues);
            }
            spec.attributes.extend(wanted.attributes);
            let topic = server.client.alter_topic(&name, spec)?;
            described(&server, &topic, &place.name, StatusCode::OK)
        }
        Err(error) => Err(error.into()),
    }
}

async fn delete_destination(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let name = names::destination(place.namespace.as_deref(), &place.name)?;
    server.client.delete_topic(&name)?;
    Ok(StatusCode::OK.into_response())
}

async fn subscriptions(State(server): Server, place: Place) -> Response {
    let groups = server.client.groups();
    let names = groups.iter().filter_map(|group| {
        names::within(place.namespace.as_deref(), group.as_str()).map(str::to_owned)
    });
    let names = names.collect();
    json(StatusCode::OK, &Names { names })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Subscription<'a> {
    name: &'a str,
    progress: Vec<Progress>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Progress {
    source: String,
    partition: u32,
    offset: u64,
}

async fn subscription(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let namespace = place.namespace.as_deref();
    let group = names::consumer(namespace, &place.name)?;
    let offsets = server.client.committed_offsets(&group);
    if offsets.is_empty() {
        return Err(Error::GroupNotFound(group).into());
    }
    let progress = offsets
        .into_iter()
        .map(|(topic, queue, committed)| Progress {
            source: names::within(namespace, topic.as_str())
                .unwrap_or(topic.as_str())
                .to_owned(),
            partition: queue.get(),
            offset: committed.offset,
        });
    let subscription = Subscription {
        name: &place.name,
        progress: progress.collect(),
    };
    Ok(json(StatusCode::OK, &subscription))
}

async fn delete_subscription(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let group = names::consumer(place.namespace.as_deref(), &place.name)?;
    // A callback would begin anew with the oldest message; it may be all there is of the group.
    let had_callback = server.callbacks.remove(&server.client, &group, None)?;
    match server.client.delete_group(&group) {
        Err(Error::GroupNotFound(_)) if had_callback => {}
        deleted => deleted?,
    }
    Ok(StatusCode::OK.into_response())
}

/// Where a consumer is to go on: one of offset, timestamp and position.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seek {
    source: String,
    #[serde(default)]
    partition: Option<u32>,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    position: Option<Position>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Position {
    Earliest,
    Latest,
}

async fn seek(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    let namespace = place.namespace.as_deref();
    let body = server.body(body, BODY_BYTES_MAX).await?;
    let seek: Seek = parse(&body)?;
    let group = names::consumer(namespace, &place.name)?;
    let topic = server.topic(&names::source(namespace, &seek.source)?)?;
    let partitions = match seek.partition {
        Some(one) => one..one.saturating_add(1),
        None => 0..topic.queue_count(),
    };
    let mut commits = Vec::new();
    for queue in partitions.map(QueueId::new) {
        commits.push(OffsetCommit {
            topic: topic.name().clone(),
            queue,
            offset: sought(&server, &topic, queue, &seek)?,
            leader_epoch: -1,
            metadata: String::new(),
        });
    }
    server.client.commit_offsets(&group, commits)?;
    Ok(StatusCode::OK.into_response())
}

fn sought(
    server: &OpenMessaging,
    topic: &Topic,
    queue: QueueId,
    seek: &Seek,
) -> Result<QueueOffset, Refusal> {
    let range = server.client.offset_range(topic, queue)?;
    match (seek.offset, seek.timestamp, seek.position) {
        (Some(offset), None, None) => {
            let requested = QueueOffset::new(offset);
            if range.admits(requested) {
                return Ok(requested);
            }
            Err(Error::OffsetOutOfRange { requested, range }.into())
        }
        (None, Some(time), None) => {
            let time = Timestamp::from_millis(time);
            let found = server.client.offset_stored_at(topic, queue, time)?;
            Ok(found.unwrap_or(range.end))
        }
        (None, None, Some(Position::Earliest)) => Ok(range.start),
        (None, None, Some(Position::Latest)) => Ok(range.end),
        _ => {
            let text = "say one of offset, timestamp and position";
            Err(Refusal::parameter(text))
        }
    }
}
