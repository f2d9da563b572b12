//! The broker as a whole.

use crate::caller::Caller;
use crate::describe::{Depth, NODE};
use crate::query::Query;
use crate::rates::Subject;
use crate::refusal::Refusal;
use crate::request::Body;
use crate::server::{Listening, Management};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gantry_amqp::parameters::CLUSTER_NAME;
use serde_json::{Value, json};
use std::sync::Arc;

/// The RabbitMQ whose API this is. Tools look at it to know what they may ask.
pub(super) const API_VERSION: &str = "3.10.8";
const EXCHANGE_KINDS: [&str; 6] = [
    "direct",
    "fanout",
    "headers",
    "topic",
    "x-consistent-hash",
    "x-delayed-message",
];
const FEATURE_FLAGS: [&str; 4] = [
    "drop_unroutable_metric",
    "implicit_default_bindings",
    "quorum_queue",
    "virtual_host_metadata",
];

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/overview", get(overview))
        .route("/api/cluster-name", get(cluster_name).put(set_cluster_name))
        .route("/api/nodes", get(nodes))
        .route("/api/nodes/{name}", get(node))
        .route("/api/extensions", get(extensions))
        .route("/api/feature-flags", get(feature_flags))
        .route("/api/auth", get(auth))
        .route("/api/whoami", get(whoami))
        .route("/", get(front))
}

async fn front() -> &'static str {
    "Gantry's management API, with RabbitMQ's paths below /api\n"
}

