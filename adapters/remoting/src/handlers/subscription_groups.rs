//! Settings of consumer groups: 200, 201, 207, 225, 352 and 353.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::Error;
use gantry_core::model::GroupName;
use gantry_remoting_protocol::body::{
    self, GroupForbidden, Style, SubscriptionGroupConfig, SubscriptionGroupList,
    SubscriptionGroupTable,
};
use gantry_remoting_protocol::codec::{FieldWriter, WriteFields};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::collections::{BTreeMap, BTreeSet};

/// How many groups there are, whatever part of them an answer holds.
struct GroupCount(usize);

impl WriteFields for GroupCount {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        out.int("totalGroupNum", i64::try_from(self.0).unwrap_or(i64::MAX));
    }
}

fn check_name(group: &str) -> Result<(), Refusal> {
    names::check_group(group).map_err(|why| Refusal::new(ResponseCode::InvalidParameter, why))
}

/// 200: gives one group its settings.
pub(crate) fn put(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let config: SubscriptionGroupConfig = body::decode(&command.body)?;
    check_name(&config.group_name)?;
    role.groups.put(config)?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 225: gives several groups their settings; none when one of them has an illegal name.
pub(crate) fn put_all(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let list: SubscriptionGroupList = body::decode(&command.body)?;
    for config in &list.group_config_list {
        check_name(&config.group_name)?;
    }
    for config in list.group_config_list {
        role.groups.put(config)?;
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 207: forgets a group's settings, and its progress when that is asked for.
pub(crate) fn delete(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let group: &str = fields.value("groupName")?;
    let cleans = |name| Ok::<_, Refusal>(fields.value::<Option<bool>>(name)?.unwrap_or(false));
    // 4.x calls it otherwise.
    let cleans_offsets = cleans("cleanOffset")? || cleans("removeOffset")?;
    role.groups.delete(group)?;
    role.statistics.forget_group(group);
    role.resets.forget(|name, _| name == group);
    if let (true, Ok(group)) = (cleans_offsets, GroupName::new(group)) {
        match role.client.delete_group(&group) {
            Ok(()) | Err(Error::GroupNotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}

/// 201: every group with its settings: those that were given some, those that have members, and
/// those that have made progress. Tools may ask for a part of them.
pub(crate) fn list(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let first: Option<i32> = fields.value("groupSeq")?;
    let count: Option<i32> = fields.value("maxGroupNum")?;
    let given = role.groups.all();
    let mut names: BTreeSet<String> = given.keys().cloned().collect();
    names.extend(role.client.groups().iter().map(|group| group.to_string()));
    let online = role.clients.consumer_groups();
    names.extend(online.iter().map(|group| group.to_string()));
    let total = GroupCount(names.len());

    let first = usize::try_from(first.unwrap_or(0)).unwrap_or(0);
    let count = count.and_then(|count| usize::try_from(count).ok());
    let part = names
        .into_iter()
        .skip(first)
        .take(count.unwrap_or(usize::MAX));
    let with_settings = |name: String| {
        let settings = given.get(&name).map(|config| (**config).clone());
        let settings = settings.unwrap_or_else(|| SubscriptionGroupConfig::of_group(&name));
        (name, settings)
    };
    let table = SubscriptionGroupTable {
        data_version: role.groups.version(),
        forbidden_table: role.groups.all_forbidden(),
        subscription_group_table: part.map(with_settings).collect::<BTreeMap<_, _>>(),
    };
    let body = vec![body::encode(&table, Style::Standard)];
    let answer = Answer::OK.with_fields(&total);
    Ok(Frame::with_body(command.reply_to(), &answer, body).into())
}

/// 352: one group's settings; the defaults for a group that has none, as groups come into being
/// by being used.
pub(crate) fn show(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let group: &str = command.fields.value("group")?;
    if !names::is_legal_group(group) {
        return Err(Refusal::group_not_found(group));
    }
    let body = vec![body::encode(&*role.groups.config(group), Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// 353: lets a group read a topic or not, if that is asked for, and says what holds then.
pub(crate) fn forbid(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let fields = &command.fields;
    let group: &str = fields.value("group")?;
    let topic: &str = fields.value("topic")?;
    if let Some(readable) = fields.value::<Option<bool>>("readable")? {
        check_name(group)?;
        role.groups.set_readable(group, topic, readable)?;
    }
    let forbidden = GroupForbidden {
        group: group.to_owned(),
        readable: role.groups.may_read(group, topic),
        topic: topic.to_owned(),
    };
    let body = vec![body::encode(&forbidden, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}
