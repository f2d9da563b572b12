//! Where a consumer's messages are sent to (E.5), and the specification's own way to say it (E.1,
//! `x-oms-callbackURL`).

use super::{json, parse};
use crate::callbacks::{Callback, Mode, Retry, Secret, Standing, Target};
use crate::error::Refusal;
use crate::headers::{self, field};
use crate::names;
use crate::request::Place;
use crate::server::OpenMessaging;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use gantry_core::model::GroupName;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::sync::Arc;
use utoipa::ToSchema;

type Server = State<Arc<OpenMessaging>>;

/// Longest request.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a secret is: shorter ones can be found by trying, longer ones are hashed anyway.
const SECRET_BYTES: RangeInclusive<usize> = 16..=256;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new().route(
        "/subscriptions/{name}/callback",
        put(set).get(show).delete(end),
    )
}

/// What is asked for; what is missing is as the settings have it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CallbackSettings)]
pub(crate) struct CallbackRequest {
    source: String,
    url: String,
    /// What requests are signed with. Missing, the earlier one stays; empty, there is none.
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    filter: Option<String>,
    /// `TAG`, the default, or `SQL92`.
    #[serde(default)]
    filter_type: Option<String>,
    /// `message`, or `batch`, the default of a `batchMax` above 1.
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    batch_max: Option<u32>,
    #[serde(default)]
    concurrency: Option<u32>,
    #[serde(default)]
    timeout_millis: Option<u64>,
    #[serde(default)]
    rate_per_minute: Option<u32>,
    #[serde(default)]
    retry: RetryRequest,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RetrySettings)]
pub(crate) struct RetryRequest {
    attempts_max: Option<u32>,
    first_millis: Option<u64>,
    max_millis: Option<u64>,
}

/// A callback as it stands, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Callback)]
pub(crate) struct CallbackAnswer<'a> {
    source: &'a str,
    url: &'a str,
    is_signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_type: Option<&'a str>,
    mode: Mode,
    batch_max: u32,
    concurrency: u32,
    timeout_millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_minute: Option<u32>,
    /// What the receiver said of it in the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_rate: Option<u32>,
    retry: Retry,
    course: CourseAnswer,
}

/// How it went since it was set, or since the start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CallbackCourse)]
pub(crate) struct CourseAnswer {
    /// Messages.
    delivered: u64,
    /// Requests.
    failed: u64,
    /// Messages.
    dead_lettered: u64,
    failures_in_a_row: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// Nothing is sent before, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<i64>,
}

async fn set(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    let body = server.body(body, BODY_BYTES_MAX).await?;
    let asked: CallbackRequest = parse(&body)?;
    let (standing, is_new) = begin(&server, place.namespace.as_deref(), &place.name, asked).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(told(&server, status, &standing))
}

async fn show(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let consumer = names::consumer(place.namespace.as_deref(), &place.name)?;
    let standing = server.callbacks.find(&consumer);
    let standing = standing.ok_or_else(|| none(&consumer))?;
    Ok(told(&server, StatusCode::OK, &standing))
}

async fn end(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let consumer = names::consumer(place.namespace.as_deref(), &place.name)?;
    if !server.callbacks.remove(&server.client, &consumer, None)? {
        return Err(none(&consumer));
    }
    Ok(StatusCode::OK.into_response())
}

fn none(consumer: &GroupName) -> Refusal {
    Refusal::parameter(format!("{consumer} has no callback")).with(StatusCode::NOT_FOUND)
}

/// The specification's way: a URL begins a callback, an empty one ends it.
pub(super) async fn by_header(
    server: &OpenMessaging,
    fields: &HeaderMap,
    url: &str,
) -> Result<Response, Refusal> {
    let namespace = field(fields, &headers::NAMESPACE)?;
    let namespace = namespace.as_deref();
    let name = field(fields, &headers::CONSUMER)?;
    let name = name.ok_or_else(|| super::oms::missing("x-oms-consumerId"))?;
    let source = field(fields, &headers::SOURCE)?;
    if url.trim().is_empty() {
        let consumer = names::consumer(namespace, &name)?;
        let callbacks = &server.callbacks;
        callbacks.remove(&server.client, &consumer, source.as_deref())?;
        return Ok(StatusCode::OK.into_response());
    }
    let source = source.ok_or_else(|| super::oms::missing("x-oms-source"))?;
    let owned = |text: Option<std::borrow::Cow<'_, str>>| text.map(std::borrow::Cow::into_owned);
    let asked = CallbackRequest {
        source: source.into_owned(),
        url: url.to_owned(),
        secret: None,
        filter: owned(field(fields, &headers::FILTER)?),
        filter_type: owned(field(fields, &headers::FILTER_TYPE)?),
        mode: None,
        batch_max: None,
        concurrency: None,
        timeout_millis: None,
        rate_per_minute: None,
        retry: RetryRequest::default(),
    };
    begin(server, namespace, &name, asked).await?;
    Ok(StatusCode::OK.into_response())
}

