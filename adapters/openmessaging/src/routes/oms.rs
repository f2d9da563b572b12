//! The specification's own requests (E.1): produce and pull, told apart by their headers.

use crate::cloudevent;
use crate::error::Refusal;
use crate::head::Head;
use crate::headers::{self, field, number};
use crate::names;
use crate::receive::Wanted;
use crate::request::Peer;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use gantry_core::Hold;
use std::net::SocketAddr;
use std::sync::Arc;

type Server = State<Arc<OpenMessaging>>;

pub(super) fn methods() -> MethodRouter<Arc<OpenMessaging>> {
    get(pull).post(produce_or_pull)
}

/// A POST with a source and without a destination is a pull: not every client can GET with the
/// headers it needs.
async fn produce_or_pull(
    State(server): Server,
    Peer(peer): Peer,
    fields: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let is_pull =
        fields.contains_key(headers::SOURCE) && !fields.contains_key(headers::DESTINATION);
    if is_pull || fields.contains_key(headers::CALLBACK) {
        return pulled(&server, &fields).await;
    }
    produced(&server, &fields, body, peer).await
}

async fn pull(State(server): Server, fields: HeaderMap) -> Result<Response, Refusal> {
    pulled(&server, &fields).await
}

async fn produced(
    server: &OpenMessaging,
    fields: &HeaderMap,
    body: Body,
    peer: SocketAddr,
) -> Result<Response, Refusal> {
    headers::check_version(fields, true)?;
    let head = Head::read(fields)?;
    let destination = head.destination.as_deref();
    let destination = destination.ok_or_else(|| missing("x-oms-h-destination"))?;
    let namespace = field(fields, &headers::NAMESPACE)?;
    let topic = names::destination(namespace.as_deref(), destination)?;
    let sent = server.send_one(&topic, head, body, peer).await?;
    let mut response = StatusCode::OK.into_response();
    sent.write(response.headers_mut());
    Ok(response)
}

async fn pulled(server: &OpenMessaging, fields: &HeaderMap) -> Result<Response, Refusal> {
    headers::check_version(fields, true)?;
    if let Some(callback) = field(fields, &headers::CALLBACK)? {
        return super::callback::by_header(server, fields, &callback).await;
    }
    let namespace = field(fields, &headers::NAMESPACE)?;
    let consumer = field(fields, &headers::CONSUMER)?;
    let consumer = consumer.ok_or_else(|| missing("x-oms-consumerId"))?;
    let source = field(fields, &headers::SOURCE)?;
    let source = source.ok_or_else(|| missing("x-oms-source"))?;
    let kind = field(fields, &headers::FILTER_TYPE)?;
    let filter = field(fields, &headers::FILTER)?;
    let is_acknowledged = is_true(fields)?;
    let wanted = Wanted {
        consumer: names::consumer(namespace.as_deref(), &consumer)?,
        source: server.topic(&names::source(namespace.as_deref(), &source)?)?,
        max: 1,
        bytes_max: server.config.receive_bytes_max,
        wait: server.wait(number(fields, &headers::WAIT)?),
        hold: Hold::Millis(server.invisible_ms(number(fields, &headers::INVISIBLE)?)?),
        filter: server.filter(kind.as_deref(), filter.as_deref())?,
    };
    let Some(received) = server.receive(&wanted).await?.pop() else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let handle = is_acknowledged.then(|| received.handle());
    if handle.is_none() {
        // At most once: it is the consumer's as it is handed out.
        server
            .client
            .ack(&wanted.consumer, std::slice::from_ref(&received.receipt))?;
    }
    let is_structured = cloudevent::names(fields.get(header::ACCEPT), cloudevent::STRUCTURED);
    let (body, compression) = received.message.body((!is_structured).then_some(fields));
    let mut head = received.message.head(&source, compression);
    head.delivery_count = Some(received.attempt);
    head.receipt_handle = handle.map(Into::into);
    if is_structured {
        let event = head.structured(&body);
        let event = serde_json::to_vec(&event)
            .map_err(|error| Refusal::new(OmsStatus::Server, error.to_string()))?;
        head.drop_attributes();
        head.content_type = Some(cloudevent::STRUCTURED.into());
        return Ok(raw(&head, event.into()));
    }
    Ok(raw(&head, body.into()))
}

/// An answer that is one message.
pub(super) fn raw(head: &Head<'_>, body: Body) -> Response {
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    // Whatever a producer calls it, a browser must not take it for a page of this origin.
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let sandbox = HeaderValue::from_static("sandbox");
    fields.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    let octets = HeaderValue::from_static("application/octet-stream");
    fields.insert(header::CONTENT_TYPE, octets);
    head.write(fields);
    response
}

pub(super) fn missing(what: &str) -> Refusal {
    Refusal::new(OmsStatus::BadRequest, format!("{what} is missing"))
}

fn is_true(fields: &HeaderMap) -> Result<bool, Refusal> {
    match field(fields, &headers::ACK)?.as_deref().map(str::trim) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let text = format!("x-oms-ack is true or false, not {other}");
            Err(Refusal::parameter(text))
        }
    }
}
