//! What brokers say: 103, 104, 217, 322, 901 and 904.

use super::kv_requests::ORDER_TOPIC_CONFIG;
use super::registry::{Broker, RegisterError, Registered, Session};
use super::{NameServer, with_body};
use crate::error::Refusal;
use crate::reply::Frame;
use gantry_remoting_protocol::body::{
    self, BrokerMemberGroupAnswer, DataVersion, KvTable, Registration, Style, TopicRouteData,
};
use gantry_remoting_protocol::header::{
    self, BrokerHeartbeat, BrokerIdentity, DataVersionChanged, MemberGroupRequest, RegisterBroker,
    TopicRequest,
};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

impl From<RegisterError> for Refusal {
    fn from(error: RegisterError) -> Self {
        let code = match error {
            RegisterError::NeverWhole | RegisterError::Own => ResponseCode::SystemError,
            RegisterError::TooManyBrokers | RegisterError::TooManyTopics => {
                ResponseCode::SystemBusy
            }
        };
        Self::new(code, error.to_string())
    }
}

/// 103.
pub(super) fn register(
    server: &NameServer,
    command: &Command,
    session: &Session,
) -> Result<Frame, Refusal> {
    let request: RegisterBroker<'_> = command.header()?;
    let registration = registration_of(server, command, &request)?;
    let broker = broker_of(&request)?;
    let now = server.clock.now();
    let mut registry = server.registry.lock();
    let is_new = registry.broker(broker.name).is_none();
    let registered = registry.register(&broker, registration, session, now);
    drop(registry);
    let registered = registered.inspect_err(|error| {
        let (name, address) = (broker.name, broker.address);
        tracing::warn!(name, address, %error, "broker refused");
    })?;
    if is_new {
        let (name, id, address) = (broker.name, broker.id, broker.address);
        tracing::info!(name, id, address, "broker registered");
    }
    let leader = match registered {
        Registered::Known(leader) => leader,
        Registered::Outdated => None,
    };
    let fields = header::Registered {
        ha_server_addr: leader.as_ref().map(|leader| leader.ha_address.as_str()),
        master_addr: leader.as_ref().map(|leader| leader.address.as_str()),
    };
    let answer = Answer::OK.with_fields(&fields);
    let orders = server.switches().return_order_topic_config_to_broker;
    let orders = orders.then(|| server.kv.list(ORDER_TOPIC_CONFIG)).flatten();
    let body = orders.map(|table| body::encode(&KvTable { table }, Style::Fastjson));
    let body = body.into_iter().collect();
    Ok(Frame::with_body(command.reply_to(), &answer, body))
}

fn registration_of(
    server: &NameServer,
    command: &Command,
    request: &RegisterBroker<'_>,
) -> Result<Registration, Refusal> {
    let body = &command.body;
    if request.body_crc32 != 0 && request.body_crc32 != body::registration_crc(body) {
        return Err(Refusal::new(ResponseCode::SystemError, "crc32 not match"));
    }
    let registration = if request.compressed {
        body::decode_compressed_registration(body, server.config.registration_bytes_max)?
    } else {
        body::decode_registration(body)?
    };
    Ok(registration)
}

fn broker_of<'a>(request: &RegisterBroker<'a>) -> Result<Broker<'a>, Refusal> {
    for (name, text) in [
        ("brokerName", request.broker_name),
        ("brokerAddr", request.broker_addr),
        ("clusterName", request.cluster_name),
    ] {
        if text.trim().is_empty() {
            let remark = format!("the {name} is blank");
            return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
        }
    }
    let deleted = request.deleted_topics.unwrap_or_default().split(',');
    Ok(Broker {
        cluster: request.cluster_name,
        name: request.broker_name,
        id: request.broker_id,
        address: request.broker_addr,
        ha_address: request.ha_server_addr,
        expiry_millis: request
            .heartbeat_timeout_millis
            .and_then(|millis| u64::try_from(millis).ok()),
        acting_master: request.enable_acting_master,
        zone: request.zone_name.filter(|zone| !zone.is_empty()),
        deleted_topics: deleted.filter(|topic| !topic.is_empty()).collect(),
    })
}

/// 104: it is gone from now on.
pub(super) fn unregister(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: BrokerIdentity<'_> = command.header()?;
    let (name, address) = (request.broker_name, request.broker_addr);
    server.registry.lock().unregister(name, address);
    tracing::info!(name, address, "broker unregistered");
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 322: whether the broker must register anew.
pub(super) fn data_version(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: BrokerIdentity<'_> = command.header()?;
    let theirs: DataVersion = body::decode(&command.body)?;
    let now = server.clock.now();
    let mut registry = server.registry.lock();
    let (ours, changed) = registry.data_version(request.broker_addr, theirs, now);
    drop(registry);
    let fields = DataVersionChanged { changed };
    let answer = Answer::OK.with_fields(&fields);
    let body = ours.map(|ours| body::encode(&ours, Style::Fastjson));
    let body = body.into_iter().collect();
    Ok(Frame::with_body(command.reply_to(), &answer, body))
}

/// 904.
pub(super) fn heartbeat(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: BrokerHeartbeat<'_> = command.header()?;
    let now = server.clock.now();
    server.registry.lock().hear(request.broker_addr, now);
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 901: a master and its slaves.
pub(super) fn members(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: MemberGroupRequest<'_> = command.header()?;
    let registry = server.registry.lock();
    let broker_member_group = registry.members(request.cluster_name, request.broker_name);
    drop(registry);
    let answer = BrokerMemberGroupAnswer {
        broker_member_group,
    };
    Ok(with_body(command, body::encode(&answer, Style::Fastjson)))
}

/// 217: one topic, as soon as a broker has made it.
pub(super) fn register_topic(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let route: TopicRouteData = body::decode(&command.body)?;
    let mut registry = server.registry.lock();
    registry.put_topic(request.topic, route.queue_datas);
    drop(registry);
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}
