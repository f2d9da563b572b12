//! All operations, by noun.

use super::operation::{Body, Operation, Schemas, json};
use super::parameter::{ASK, LOOK, MESSAGE, OPEN, PULL, Parameter, SENT, STREAM, VERSION};
use crate::cloudevent;
use crate::routes::schemas as of;
use axum::http::StatusCode as Status;
use utoipa::openapi::path::HttpMethod::{Delete, Get, Post, Put};

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain";
const LINES: &str = "application/x-ndjson";

/// Those of resources.
pub(super) fn resources(schemas: &mut Schemas) -> Vec<Operation> {
    let mut all = messages(schemas);
    all.extend(transactions(schemas));
    all.extend(subscriptions(schemas));
    all.extend(callbacks(schemas));
    all.extend(administration(schemas));
    all.extend(health());
    all
}

/// The specification's own, on each of its paths.
pub(super) fn of_the_specification() -> [Operation; 2] {
    let optional = |parameter: &Parameter| Parameter {
        is_required: false,
        ..parameter.clone()
    };
    let either: Vec<_> = PULL.iter().map(optional).collect();
    let callback = Parameter::field(
        "x-oms-callbackURL",
        super::parameter::Kind::Text,
        "Where the consumer's messages are to be sent; empty, nowhere",
    );
    let destination = Parameter::field(
        "x-oms-h-destination",
        super::parameter::Kind::Text,
        "The topic; without it, and with a source, it is a pull",
    );
    let refusals = [
        Status::BAD_REQUEST,
        Status::NOT_FOUND,
        Status::FORBIDDEN,
        Status::REQUEST_TIMEOUT,
        Status::PAYLOAD_TOO_LARGE,
        Status::TOO_MANY_REQUESTS,
        Status::INTERNAL_SERVER_ERROR,
        Status::FAILED_DEPENDENCY,
        Status::SERVICE_UNAVAILABLE,
        Status::GATEWAY_TIMEOUT,
    ];
    let pulled = |operation: Operation| {
        operation
            .done(Status::NO_CONTENT, "There is no message")
            .refuses(&refusals)
    };
    [
        pulled(
            Operation::new(Get, "/", "pull", "Pulls one message")
                .takes(&[VERSION.required()])
                .takes(PULL)
                .takes(std::slice::from_ref(&callback))
                // Of whatever type the message is.
                .done(Status::OK, "A message")
                .says(MESSAGE)
                .says(SENT),
        ),
        pulled(
            Operation::new(Post, "/", "produce", "Produces one message, or pulls one")
                .takes(&[VERSION.required(), destination, callback.clone()])
                .takes(MESSAGE)
                .takes(&either)
                .optional_body(Body::Raw(OCTETS))
                .done(Status::OK, "It is appended, or pulled")
                .says(SENT),
        ),
    ]
}

