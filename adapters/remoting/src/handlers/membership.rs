//! Clients that come, stay and go: 34, 35, 38, 46, and the notices they get.

use super::retry::retry_topic;
use super::subscription::Wanted;
use super::transaction;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use gantry_core::groups::registry::{ConsumerBeat, Event, MessageModel};
use gantry_core::groups::subscription::{Selector, Subscription};
use gantry_core::model::{GroupName, Timestamp, TopicName};
use gantry_remoting_protocol::body::{
    self, CheckClientRequest, ConsumerData, ConsumerIdList, HeartbeatData,
    MessageModel as WireModel, Style, SubscriptionData,
};
use gantry_remoting_protocol::header::{GroupRequest, HeartbeatResponse, UnregisterClient};
use gantry_remoting_protocol::{Answer, Command, NoFields, Request, RequestCode, ResponseCode};

/// 34: the client and its groups are alive.
pub(crate) fn heartbeat(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let data: HeartbeatData = body::decode(&command.body)?;
    session.peer().note_library(command);
    let heartbeat = Heartbeat {
        session,
        client: data.client_id.as_deref().unwrap_or_default(),
        fingerprint: data.heartbeat_fingerprint.unwrap_or(0),
        has_subscriptions: !data.without_sub.unwrap_or(false),
        now: session.role().clock.now(),
    };
    let mut wants_subscriptions = heartbeat.fingerprint == 0;
    for consumer in &data.consumer_data_set {
        wants_subscriptions |= heartbeat.consumer(consumer)?;
    }
    for producer in &data.producer_data_set {
        heartbeat.producer(&producer.group_name)?;
    }
    let header = HeartbeatResponse {
        is_v2_supported: true,
        is_subscription_changed: wants_subscriptions,
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&header)).into())
}

/// What a heartbeat says of all its groups.
struct Heartbeat<'a> {
    session: &'a Session,
    client: &'a str,
    fingerprint: i32,
    has_subscriptions: bool,
    now: Timestamp,
}

impl Heartbeat<'_> {
    fn producer(&self, group: &str) -> Result<(), Refusal> {
        let Ok(group) = GroupName::new(group) else {
            return Ok(());
        };
        let clients = &self.session.role().clients;
        Ok(clients.producer_beat(self.session.id(), self.client, &group, self.now)?)
    }

    /// Whether the client must send its subscriptions. A group with an illegal name is passed
    /// over.
    fn consumer(&self, consumer: &ConsumerData) -> Result<bool, Refusal> {
        let role = self.session.role();
        let name = &consumer.group_name;
        let (true, Ok(group)) = (names::is_legal_group(name), GroupName::new(name)) else {
            tracing::debug!(group = name, "heartbeat of an illegal group");
            return Ok(false);
        };
        let model = match consumer.message_model {
            WireModel::Broadcasting => MessageModel::Broadcasting,
            WireModel::Clustering | WireModel::LiteSelective => MessageModel::Clustering,
        };
        if model == MessageModel::Clustering {
            ensure_retry_topic(role, name)?;
        }
        let subscriptions = consumer.subscription_data_set.iter();
        let subscriptions = || {
            let usable = |data| subscription(role, name, data);
            subscriptions.filter_map(usable).collect()
        };
        let beat = ConsumerBeat {
            group: group.clone(),
            model,
            subscriptions: self.has_subscriptions.then(subscriptions),
            fingerprint: self.fingerprint,
        };
        let clients = &role.clients;
        let outcome = clients.consumer_beat(self.session.id(), self.client, beat, self.now)?;
        role.consumer_facts
            .note(&group, consumer, self.has_subscriptions);
        Ok(outcome.wants_subscriptions)
    }
}

/// The topic of a group's messages to try again. Clients ask for its route as soon as they run.
fn ensure_retry_topic(role: &BrokerRole, group: &str) -> Result<(), Refusal> {
    match names::retry_topic(group) {
        Some(name) if role.client.topic(name.as_str()).is_none() => {
            retry_topic(role, group).map(|_| ())
        }
        // It is there; or the group's name fills all there is, and it has nothing sent back.
        _ => Ok(()),
    }
}

/// A subscription of a heartbeat; `None` for one nothing can match. An expression that does not
/// parse is reported when the client asks (46) or pulls.
fn subscription(role: &BrokerRole, group: &str, data: &SubscriptionData) -> Option<Subscription> {
    let known = role.clients.subscription(group, &data.topic);
    let selector = match Wanted::from(data).selector(role, known.as_deref()) {
        Ok(selector) => selector,
        Err(refusal) if data.expression_type.as_deref() == Some("SQL92") => {
            tracing::debug!(group, remark = refusal.remark, "unusable subscription");
            Selector::Unusable(refusal.remark.into())
        }
        Err(_) => return None,
    };
    Some(Subscription {
        topic: TopicName::new(&data.topic).ok()?,
        version: data.sub_version,
        selector,
    })
}

impl<'a> From<&'a SubscriptionData> for Wanted<'a> {
    fn from(data: &'a SubscriptionData) -> Self {
        Self {
            language: data.expression_type.as_deref(),
            text: &data.sub_string,
            is_class: data.class_filter_mode,
        }
    }
}

/// 35: the client leaves its groups.
pub(crate) fn unregister(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: UnregisterClient<'_> = command.header()?;
    let group = |name: Option<&str>| GroupName::new(name?).ok();
    if let Some(group) = group(request.producer_group) {
        role.clients.producer_leaves(request.client_id, &group);
    }
    if let Some(group) = group(request.consumer_group) {
        role.clients.consumer_leaves(request.client_id, &group);
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&NoFields)).into())
}

/// 38: the client ids that consume for a group. An empty list would stop the client's rebalance,
/// so a group without members is refused.
pub(crate) fn consumer_list(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: GroupRequest<'_> = command.header()?;
    let members = GroupName::new(request.group).map(|group| role.clients.consumers(&group));
    let members = members.unwrap_or_default();
    if members.is_empty() {
        let remark = format!("no consumer for this group, {}", request.group);
        return Err(Refusal::new(ResponseCode::SystemError, remark));
    }
    let list = ConsumerIdList {
        consumer_id_list: members.iter().map(|id| id.to_string()).collect(),
    };
    let answer = Answer::OK.with_fields(&NoFields);
    let body = vec![body::encode(&list, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &answer, body).into())
}

/// 46: whether a subscription can be served.
pub(crate) fn check_config(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: CheckClientRequest = body::decode(&command.body)?;
    let data = &request.subscription_data;
    let known = role.clients.subscription(&request.group, &data.topic);
    Wanted::from(data).selector(role, known.as_deref())?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// The request that tells a client of an event; `None` when the group's operator wants its
/// members to find out by themselves.
pub(crate) fn notice(role: &BrokerRole, event: &Event) -> Option<Frame> {
    let group = match event {
        Event::GroupChanged(group) => group,
        Event::CheckTransaction(check) => return transaction::question(role, check),
    };
    let settings = role.groups.find(group.as_str());
    if settings.is_some_and(|settings| !settings.notify_consumer_ids_changed_enable) {
        return None;
    }
    let header = GroupRequest {
        group: group.as_str(),
    };
    let request = Request {
        code: RequestCode::NotifyConsumerIdsChanged,
        opaque: role.next_opaque(),
        is_oneway: true,
        fields: Some(&header),
        body_len: 0,
    };
    Some(Frame::request(request, Vec::new()))
}
