//! Where a topic's queues are: 105.

use super::{Advertised, NameServer, order_conf, with_body};
use crate::error::{FAQ, Refusal};
use crate::names;
use crate::reply::Frame;
use gantry_core::model::{Permission, TopicSpec};
use gantry_remoting_protocol::body::{self, BrokerData, QueueData, Style, TopicRouteData};
use gantry_remoting_protocol::header::RouteRequest;
use gantry_remoting_protocol::peer::version;
use gantry_remoting_protocol::{Command, ResponseCode};

/// Read, write, and inherited by the topics made from it.
const TEMPLATE_PERMISSION: Permission = Permission::from_bits(7);

pub(super) fn route(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: RouteRequest<'_> = command.header()?;
    // Java's text of an absent name.
    let topic = request.topic.unwrap_or("null");
    let Some(spec) = spec_of(server, topic) else {
        let remark = format!("No topic route info in name server for the topic: {topic}\n{FAQ}");
        return Err(Refusal::new(ResponseCode::TopicNotExist, remark));
    };
    let mut route = route_of(&server.advertised, &spec);
    if server.config.order_message_enable {
        route.order_topic_conf = order_conf::of(&spec).map(str::to_owned);
    }
    let is_standard = command.version >= version::V4_9_4 || request.accept_standard_json_only;
    let style = if is_standard {
        Style::Standard
    } else {
        Style::Fastjson
    };
    Ok(with_body(command, body::encode(&route, style)))
}

/// The topic's settings. A client that finds a topic missing asks for the template's route and
/// sends there, upon which the broker makes the topic.
fn spec_of(server: &NameServer, topic: &str) -> Option<TopicSpec> {
    if names::is_hidden_topic(topic) {
        return None;
    }
    if topic == names::DEFAULT_TOPIC {
        return server.client.auto_create_topics().then(|| TopicSpec {
            permission: TEMPLATE_PERMISSION,
            ..TopicSpec::with_queues(server.advertised.auto_create_queues)
        });
    }
    let topic = server.client.topic(topic)?;
    Some((*topic.spec()).clone())
}

/// The broker as routes and the cluster's description show it.
pub(super) fn broker_of(advertised: &Advertised) -> BrokerData {
    BrokerData {
        broker_addrs: [(0, advertised.address.clone())].into(),
        broker_name: advertised.broker_name.clone(),
        cluster: advertised.cluster_name.clone(),
        enable_acting_master: false,
    }
}

fn route_of(advertised: &Advertised, spec: &TopicSpec) -> TopicRouteData {
    let count = |queues| i32::try_from(queues).unwrap_or(i32::MAX);
    TopicRouteData {
        broker_datas: vec![broker_of(advertised)],
        queue_datas: vec![QueueData {
            broker_name: advertised.broker_name.clone(),
            perm: i32::from(spec.permission.bits()),
            read_queue_nums: count(spec.read_queues),
            topic_sys_flag: spec.sys_flag,
            write_queue_nums: count(spec.write_queues),
        }],
        ..TopicRouteData::default()
    }
}
