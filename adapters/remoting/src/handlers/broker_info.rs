//! How the broker is: 28.

use super::broker_stats::ratio;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::Timestamp;
use gantry_core::traffic::{Span, Traffic};
use gantry_remoting_protocol::body::{self, KvTable, Style};
use gantry_remoting_protocol::peer::version;
use gantry_remoting_protocol::{Answer, Command};
use std::collections::BTreeMap;

/// Facts by the names stock tools look for.
type Facts = BTreeMap<String, String>;

/// What stock brokers say of their queues of requests, of pages that others hold and of the
/// timer's wheel. Here requests are done as they come: nothing ever waits there.
const ALWAYS_ZERO: &[&str] = &[
    "sendThreadPoolQueueSize",
    "sendThreadPoolQueueCapacity",
    "sendThreadPoolQueueHeadWaitTimeMills",
    "pullThreadPoolQueueSize",
    "pullThreadPoolQueueCapacity",
    "pullThreadPoolQueueHeadWaitTimeMills",
    "litePullThreadPoolQueueSize",
    "litePullThreadPoolQueueCapacity",
    "litePullThreadPoolQueueHeadWaitTimeMills",
    "queryThreadPoolQueueSize",
    "queryThreadPoolQueueCapacity",
    "queryThreadPoolQueueHeadWaitTimeMills",
    "ackThreadPoolQueueSize",
    "ackThreadPoolQueueCapacity",
    "ackThreadPoolQueueHeadWaitTimeMills",
    "EndTransactionQueueSize",
    "EndTransactionThreadPoolQueueCapacity",
    "pageCacheLockTimeMills",
    "dispatchBehindBytes",
    "dispatchMaxBuffer",
    "timerReadBehind",
    "timerOffsetBehind",
    "timerCongestNum",
    "startAcceptSendRequestTimeStamp",
];