fn messages(schemas: &mut Schemas) -> Vec<Operation> {
    let path = "/v1/destinations/{name}/messages";
    let refusals = [Status::FORBIDDEN, Status::GATEWAY_TIMEOUT];
    let outcomes = json::<of::Outcomes<'_>>(schemas);
    vec![
        Operation::new(
            Post,
            path,
            "sendMessage",
            "Sends one message, its body the request's",
        )
        .takes(MESSAGE)
        .optional_body(Body::Raw(OCTETS))
        .body(Body::Raw(TEXT))
        .done(Status::CREATED, "It is appended, or waits for its time")
        .says(SENT)
        .done(Status::ACCEPTED, "The same, of who prefers not to wait")
        .says(SENT)
        .refuses(&refusals),
        Operation::new(
            Get,
            path,
            "browseMessages",
            "Looks at messages; nobody's progress changes",
        )
        .takes(LOOK)
        .with(Status::OK, "Messages", vec![json::<of::Seen<'_>>(schemas)])
        .refuses(&[Status::RANGE_NOT_SATISFIABLE]),
        Operation::new(
            Post,
            "/v1/destinations/{name}/messages:batch",
            "sendMessages",
            "Sends many messages with one write",
        )
        .body(json::<of::Batch<'_>>(schemas))
        .body(Body::Raw(LINES))
        .body(Body::Raw(cloudevent::BATCH))
        .with(Status::OK, "All are appended", vec![outcomes.clone()])
        .with(Status::MULTI_STATUS, "Some are not", vec![outcomes])
        .refuses(&refusals),
        Operation::new(
            Post,
            "/v1/destinations/{name}:request",
            "ask",
            "Sends one message, and answers with what answers it",
        )
        .takes(ASK)
        .takes(MESSAGE)
        .optional_body(Body::Raw(OCTETS))
        .done(Status::OK, "The answer, of whatever type it is")
        .refuses(&refusals),
        Operation::new(
            Post,
            "/v1/messages/{name}:recall",
            "recallMessage",
            "Takes a message back that waits for its time",
        )
        .done(Status::OK, "It is taken back"),
    ]
}

fn transactions(schemas: &mut Schemas) -> Vec<Operation> {
    let ends = json::<of::Ends<'_>>(schemas);
    let ended = json::<of::AllEnded<'_>>(schemas);
    let refusals = [Status::FORBIDDEN, Status::GATEWAY_TIMEOUT];
    let many = |path, id, what| {
        Operation::new(Post, path, id, what)
            .body(ends.clone())
            .with(Status::OK, "All have ended", vec![ended.clone()])
            .with(Status::MULTI_STATUS, "Some have not", vec![ended.clone()])
            .refuses(&refusals)
    };
    let one = |path, id, what| {
        Operation::new(Post, path, id, what)
            .done(Status::OK, "It has ended so")
            .refuses(&[Status::CONFLICT])
            .refuses(&refusals)
    };
    vec![
        Operation::new(
            Get,
            "/v1/transactions",
            "listTransactions",
            "The open transactions of a group of producers",
        )
        .takes(OPEN)
        .with(Status::OK, "They are", vec![json::<of::Open<'_>>(schemas)]),
        one(
            "/v1/transactions/{name}:commit",
            "commitTransaction",
            "Has a half message delivered",
        ),
        one(
            "/v1/transactions/{name}:rollback",
            "rollBackTransaction",
            "Has a half message forgotten",
        ),
        many(
            "/v1/transactions:commit",
            "commitTransactions",
            "Has half messages delivered",
        ),
        many(
            "/v1/transactions:rollback",
            "rollBackTransactions",
            "Has half messages forgotten",
        ),
    ]
}

fn subscriptions(schemas: &mut Schemas) -> Vec<Operation> {
    let settle = json::<of::Settle<'_>>(schemas);
    let settled = json::<of::AllSettled<'_>>(schemas);
    let received = json::<of::Messages<'_>>(schemas);
    let said = |path, id, what| {
        Operation::new(Post, path, id, what)
            .body(settle.clone())
            .with(Status::OK, "Done with all", vec![settled.clone()])
            .with(Status::MULTI_STATUS, "Not with all", vec![settled.clone()])
            .refuses(&[Status::FORBIDDEN, Status::GATEWAY_TIMEOUT])
    };
    vec![
        Operation::new(
            Post,
            "/v1/subscriptions/{name}/messages:receive",
            "receiveMessages",
            "Receives messages under a lease",
        )
        .body(json::<of::Receive>(schemas))
        .with(
            Status::OK,
            "Messages",
            vec![received, Body::Events(cloudevent::BATCH)],
        )
        .done(Status::NO_CONTENT, "There is none"),
        said(
            "/v1/subscriptions/{name}/messages:ack",
            "acknowledgeMessages",
            "Is done with messages",
        ),
        said(
            "/v1/subscriptions/{name}/messages:nack",
            "returnMessages",
            "Gives messages back, to be handed out again",
        ),
        said(
            "/v1/subscriptions/{name}/messages:extend",
            "extendLeases",
            "Keeps messages longer",
        ),
        said(
            "/v1/subscriptions/{name}/messages:deadletter",
            "giveUpMessages",
            "Gives messages up: they go to the dead letters",
        ),
        Operation::new(
            Get,
            "/v1/subscriptions/{name}/stream",
            "streamMessages",
            "Messages as they come",
        )
        .takes(STREAM)
        .with(
            Status::OK,
            "Messages, for as long as the connection lasts",
            vec![Body::Raw("text/event-stream"), Body::Raw(LINES)],
        )
        .done(
            Status::SWITCHING_PROTOCOLS,
            "A WebSocket, where one is asked for",
        )
        .refuses(&[
            Status::FORBIDDEN,
            Status::UPGRADE_REQUIRED,
            Status::RANGE_NOT_SATISFIABLE,
        ]),
    ]
}

fn callbacks(schemas: &mut Schemas) -> Vec<Operation> {
    let callback = json::<of::CallbackAnswer<'_>>(schemas);
    let one =
        |method, id, what| Operation::new(method, "/v1/subscriptions/{name}/callback", id, what);
    vec![
        one(
            Get,
            "describeCallback",
            "Where a consumer's messages are sent",
        )
        .with(Status::OK, "There", vec![callback.clone()]),
        one(
            Put,
            "putCallback",
            "Has a consumer's messages sent to a URL, which agrees",
        )
        .body(json::<of::CallbackRequest>(schemas))
        .with(Status::CREATED, "They are", vec![callback.clone()])
        .with(
            Status::OK,
            "They are, and not where they were sent",
            vec![callback],
        )
        .refuses(&[Status::FORBIDDEN, Status::FAILED_DEPENDENCY]),
        one(Delete, "deleteCallback", "Has them sent nowhere").done(Status::OK, "They are not"),
    ]
}

fn administration(schemas: &mut Schemas) -> Vec<Operation> {
    let names = json::<of::Names>(schemas);
    let destination = json::<of::Destination<'_>>(schemas);
    let list = |path, id, what| {
        Operation::new(Get, path, id, what).with(Status::OK, "Their names", vec![names.clone()])
    };
    let one = |method, id, what| Operation::new(method, "/v1/destinations/{name}", id, what);
    let consumer = |method, id, what| Operation::new(method, "/v1/subscriptions/{name}", id, what);
    vec![
        list("/v1/destinations", "listDestinations", "All destinations"),
        one(
            Get,
            "describeDestination",
            "A destination and its partitions",
        )
        .with(Status::OK, "It is", vec![destination.clone()]),
        one(Put, "putDestination", "Makes a destination, or changes one")
            .optional_body(json::<of::Wanted>(schemas))
            .with(Status::CREATED, "It is new", vec![destination.clone()])
            .with(Status::OK, "It is changed", vec![destination])
            .refuses(&[Status::FORBIDDEN, Status::CONFLICT]),
        one(
            Delete,
            "deleteDestination",
            "Deletes a destination with its messages",
        )
        .done(Status::OK, "It is gone")
        .refuses(&[Status::FORBIDDEN, Status::CONFLICT]),
        list("/v1/subscriptions", "listSubscriptions", "All consumers"),
        consumer(Get, "describeSubscription", "How far a consumer is").with(
            Status::OK,
            "Its progress",
            vec![json::<of::Subscription<'_>>(schemas)],
        ),
        consumer(Delete, "deleteSubscription", "Forgets a consumer")
            .done(Status::OK, "It is forgotten")
            .refuses(&[Status::CONFLICT]),
        Operation::new(
            Put,
            "/v1/subscriptions/{name}/offset",
            "seek",
            "Has a consumer go on somewhere else",
        )
        .body(json::<of::Seek>(schemas))
        .done(Status::OK, "It goes on there")
        .refuses(&[Status::CONFLICT, Status::RANGE_NOT_SATISFIABLE]),
    ]
}

fn health() -> Vec<Operation> {
    let get = |path, id, what| {
        Operation::new(Get, path, id, what)
            .with(Status::OK, "It does", vec![Body::Raw(TEXT)])
            .refuses(&[Status::TOO_MANY_REQUESTS])
    };
    vec![
        get("/healthz", "health", "Whether it runs"),
        get("/readyz", "readiness", "Whether messages are taken")
            .refuses(&[Status::SERVICE_UNAVAILABLE]),
    ]
}
