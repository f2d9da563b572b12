//! An endpoint with a broker of its own.
#![allow(dead_code, reason = "each test binary uses some of it")]

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use axum::{Extension, Router};
use gantry_core::model::SystemClock;
use gantry_core::{Broker, Config as CoreConfig};
use gantry_openmessaging::{Config, OpenMessaging};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) struct Api {
    pub(crate) routes: Router,
    pub(crate) broker: Broker,
    pub(crate) _home: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// HTTP's status and OpenMessaging's.
    pub(crate) fn statuses(&self) -> (u16, &str) {
        (self.status, self.field("x-oms-status").unwrap())
    }
}

impl Api {
    pub(crate) fn new(config: Config) -> Self {
        Self::over(CoreConfig::default(), config)
    }

    pub(crate) fn over(mut core: CoreConfig, config: Config) -> Self {
        let home = tempfile::tempdir().unwrap();
        core.store.segment_bytes = 1 << 24;
        core.store.stretch_bytes = 1 << 22;
        core.topics.default_queues = 1;
        let broker = Broker::open(home.path(), core, Arc::new(SystemClock)).unwrap();
        let server = OpenMessaging::new(broker.anonymous(), config, Arc::new(SystemClock));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        Self {
            routes: server.routes().layer(Extension(ConnectInfo(peer))),
            broker,
            _home: home,
        }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            fields: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    pub(crate) async fn produce(&self, fields: &[(&str, &str)], body: &'static str) -> Answer {
        let mut all = vec![("x-oms-version", "1.0.0")];
        if !fields
            .iter()
            .any(|(name, _)| *name == "x-oms-h-destination")
        {
            all.push(("x-oms-h-destination", "t"));
        }
        all.extend(fields);
        self.ask("POST", "/", &all, body).await
    }

    pub(crate) async fn pull(&self, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("x-oms-version", "1.0.0"), ("x-oms-source", "t")];
        if !fields.iter().any(|(name, _)| *name == "x-oms-consumerId") {
            all.push(("x-oms-consumerId", "c"));
        }
        all.extend(fields);
        self.ask("GET", "/oms", &all, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[], body.to_string()).await
    }
}