async fn overview(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Response {
    let hosts = caller.vhosts();
    let depth = hosts.iter().map(|host| management.depth_of(host));
    let depth = depth.fold(Depth::default(), Depth::plus);
    let registry = management.amqp.registry();
    let (traffic, churn) = (registry.traffic(), management.amqp.queue_churn());
    let subject = Subject::Overview(caller.name.clone());
    let (queue_totals, message_stats) = management.totals(subject, depth, traffic);
    let open = registry.connections();
    let open_channels = open.iter().map(|one| one.channels().len() as u64).sum();
    let seen = open.iter();
    let seen = seen.filter(|connection| caller.is_monitor() || *connection.user == caller.name);
    let (mut connections, mut channels, mut consumers) = (0_u64, 0, 0);
    for connection in seen {
        connections += 1;
        for channel in connection.channels() {
            channels += 1;
            consumers += u64::from(channel.consumer_count());
        }
    }
    // The default exchange is one as well.
    let exchanges = hosts.iter().map(|host| host.exchanges().len() + 1);
    let queues = hosts.iter().map(|host| host.queues().len());
    let opened = registry.opened_count();
    let mut answer = json!({
        "management_version": API_VERSION,
        "rates_mode": "basic",
        "sample_retention_policies": { "global": [], "basic": [], "detailed": [] },
        "exchange_types": exchange_kinds(),
        "product_version": management.version(),
        "product_name": management.amqp.config().product,
        "rabbitmq_version": API_VERSION,
        "cluster_name": management.amqp.cluster_name(),
        "erlang_version": "none",
        "erlang_full_version": "none",
        "disable_stats": false,
        "enable_queue_totals": false,
        "message_stats": message_stats,
        "churn_rates": {
            "connection_created": opened,
            "connection_closed": opened.saturating_sub(open.len() as u64),
            "channel_created": traffic.channels,
            "channel_closed": traffic.channels.saturating_sub(open_channels),
            "queue_declared": churn.declared,
            "queue_created": churn.created,
            "queue_deleted": churn.deleted,
        },
        "queue_totals": queue_totals,
        "object_totals": {
            "channels": channels,
            "connections": connections,
            "consumers": consumers,
            "exchanges": exchanges.sum::<usize>(),
            "queues": queues.sum::<usize>(),
        },
        "statistics_db_event_queue": 0,
        "node": NODE,
    });
    if let (Value::Object(fields), true) = (&mut answer, caller.is_monitor()) {
        let listeners = management.listening.iter().map(listener);
        fields.insert("listeners".to_owned(), listeners.collect());
        fields.insert("contexts".to_owned(), json!([]));
    }
    query.one(answer)
}

impl Management {
    /// This program's own version.
    pub(super) fn version(&self) -> &str {
        let configured = self.amqp.config().version.as_deref();
        configured.unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    fn node(&self) -> Value {
        let uptime = self.amqp.now().millis() - self.started_at.millis();
        let (alarms, memory) = (self.amqp.alarms(), self.amqp.memory());
        let store = self.amqp.client().store_figures();
        let read_only = self.amqp.client().config().store.disk_read_only_percent;
        let left = 100_u64.saturating_sub(read_only.into()) % 100;
        let disk_limit = (store.disk_used + store.disk_available) / 100 * left;
        json!({
            "name": NODE,
            "type": "disc",
            "running": true,
            "being_drained": false,
            "os_pid": std::process::id().to_string(),
            "uptime": uptime,
            "mem_alarm": alarms.memory,
            "mem_used": memory.used,
            "mem_limit": memory.limit,
            "disk_free_alarm": alarms.disk,
            "disk_free": store.disk_available,
            "disk_free_limit": disk_limit,
            "rates_mode": "basic",
            "partitions": [],
            "cluster_links": [],
            "config_files": [],
            "log_files": [],
            "db_dir": "",
            "enabled_plugins": ["rabbitmq_management"],
            "processors": std::thread::available_parallelism().map_or(1, usize::from),
            "exchange_types": exchange_kinds(),
            "auth_mechanisms": [
                {
                    "name": "PLAIN",
                    "description": "SASL PLAIN authentication mechanism",
                    "enabled": true,
                },
                {
                    "name": "AMQPLAIN",
                    "description": "QPid AMQPLAIN mechanism",
                    "enabled": true,
                },
            ],
            "applications": [{
                "name": "gantry",
                "description": "Gantry",
                "version": self.version(),
            }],
            "contexts": [],
        })
    }
}

fn exchange_kinds() -> Value {
    let kinds = EXCHANGE_KINDS.iter();
    kinds
        .map(|name| json!({ "name": name, "description": "", "enabled": true }))
        .collect()
}

fn listener(listening: &Listening) -> Value {
    json!({
        "node": NODE,
        "protocol": listening.protocol,
        "ip_address": listening.address.ip().to_string(),
        "port": listening.address.port(),
        "socket_opts": [],
    })
}

async fn cluster_name(State(management): State<Arc<Management>>, _: Caller) -> Json<Value> {
    Json(json!({ "name": management.amqp.cluster_name() }))
}

async fn set_cluster_name(
    State(management): State<Arc<Management>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let body = Body::parse(&body)?;
    body.need(&["name"])?;
    let Some(Value::String(name)) = body.0.get("name") else {
        return Err(Refusal::bad("the name is a text"));
    };
    let name = Value::from(name.as_str());
    let _is_new = management
        .amqp
        .parameters()
        .put_global(CLUSTER_NAME, &name)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn nodes(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.monitors()?;
    query.list(vec![management.node()])
}

async fn node(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.monitors()?;
    if name != NODE {
        return Err(Refusal::not_found());
    }
    Ok(query.one(management.node()))
}

async fn extensions(_: Caller) -> Json<Value> {
    Json(json!([]))
}

async fn feature_flags(caller: Caller, query: Query) -> Result<Response, Refusal> {
    caller.administers()?;
    let flags = FEATURE_FLAGS.iter().map(|name| {
        json!({
            "name": name,
            "desc": "",
            "doc_url": "",
            "state": "enabled",
            "stability": "stable",
            "provided_by": "gantry",
        })
    });
    query.list(flags.collect())
}

async fn auth() -> Response {
    (StatusCode::OK, Json(json!({ "oauth_enabled": false }))).into_response()
}

async fn whoami(caller: Caller) -> Json<Value> {
    Json(json!({ "name": caller.name, "tags": caller.tags }))
}
