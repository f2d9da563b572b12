//! Virtual hosts.

use super::{deleted, put};
use crate::caller::Caller;
use crate::describe::NODE;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Body, short};
use crate::server::Management;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use gantry_amqp::accounts::{Permission, VhostNote};
use gantry_core::vhosts::VirtualHost;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Management>> {
    Router::new()
        .route("/api/vhosts", get(list))
        .route("/api/vhosts/{name}", get(one).put(create).delete(remove))
}

impl Management {
    fn vhost(&self, host: &VirtualHost) -> Value {
        let mut fields = Map::new();
        let note = self.amqp.accounts().note(host.name());
        self.write_totals(host, &mut fields);
        let rest = json!({
            "name": &**host.name(),
            "description": note.description,
            "tags": note.tags,
            "default_queue_type": "undefined",
            "metadata": { "description": note.description, "tags": note.tags },
            "cluster_state": { NODE: "running" },
            "tracing": false,
        });
        if let Value::Object(rest) = rest {
            fields.extend(rest);
        }
        Value::Object(fields)
    }

    /// Makes a virtual host that may be there; whether it is new.
    ///
    /// # Errors
    /// A name that is none, or a failed store.
    pub(super) fn put_vhost(&self, name: &str, body: &Body) -> Result<bool, Refusal> {
        short(name)?;
        if name.is_empty() {
            return Err(Refusal::bad("a virtual host has a name"));
        }
        let client = self.amqp.client();
        let is_new = client.virtual_host(name).is_none();
        let created = client.create_virtual_host(name);
        created.map_err(Refusal::internal)?;
        let note = VhostNote {
            description: body.text("description").unwrap_or_default().to_owned(),
            tags: tags_of(body.get("tags")),
        };
        if note != VhostNote::default() {
            self.amqp.accounts().put_note(name, note)?;
        }
        Ok(is_new)
    }
}

/// Tags: a list, or as older tools have it, names between commas.
pub(super) fn tags_of(value: Option<&Value>) -> Vec<String> {
    let tidy = |tag: &str| tag.trim().to_owned();
    match value {
        Some(Value::Array(tags)) => {
            let tags = tags.iter().filter_map(Value::as_str);
            tags.map(tidy).filter(|tag| !tag.is_empty()).collect()
        }
        Some(Value::String(tags)) => {
            let tags = tags.split(',').map(tidy);
            tags.filter(|tag| !tag.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

async fn list(
    State(management): State<Arc<Management>>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let hosts = caller.vhosts();
    let hosts = hosts.iter().map(|host| management.vhost(host));
    query.list(hosts.collect())
}

async fn one(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let host = caller.vhost(&name)?;
    Ok(query.one(management.vhost(&host)))
}

async fn create(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    caller.administers()?;
    let is_new = management.put_vhost(&name, &Body::parse(&body)?)?;
    if is_new {
        // Who makes one may use it.
        let accounts = management.amqp.accounts();
        accounts.permit(&name, &caller.name, Permission::full())?;
    }
    Ok(put(is_new))
}

async fn remove(
    State(management): State<Arc<Management>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    caller.administers()?;
    deleted(management.amqp.delete_vhost(&name)?)
}
