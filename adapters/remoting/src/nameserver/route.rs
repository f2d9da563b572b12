//! Where a topic's queues are: 105.

use super::kv_requests::ORDER_TOPIC_CONFIG;
use super::registry::{MASTER_ID, Registry};
use super::{NameServer, with_body};
use crate::error::{FAQ, Refusal};
use crate::reply::Frame;
use gantry_remoting_protocol::body::{self, BrokerData, Style, TopicRouteData};
use gantry_remoting_protocol::header::RouteRequest;
use gantry_remoting_protocol::peer::version;
use gantry_remoting_protocol::{Command, ResponseCode};

/// Permission to write.
const WRITE: i32 = 2;

pub(super) fn route(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: RouteRequest<'_> = command.header()?;
    // Java's text of an absent name.
    let topic = request.topic.unwrap_or("null");
    let Some(mut route) = route_of(server, topic) else {
        let remark = format!("No topic route info in name server for the topic: {topic}\n{FAQ}");
        return Err(Refusal::new(ResponseCode::TopicNotExist, remark));
    };
    let switches = server.switches();
    if switches.support_acting_master {
        let queues = &route.queue_datas;
        for broker in &mut route.broker_datas {
            let may_write = queues
                .iter()
                .any(|queues| queues.broker_name == broker.broker_name && queues.perm & WRITE != 0);
            if !may_write {
                call_a_slave_master(broker);
            }
        }
    }
    if switches.order_message_enable {
        route.order_topic_conf = server.kv.get(ORDER_TOPIC_CONFIG, topic);
    }
    if let Some(zone) = zone_of(command) {
        keep_zone(&mut route, zone);
    }
    let is_standard = command.version >= version::V4_9_4 || request.accept_standard_json_only;
    let style = if is_standard {
        Style::Standard
    } else {
        Style::Fastjson
    };
    Ok(with_body(command, body::encode(&route, style)))
}

fn route_of(server: &NameServer, topic: &str) -> Option<TopicRouteData> {
    let registry = server.registry.lock();
    let own = server.own.as_ref().and_then(|own| own.queues(topic));
    let queue_datas = own.into_iter().chain(registry.queues(topic));
    let mut route = TopicRouteData {
        queue_datas: queue_datas.collect(),
        topic_queue_mapping_by_broker: registry.mappings(topic),
        ..TopicRouteData::default()
    };
    route.broker_datas = brokers_of(&registry, &route);
    (!route.broker_datas.is_empty()).then_some(route)
}

fn brokers_of(registry: &Registry, route: &TopicRouteData) -> Vec<BrokerData> {
    let queues = route.queue_datas.iter();
    queues
        .filter_map(|queues| registry.broker(&queues.broker_name))
        .collect()
}

/// While there is no master, clients that read from it go to the smallest slave.
fn call_a_slave_master(broker: &mut BrokerData) {
    let addresses = &mut broker.broker_addrs;
    if broker.enable_acting_master
        && !addresses.contains_key(&MASTER_ID)
        && let Some((_, address)) = addresses.pop_first()
    {
        addresses.insert(MASTER_ID, address);
    }
}

/// The zone whose brokers alone the client wants.
fn zone_of(command: &Command) -> Option<&str> {
    let mode = command.fields.text("__ZONE_MODE")?;
    let zone = command.fields.text("__ZONE_NAME")?;
    (mode.eq_ignore_ascii_case("true") && !zone.is_empty()).then_some(zone)
}

/// Drops brokers of other zones, but those that lost their master (`ZoneRouteRPCHook`).
fn keep_zone(route: &mut TopicRouteData, zone: &str) {
    route.broker_datas.retain(|broker| {
        let name = broker.zone_name.as_deref();
        let is_there = name.is_some_and(|name| name.eq_ignore_ascii_case(zone));
        is_there || !broker.broker_addrs.contains_key(&MASTER_ID)
    });
    let brokers = &route.broker_datas;
    route.queue_datas.retain(|queues| {
        let mut names = brokers.iter().map(|broker| &broker.broker_name);
        names.any(|name| *name == queues.broker_name)
    });
}