/// Has a consumer's messages sent where its receiver wants them; whether it had no callback.
async fn begin(
    server: &OpenMessaging,
    namespace: Option<&str>,
    name: &str,
    asked: CallbackRequest,
) -> Result<(Arc<Standing>, bool), Refusal> {
    let consumer = names::consumer(namespace, name)?;
    let earlier = server.callbacks.find(&consumer);
    let earlier = earlier.and_then(|standing| standing.callback.secret.clone());
    let target = Target::parse(&asked.url)?;
    let mut callback = server.callback(namespace, name, asked, earlier)?;
    callback.allowed_rate = server
        .shake_hands(&target, callback.rate_per_minute)
        .await?;
    server.callbacks.put(&server.client, &consumer, callback)
}

impl OpenMessaging {
    /// What is asked for, within what may be.
    fn callback(
        &self,
        namespace: Option<&str>,
        name: &str,
        asked: CallbackRequest,
        earlier: Option<Secret>,
    ) -> Result<Callback, Refusal> {
        let limits = &self.config.callbacks;
        let topic = names::source(namespace, &asked.source)?;
        // It must be there, and the filter must be one.
        self.topic(&topic)?;
        self.filter(asked.filter_type.as_deref(), asked.filter.as_deref())?;
        let batch_max = asked.batch_max.unwrap_or(1);
        within("batchMax", batch_max, 1, limits.batch_messages_max)?;
        let concurrency = asked.concurrency.unwrap_or(1);
        within("concurrency", concurrency, 1, limits.concurrency_max)?;
        let timeout_millis = asked.timeout_millis.unwrap_or(limits.timeout_ms);
        within("timeoutMillis", timeout_millis, 1, limits.timeout_ms_max)?;
        if let Some(rate) = asked.rate_per_minute {
            within("ratePerMinute", rate, 1, u32::MAX)?;
        }
        let retry = self.retry(&asked.retry)?;
        let mode = match asked.mode {
            None if batch_max > 1 => Mode::Batch,
            None => Mode::Message,
            Some(Mode::Message) if batch_max > 1 => {
                let text = "more than one message a request is of the mode batch";
                return Err(Refusal::parameter(text));
            }
            Some(mode) => mode,
        };
        Ok(Callback {
            name: name.to_owned(),
            source: asked.source,
            topic: topic.as_str().to_owned(),
            url: asked.url.trim().to_owned(),
            secret: secret(asked.secret, earlier)?,
            filter: asked.filter,
            filter_type: asked.filter_type,
            mode,
            batch_max,
            concurrency,
            timeout_millis,
            rate_per_minute: asked.rate_per_minute,
            allowed_rate: None,
            retry,
        })
    }

    fn retry(&self, asked: &RetryRequest) -> Result<Retry, Refusal> {
        let limits = &self.config.callbacks;
        let most = self.config.attempts_max.max(1);
        let attempts_max = asked.attempts_max.unwrap_or(most);
        within("retry.attemptsMax", attempts_max, 1, most)?;
        let first_millis = asked.first_millis.unwrap_or(limits.retry_first_ms);
        within("retry.firstMillis", first_millis, 1, limits.retry_ms_max)?;
        let longest = limits.retry_ms.max(first_millis);
        let max_millis = asked.max_millis.unwrap_or(longest);
        let least = first_millis;
        within("retry.maxMillis", max_millis, least, limits.retry_ms_max)?;
        Ok(Retry {
            attempts_max,
            first_millis,
            max_millis,
        })
    }
}

fn secret(asked: Option<String>, earlier: Option<Secret>) -> Result<Option<Secret>, Refusal> {
    match asked {
        None => Ok(earlier),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if SECRET_BYTES.contains(&text.len()) => Ok(Some(Secret(text))),
        Some(text) => {
            let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
            let text = format!("a secret has {least} to {most} bytes, not {}", text.len());
            Err(Refusal::parameter(text))
        }
    }
}

fn within<N: PartialOrd + std::fmt::Display>(
    name: &str,
    value: N,
    least: N,
    most: N,
) -> Result<(), Refusal> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Refusal::parameter(format!(
        "{name} is {least} to {most}, not {value}"
    )))
}

fn told(server: &OpenMessaging, status: StatusCode, standing: &Standing) -> Response {
    let callback = &standing.callback;
    let course = standing.course.lock().clone();
    let now = server.clock.now();
    let paused_until = course.paused_until.filter(|until| *until > now);
    json(
        status,
        &CallbackAnswer {
            source: &callback.source,
            url: &callback.url,
            is_signed: callback.secret.is_some(),
            filter: callback.filter.as_deref(),
            filter_type: callback.filter_type.as_deref(),
            mode: callback.mode,
            batch_max: callback.batch_max,
            concurrency: callback.concurrency,
            timeout_millis: callback.timeout_millis,
            rate_per_minute: callback.rate_per_minute,
            allowed_rate: callback.allowed_rate,
            retry: callback.retry,
            course: CourseAnswer {
                delivered: course.delivered,
                failed: course.failed,
                dead_lettered: course.dead_lettered,
                failures_in_a_row: course.failures_in_a_row,
                last_error: course.last_error,
                paused_until: paused_until.map(gantry_core::model::Timestamp::millis),
            },
        },
    )
}
