//! What operators change: 205, 216, 318, 319 and 327.

use super::own_broker::Override;
use super::{NameServer, Switches, with_body};
use crate::error::Refusal;
use crate::reply::Frame;
use bytes::Bytes;
use gantry_remoting_protocol::header::{
    BrokerRequest, PermissionsAdded, PermissionsWiped, RemoveTopic,
};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::fmt::Write;

/// 205: nobody writes to a broker any more, until one of its topics changes.
pub(super) fn wipe_permission(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: BrokerRequest<'_> = command.header()?;
    let broker = request.broker_name;
    let own = override_own(server, broker, Override::Wiped);
    let registered = server.registry.lock().wipe_write_permission(broker);
    let count = counted(own, registered);
    let fields = PermissionsWiped { count };
    let answer = Answer::OK.with_fields(&fields);
    Ok(Frame::answer(command.reply_to(), &answer))
}

/// 327: takes 205 back.
pub(super) fn add_permission(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: BrokerRequest<'_> = command.header()?;
    let broker = request.broker_name;
    let own = override_own(server, broker, Override::Added);
    let registered = server.registry.lock().add_write_permission(broker);
    let count = counted(own, registered);
    let fields = PermissionsAdded { count };
    let answer = Answer::OK.with_fields(&fields);
    Ok(Frame::answer(command.reply_to(), &answer))
}

fn override_own(server: &NameServer, broker: &str, change: Override) -> usize {
    let own = server.own.as_ref();
    let own = own.filter(|own| own.advertised.broker_name == broker);
    own.map_or(0, |own| own.override_permissions(change))
}

fn counted(own: usize, registered: usize) -> i32 {
    i32::try_from(own.saturating_add(registered)).unwrap_or(i32::MAX)
}

/// 216: the topic of other brokers. This process's own is gone as soon as it has deleted it.
pub(super) fn remove_topic(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: RemoveTopic<'_> = command.header()?;
    let cluster = request.cluster_name.filter(|name| !name.is_empty());
    server.registry.lock().remove_topic(request.topic, cluster);
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 319: the settings under RocketMQ's names, as Java writes properties.
pub(super) fn settings(server: &NameServer, command: &Command) -> Frame {
    let switches = server.switches();
    let mut text = String::new();
    for (name, value) in switches.named() {
        let _ = writeln!(text, "{name}={value}");
    }
    for (name, millis) in [
        (
            "scanNotActiveBrokerInterval",
            server.config.scan_interval_ms,
        ),
        ("brokerExpiryMillis", server.config.broker_expiry_ms),
    ] {
        let _ = writeln!(text, "{name}={millis}");
    }
    with_body(command, Bytes::from(text))
}

/// 318: changes settings until the next start; all or none, and only the switches.
pub(super) fn change_settings(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let invalid = |remark| Refusal::new(ResponseCode::InvalidParameter, remark);
    let text = std::str::from_utf8(&command.body);
    let text = text.map_err(|_| invalid("the properties are not UTF-8".to_owned()))?;
    let mut switches = server.switches();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let pair = line.split_once('=');
        let (name, value) = pair.ok_or_else(|| invalid(format!("{line:.160}: no value")))?;
        let (name, value) = (name.trim(), value.trim());
        let Some(switch) = switches.named_mut(name) else {
            let remark = format!("{name:.160} cannot be changed while the NameServer runs");
            return Err(Refusal::new(ResponseCode::NoPermission, remark));
        };
        let parsed = value.to_ascii_lowercase().parse();
        *switch = parsed.map_err(|_| invalid(format!("{name} is true or false")))?;
    }
    server.set_switches(switches);
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

impl Switches {
    fn named(self) -> [(&'static str, bool); 4] {
        [
            ("orderMessageEnable", self.order_message_enable),
            (
                "returnOrderTopicConfigToBroker",
                self.return_order_topic_config_to_broker,
            ),
            ("enableAllTopicList", self.enable_all_topic_list),
            ("supportActingMaster", self.support_acting_master),
        ]
    }

    fn named_mut(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "orderMessageEnable" => Some(&mut self.order_message_enable),
            "returnOrderTopicConfigToBroker" => Some(&mut self.return_order_topic_config_to_broker),
            "enableAllTopicList" => Some(&mut self.enable_all_topic_list),
            "supportActingMaster" => Some(&mut self.support_acting_master),
            _ => None,
        }
    }
}
