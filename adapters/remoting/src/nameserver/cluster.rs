//! What there is: 106, 206, 224, 304, 311, 312 and 313.

use super::{NameServer, with_body};
use crate::error::Refusal;
use crate::reply::Frame;
use gantry_remoting_protocol::body::{self, Style, TopicList};
use gantry_remoting_protocol::header::ClusterRequest;
use gantry_remoting_protocol::{Command, ResponseCode};

/// `topicSysFlag` of a topic of one unit of a deployment.
const UNIT: i32 = 1;
/// `topicSysFlag` of a topic that subscribers of a unit read.
const UNIT_SUBSCRIBED: i32 = 2;

/// 106: the brokers and the clusters they make up.
pub(super) fn info(server: &NameServer, command: &Command) -> Frame {
    let info = server.registry.lock().cluster_info();
    // Stock servers write it so for every client.
    with_body(command, body::encode(&info, Style::Fastjson))
}

/// 206: every topic, the groups' retry topics included, since tools find the groups by them.
pub(super) fn all_topics(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    if !server.switches().enable_all_topic_list {
        return Err(Refusal::new(ResponseCode::NoPermission, "disable"));
    }
    let own = server.own.as_ref().map(|own| own.topic_names());
    let registered = server.registry.lock().topics_where(|_| true);
    let names = union(own.unwrap_or_default(), registered);
    Ok(topic_list(command, None, names))
}

/// 224: the topics of a cluster; none for a cluster that is unknown.
pub(super) fn topics_of(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: ClusterRequest<'_> = command.header()?;
    let own = server.own.as_ref();
    let own = own.filter(|own| own.advertised.cluster_name == request.cluster);
    let own = own.map(|own| own.topic_names()).unwrap_or_default();
    let registry = server.registry.lock();
    let registered = registry
        .topics_where(|queues| registry.is_in_cluster(&queues.broker_name, request.cluster));
    Ok(topic_list(command, None, union(own, registered)))
}

/// 304: names a topic had better not have, and a broker to ask for more of them.
pub(super) fn system_topics(server: &NameServer, command: &Command) -> Frame {
    let info = server.registry.lock().cluster_info();
    let clusters = info.cluster_addr_table.into_iter();
    let names = clusters.flat_map(|(cluster, brokers)| std::iter::once(cluster).chain(brokers));
    let mut brokers = info.broker_addr_table.into_values();
    let address = brokers.find_map(|broker| broker.broker_addrs.into_values().next());
    topic_list(command, address, names.collect())
}

/// 311: topics of a unit.
pub(super) fn unit_topics(server: &NameServer, command: &Command) -> Frame {
    topics_flagged(server, command, |flag| flag & UNIT != 0)
}

/// 312: topics read in a unit.
pub(super) fn unit_subscribed_topics(server: &NameServer, command: &Command) -> Frame {
    topics_flagged(server, command, |flag| flag & UNIT_SUBSCRIBED != 0)
}

/// 313: topics read in a unit that are of none.
pub(super) fn foreign_subscribed_topics(server: &NameServer, command: &Command) -> Frame {
    topics_flagged(server, command, |flag| {
        flag & (UNIT | UNIT_SUBSCRIBED) == UNIT_SUBSCRIBED
    })
}

fn topics_flagged(server: &NameServer, command: &Command, wanted: fn(i32) -> bool) -> Frame {
    let own = server.own.as_ref().map(|own| own.topics_where(wanted));
    let registry = server.registry.lock();
    let registered = registry.topics_where(|queues| wanted(queues.topic_sys_flag));
    topic_list(command, None, union(own.unwrap_or_default(), registered))
}

fn union(mut own: Vec<String>, registered: Vec<String>) -> Vec<String> {
    let known: std::collections::HashSet<&str> = own.iter().map(String::as_str).collect();
    let more: Vec<String> = registered
        .into_iter()
        .filter(|name| !known.contains(name.as_str()))
        .collect();
    own.extend(more);
    own
}

fn topic_list(command: &Command, broker_addr: Option<String>, topic_list: Vec<String>) -> Frame {
    let list = TopicList {
        broker_addr,
        topic_list,
    };
    with_body(command, body::encode(&list, Style::Fastjson))
}