/// 28: all that stock tools read.
pub(crate) fn runtime(role: &BrokerRole, command: &Command) -> Reply {
    let now = role.clock.now();
    let mut facts = Facts::new();
    let zeros = ALWAYS_ZERO.iter().map(|name| (*name, 0.to_string()));
    add(&mut facts, zeros);
    add(
        &mut facts,
        ["timerEnqueueTps", "timerDequeueTps"].map(|name| (name, "0.0".to_owned())),
    );
    identity(role, now, &mut facts);
    puts(role, now, &mut facts);
    gets(role, now, &mut facts);
    store(role, &mut facts);
    let table = KvTable { table: facts };
    let body = vec![body::encode(&table, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
}

fn add(facts: &mut Facts, more: impl IntoIterator<Item = (&'static str, String)>) {
    let more = more.into_iter();
    facts.extend(more.map(|(name, value)| (name.to_owned(), value)));
}

fn identity(role: &BrokerRole, now: Timestamp, facts: &mut Facts) {
    let name = concat!("Gantry_", env!("CARGO_PKG_VERSION"));
    add(
        facts,
        [
            ("brokerVersionDesc", name.to_owned()),
            ("brokerVersion", version::OURS.to_string()),
            ("bootTimestamp", role.started_at.to_string()),
            ("runtime", span(now.millis_since(role.started_at))),
            ("brokerActive", true.to_string()),
        ],
    );
}

fn puts(role: &BrokerRole, now: Timestamp, facts: &mut Facts) {
    let produced = role.client.produced();
    let total = produced.total();
    let sends = &role.statistics.sends;
    let refused = role.client.store_figures().refused;
    add(
        facts,
        [
            ("putTps", rates(&[produced], now, |p| p.messages_a_second())),
            ("putMessageTimesTotal", total.messages.to_string()),
            ("putMessageSizeTotal", total.bytes.to_string()),
            ("putMessageFailedTimes", refused.to_string()),
            (
                "putMessageAverageSize",
                ratio(total.bytes, total.messages).to_string(),
            ),
            ("putMessageEntireTimeMax", sends.longest().to_string()),
            ("putMessageDistributeTime", sends.distribution()),
        ],
    );
    let [yesterday, today, all] = mornings(produced, now);
    add(
        facts,
        [
            ("msgPutTotalYesterdayMorning", yesterday),
            ("msgPutTotalTodayMorning", today),
            ("msgPutTotalTodayNow", all),
        ],
    );
}

fn gets(role: &BrokerRole, now: Timestamp, facts: &mut Facts) {
    let (found, missed) = (&role.statistics.pulled, &role.statistics.missed);
    let times = |passed: &gantry_core::traffic::Passed| {
        ratio(passed.amount.times.saturating_mul(1000), passed.millis)
    };
    let [yesterday, today, all] = mornings(found, now);
    let longest = role.statistics.pulls.longest().to_string();
    add(
        facts,
        [
            (
                "getTransferredTps",
                rates(&[found], now, |p| p.messages_a_second()),
            ),
            (
                "getTransferedTps",
                rates(&[found], now, |p| p.messages_a_second()),
            ),
            ("getFoundTps", rates(&[found], now, times)),
            ("getMissTps", rates(&[missed], now, times)),
            ("getTotalTps", rates(&[found, missed], now, times)),
            ("getMessageEntireTimeMax", longest),
            ("msgGetTotalYesterdayMorning", yesterday),
            ("msgGetTotalTodayMorning", today),
            ("msgGetTotalTodayNow", all),
        ],
    );
}

fn store(role: &BrokerRole, facts: &mut Facts) {
    let figures = role.client.store_figures();
    let all = figures.disk_used.saturating_add(figures.disk_available);
    let used = ratio(figures.disk_used, all).to_string();
    let unflushed = figures.appended.saturating_sub(figures.flushed);
    let oldest = role.client.record_at(role.client.log_range().start);
    let oldest = oldest.map_or(-1, |record| record.stored_at.millis());
    add(
        facts,
        [
            ("commitLogMinOffset", figures.start.to_string()),
            ("commitLogMaxOffset", figures.appended.to_string()),
            ("commitLogDiskRatio", used.clone()),
            ("consumeQueueDiskRatio", used),
            (
                "commitLogDirCapacity",
                format!(
                    "Total : {}, Free : {}.",
                    bytes(all),
                    bytes(figures.disk_available)
                ),
            ),
            ("remainHowManyDataToFlush", bytes(unflushed)),
            ("remainHowManyDataToCommit", bytes(0)),
            ("remainTransientStoreBufferNumbs", i32::MAX.to_string()),
            ("earliestMessageTimeStamp", oldest.to_string()),
        ],
    );
}

/// What counters say a second over ten seconds, a minute and ten minutes.
fn rates(
    counters: &[&Traffic],
    now: Timestamp,
    rate: impl Fn(&gantry_core::traffic::Passed) -> f64,
) -> String {
    let of_span = |span| {
        let rates = counters
            .iter()
            .map(|traffic| rate(&traffic.within(span, now)));
        rates.sum::<f64>().to_string()
    };
    [Span::TenSeconds, Span::Minute, Span::TenMinutes]
        .map(of_span)
        .join(" ")
}

/// A counter as it stood yesterday morning, this morning (UTC) and now.
fn mornings(traffic: &Traffic, now: Timestamp) -> [String; 3] {
    let total = traffic.total().messages;
    let before = |span| {
        let since = traffic.within(span, now).amount.messages;
        total.saturating_sub(since).to_string()
    };
    [
        before(Span::SinceYesterday),
        before(Span::Today),
        total.to_string(),
    ]
}

/// A count of bytes as stock brokers write it.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = None;
    let (mut whole, mut rest) = (count, 0);
    for name in UNITS {
        if whole < 1024 {
            break;
        }
        (whole, rest) = (whole / 1024, whole % 1024);
        unit = Some(name);
    }
    match unit {
        None => format!("{count} B"),
        Some(unit) => format!("{whole}.{} {unit}", rest * 10 / 1024),
    }
}

/// A time span as stock brokers write it.
fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    format!(
        "[ {} days, {} hours, {} minutes, {} seconds ]",
        seconds / 86_400,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::{bytes, span};

    #[test]
    fn a_span_is_cut_into_days_hours_minutes_and_seconds() {
        let expected = "[ 1 days, 1 hours, 1 minutes, 1 seconds ]";
        assert_eq!(span(90_061_999), expected);
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 40), "3.0 TiB");
        assert_eq!(bytes(u64::MAX), "15.9 EiB");
    }
}
