//! `/metrics`: the store's numbers in the OpenMetrics text format.

use super::{Watched, health};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gantry_core::Broker;
use gantry_openmessaging::OpenMessaging;
use gantry_remoting::nameserver::NameServer;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Every state `/healthz` can name.
const STATES: [&str; 4] = ["healthy", "read_only", "disk_full", "failed"];

/// Reads the numbers when they are asked for.
#[derive(Debug)]
struct Store(Broker);

/// As [`Store`].
#[derive(Debug)]
struct Names(Arc<NameServer>);

/// As [`Store`].
#[derive(Debug)]
struct Amqp(Arc<gantry_amqp::Server>);

/// As [`Store`].
#[derive(Debug)]
struct Callbacks(Arc<OpenMessaging>);

/// Answers with all metrics.
pub(super) async fn answer(State(watched): State<Watched>) -> Response {
    let mut registry = Registry::with_prefix("gantry");
    if let Some(store) = watched.store {
        registry.register_collector(Box::new(Store(store)));
    }
    if let Some(namesrv) = watched.namesrv {
        registry.register_collector(Box::new(Names(namesrv)));
    }
    if let Some(amqp) = watched.amqp {
        registry.register_collector(Box::new(Amqp(amqp)));
    }
    if let Some(openmessaging) = watched.openmessaging {
        registry.register_collector(Box::new(Callbacks(openmessaging)));
    }
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Collector for Store {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let store = self.0.store_figures();
        let counters = [
            (
                "log_appended_bytes",
                "Bytes of log ever appended",
                store.appended,
            ),
            (
                "log_flushed_bytes",
                "Bytes of log on the disk, of those appended",
                store.flushed,
            ),
        ];
        for (name, help, value) in counters {
            counter(&mut encoder, name, help, value)?;
        }
        let gauges = [
            (
                "log_start_bytes",
                "Position of the oldest byte kept",
                store.start,
            ),
            ("log_segments", "Files of the log", store.segments),
            (
                "store_damaged_ranges",
                "Stretches of the log that are damaged",
                store.damaged_ranges,
            ),
            (
                "store_damaged_bytes",
                "Bytes of the log that are damaged",
                store.damaged_bytes,
            ),
            (
                "store_damaged_segments",
                "Segments with damage in them, which are never removed",
                store.damaged_segments,
            ),
            (
                "store_pinned_bytes",
                "Bytes of segments that are kept beyond their time for topics that want them",
                store.pinned_bytes,
            ),
            ("topics", "Topics, system topics included", store.topics),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, value)?;
        }
        self.encode_health(&mut encoder)
    }
}

impl Collector for Names {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.figures();
        for (name, help, value) in [
            (
                "namesrv_brokers",
                "Brokers the NameServer knows, slaves included",
                figures.brokers,
            ),
            (
                "namesrv_registered_topics",
                "Topics that brokers of other processes registered",
                figures.registered_topics,
            ),
        ] {
            let value = u64::try_from(value).unwrap_or(u64::MAX);
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}

impl Collector for Amqp {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut metric = encoder.encode_descriptor(
            "amqp_ignored",
            "How often AMQP's clients asked for something that has no effect",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?;
        for row in self.0.ledger().known_rows() {
            let labels = [("kind", row.asked.name()), ("name", &*row.name)];
            ConstCounter::new(row.times).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Callbacks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.callback_figures();
        let counters = [
            (
                "callbacks_delivered",
                "Messages that receivers of callbacks took",
                figures.delivered,
            ),
            (
                "callbacks_failed",
                "Requests of callbacks that failed",
                figures.failed,
            ),
            (
                "callbacks_dead_lettered",
                "Messages that no receiver took and that went to dead letters",
                figures.dead_lettered,
            ),
        ];
        for (name, help, value) in counters {
            counter(&mut encoder, name, help, value)?;
        }
        let help = "Consumers whose messages are sent to them";
        gauge(&mut encoder, "callbacks", help, figures.callbacks)
    }
}

impl Store {
    fn encode_health(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let state = health::name(&self.0.health());
        let mut metric = encoder.encode_descriptor(
            "store_health",
            "1 for the state the store is in",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for name in STATES {
            let labels = [("state", name)];
            let value = i64::from(name == state);
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), fmt::Error> {
    ConstCounter::new(value).encode(encoder.encode_descriptor(
        name,
        help,
        None,
        prometheus_client::metrics::MetricType::Counter,
    )?)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), fmt::Error> {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    ConstGauge::new(value).encode(encoder.encode_descriptor(
        name,
        help,
        None,
        prometheus_client::metrics::MetricType::Gauge,
    )?)
}
