//! One counter of the broker: 315.

use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::Timestamp;
use gantry_core::traffic::{Amount, Span, Traffic};
use gantry_remoting_protocol::body::{self, BrokerStatsData, BrokerStatsItem, Style};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// Which of a counter's amounts is asked for.
type Pick = fn(&Amount) -> u64;

const NUMBER: Pick = |amount| amount.messages;
const SIZE: Pick = |amount| amount.bytes;

/// 315: a counter over a minute, an hour and a day.
pub(crate) fn view(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let name: &str = command.fields.value("statsName")?;
    let key: &str = command.fields.value("statsKey")?;
    let now = role.clock.now();
    let topic = || {
        role.client
            .topic(key)
            .filter(|_| !names::is_hidden_topic(key))
    };
    let group = || {
        let (topic, group) = key.split_once('@')?;
        role.statistics.find(topic, group)
    };
    let data = match name {
        "TOPIC_PUT_NUMS" => topic().and_then(|topic| data(topic.produced(), NUMBER, now)),
        "TOPIC_PUT_SIZE" => topic().and_then(|topic| data(topic.produced(), SIZE, now)),
        "GROUP_GET_NUMS" => group().and_then(|group| data(&group.pulled, NUMBER, now)),
        "GROUP_GET_SIZE" => group().and_then(|group| data(&group.pulled, SIZE, now)),
        "SNDBCK_PUT_NUMS" => group().and_then(|group| data(&group.sent_back, NUMBER, now)),
        "BROKER_PUT_NUMS" => data(role.client.produced(), NUMBER, now),
        "BROKER_GET_NUMS" => data(&role.statistics.pulled, NUMBER, now),
        _ => None,
    };
    let Some(data) = data else {
        let remark = format!("The stats <{name}> <{key}> not exist");
        return Err(Refusal::new(ResponseCode::SystemError, remark));
    };
    let body = vec![body::encode(&data, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

/// What a counter says; `None` as long as it has not counted, when stock brokers have none.
fn data(traffic: &Traffic, pick: Pick, now: Timestamp) -> Option<BrokerStatsData> {
    traffic.counted_at()?;
    let item = |span| {
        let passed = traffic.within(span, now);
        let sum = pick(&passed.amount);
        BrokerStatsItem {
            avgpt: ratio(sum, passed.amount.times),
            sum: i64::try_from(sum).unwrap_or(i64::MAX),
            tps: ratio(sum, passed.millis) * 1000.0,
        }
    };
    Some(BrokerStatsData {
        stats_day: item(Span::Day),
        stats_hour: item(Span::Hour),
        stats_minute: item(Span::Minute),
    })
}

/// `count / of`, 0 for nothing of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure for people, exact to 53 bits"
)]
pub(super) fn ratio(count: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    }
}
