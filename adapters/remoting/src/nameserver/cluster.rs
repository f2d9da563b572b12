//! What there is: 106, 206, 224 and 304.

use super::{NameServer, route, with_body};
use crate::error::Refusal;
use crate::names;
use crate::reply::Frame;
use gantry_remoting_protocol::Command;
use gantry_remoting_protocol::body::{self, ClusterInfo, Style, TopicList};
use gantry_remoting_protocol::header::ClusterRequest;

/// 106: the brokers and the clusters they make up.
pub(super) fn info(server: &NameServer, command: &Command) -> Frame {
    let advertised = &server.advertised;
    let name = &advertised.broker_name;
    let info = ClusterInfo {
        broker_addr_table: [(name.clone(), route::broker_of(advertised))].into(),
        cluster_addr_table: [(advertised.cluster_name.clone(), vec![name.clone()])].into(),
    };
    // Stock servers write it so for every client.
    with_body(command, body::encode(&info, Style::Fastjson))
}

/// 206: every topic, the groups' retry topics included, since tools find the groups by them.
pub(super) fn all_topics(server: &NameServer, command: &Command) -> Frame {
    topic_list(command, None, topic_names(server))
}

/// 224: the topics of a cluster; none for a cluster that is not ours.
pub(super) fn topics_of(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: ClusterRequest<'_> = command.header()?;
    let names = if request.cluster == server.advertised.cluster_name {
        topic_names(server)
    } else {
        Vec::new()
    };
    Ok(topic_list(command, None, names))
}

/// 304: names a topic had better not have, and a broker to ask for more of them.
pub(super) fn system_topics(server: &NameServer, command: &Command) -> Frame {
    let advertised = &server.advertised;
    let names = vec![
        advertised.cluster_name.clone(),
        advertised.broker_name.clone(),
    ];
    topic_list(command, Some(advertised.address.clone()), names)
}

fn topic_names(server: &NameServer) -> Vec<String> {
    let template = server.client.auto_create_topics();
    let template = template.then(|| names::DEFAULT_TOPIC.to_owned());
    let topics = server
        .visible_topics()
        .map(|topic| topic.name().to_string())
        .filter(|name| name != names::DEFAULT_TOPIC);
    template.into_iter().chain(topics).collect()
}

fn topic_list(command: &Command, broker_addr: Option<String>, topic_list: Vec<String>) -> Frame {
    let list = TopicList {
        broker_addr,
        topic_list,
    };
    with_body(command, body::encode(&list, Style::Fastjson))
}
