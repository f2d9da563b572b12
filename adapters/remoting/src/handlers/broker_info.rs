//! What operators ask of a broker: 28.

use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_remoting_protocol::body::{self, KvTable, Style};
use gantry_remoting_protocol::peer::version;
use gantry_remoting_protocol::{Answer, Command};

/// 28: what is known and true; stock brokers say more.
pub(crate) fn runtime(role: &BrokerRole, command: &Command) -> Reply {
    let up_millis = role.clock.now().millis_since(role.started_at);
    let facts = [
        (
            "brokerVersionDesc",
            concat!("Gantry_", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("brokerVersion", version::OURS.to_string()),
        ("bootTimestamp", role.started_at.to_string()),
        ("runtime", span(up_millis)),
        ("brokerActive", true.to_string()),
    ];
    let table = KvTable {
        table: facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    let body = vec![body::encode(&table, Style::Standard)];
    Frame::with_body(command.reply_to(), &Answer::OK, body).into()
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
    use super::span;

    #[test]
    fn a_span_is_cut_into_days_hours_minutes_and_seconds() {
        let expected = "[ 1 days, 1 hours, 1 minutes, 1 seconds ]";
        assert_eq!(span(90_061_999), expected);
    }
}
