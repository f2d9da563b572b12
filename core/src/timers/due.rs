//! When a message is due, as its properties say and as the index keeps it.

use super::TimerConfig;
use crate::Error;
use crate::model::{Properties, Timestamp, property};

/// Tags of 31 bits count milliseconds in a circle.
const CIRCLE: i64 = 1 << 31;
/// A message that waits longer is looked at after this long, and then waits on.
const LOOK_AFTER_MS: u64 = 1 << 30;
/// A record stored this long after it was due is taken for overdue, not for one of the next turn.
const OVERDUE_MS: i64 = CIRCLE / 4;

/// When a message with `properties` wants to be delivered; `None` for at once. A delay level
/// counts before a time, as in RocketMQ (`HookUtils.handleScheduleMessage`).
///
/// # Errors
/// [`Error::Invalid`] for what is no number, and for a delay over the limit.
pub(crate) fn due_time(
    properties: &Properties,
    now: Timestamp,
    config: &TimerConfig,
) -> Result<Option<Timestamp>, Error> {
    if let Some(level) = number(properties, property::DELAY)?
        && let Some(millis) = config.delay_levels.millis(level)
    {
        return Ok(Some(now.plus_millis(millis)));
    }
    let after = |millis: i64| Timestamp::from_millis(now.millis().saturating_add(millis));
    let due = if let Some(seconds) = number(properties, property::TIMER_DELAY_SEC)? {
        after(seconds.saturating_mul(1_000))
    } else if let Some(millis) = number(properties, property::TIMER_DELAY_MS)? {
        after(millis)
    } else if let Some(at) = number(properties, property::TIMER_DELIVER_MS)? {
        Timestamp::from_millis(at)
    } else if let Some(at) = number(properties, property::START_DELIVER_TIME)? {
        Timestamp::from_millis(at)
    } else {
        return Ok(None);
    };
    if due.millis_since(now) > config.delay_ms_max {
        let limit = config.delay_ms_max;
        return Err(Error::Invalid(format!(
            "timer message illegal, the delay time should not be bigger than the max delay {limit}ms"
        )));
    }
    Ok((due > now).then_some(due))
}

fn number(properties: &Properties, name: &str) -> Result<Option<i64>, Error> {
    let Some(value) = properties.value(name) else {
        return Ok(None);
    };
    let illegal = |_| Error::Invalid(format!("property {name} is no number: {value:?}"));
    value.trim().parse().map(Some).map_err(illegal)
}

/// When a record of the timer topic is due; at once if it does not say.
pub(crate) fn due_of(properties: &Properties) -> Timestamp {
    let due = number(properties, property::TIMER_OUT_MS).ok().flatten();
    Timestamp::from_millis(due.unwrap_or_default())
}

/// What the index keeps in place of the tag: when to look at a record of the timer topic.
pub(crate) fn tag_of(properties: &Properties) -> i32 {
    let enqueued = number(properties, property::TIMER_ENQUEUE_MS)
        .ok()
        .flatten();
    let enqueued = Timestamp::from_millis(enqueued.unwrap_or_default());
    let look_at = due_of(properties).min(enqueued.plus_millis(LOOK_AFTER_MS));
    i32::try_from(look_at.millis().rem_euclid(CIRCLE)).unwrap_or_default()
}

/// When to look at the record of an index entry: not after it is due.
pub(crate) fn look_at(tag: i32, stored_at: Timestamp) -> Timestamp {
    let ahead = (i64::from(tag) - stored_at.millis()).rem_euclid(CIRCLE);
    let ahead = if ahead >= CIRCLE - OVERDUE_MS {
        ahead - CIRCLE
    } else {
        ahead
    };
    Timestamp::from_millis(stored_at.millis().saturating_add(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_123);

    fn due(pairs: &[(&str, &str)]) -> Result<Option<i64>, Error> {
        let properties = Properties::from_pairs(pairs.iter().copied()).unwrap();
        let due = due_time(&properties, NOW, &TimerConfig::default())?;
        Ok(due.map(|due| due.millis() - NOW.millis()))
    }

    #[test]
    fn a_level_counts_before_a_time_and_seconds_before_milliseconds() {
        assert_eq!(due(&[]), Ok(None));
        assert_eq!(
            due(&[("TIMER_DELAY_MS", "7"), ("DELAY", "2")]),
            Ok(Some(5_000))
        );
        assert_eq!(due(&[("TIMER_DELAY_MS", "7"), ("DELAY", "0")]), Ok(Some(7)));
        let both = [("TIMER_DELAY_MS", "7"), ("TIMER_DELAY_SEC", "3")];
        assert_eq!(due(&both), Ok(Some(3_000)));
        let at = (NOW.millis() + 9).to_string();
        assert_eq!(due(&[("TIMER_DELIVER_MS", &at)]), Ok(Some(9)));
        assert_eq!(due(&[("__STARTDELIVERTIME", &at)]), Ok(Some(9)));
        assert_eq!(due(&[("TIMER_DELIVER_MS", "1")]), Ok(None), "it is past");
    }

    #[test]
    fn what_is_no_number_or_too_far_is_refused() {
        for (name, value) in [
            ("DELAY", "x"),
            ("TIMER_DELAY_SEC", ""),
            ("TIMER_DELAY_SEC", "1.5"),
            ("TIMER_DELAY_SEC", "259201"),
            ("TIMER_DELAY_SEC", "9223372036854775807"),
        ] {
            let properties = Properties::from_wire(format!("{name}\u{1}{value}").into()).unwrap();
            let due = due_time(&properties, NOW, &TimerConfig::default());
            assert_eq!(due.is_err(), !value.is_empty(), "{name} {value}");
        }
        assert_eq!(due(&[("TIMER_DELAY_SEC", "259200")]), Ok(Some(259_200_000)));
    }

    #[test]
    fn the_index_tells_when_to_look_and_never_after_a_record_is_due() {
        for delay in [0, 1, 1_000, 259_200_000, 1 << 30, 1 << 32, 1 << 40] {
            for late in [0, 1, 3_600_000] {
                let due = NOW.plus_millis(delay);
                let properties = Properties::from_pairs([
                    ("TIMER_OUT_MS", due.millis().to_string().as_str()),
                    ("TIMER_ENQUEUE_MS", NOW.millis().to_string().as_str()),
                ])
                .unwrap();
                let stored_at = NOW.plus_millis(late);
                let look = look_at(tag_of(&properties), stored_at);
                assert!(look <= due, "{delay} {late}: {look} {due}");
                if delay <= 1 << 30 {
                    assert_eq!(look, due, "{delay} {late}");
                }
            }
        }
    }
}
