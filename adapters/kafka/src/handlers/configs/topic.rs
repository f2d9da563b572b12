//! What can be set about a topic. All of it is kept and shown as Kafka does, so that tools which
//! compare settings see what they wrote; retention, size and timestamp settings are obeyed.

/// Kafka's types of settings, with their numbers in DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// A topic setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicSetting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The value as Kafka prints it.
    pub(crate) default: &'static str,
    /// What a value must be, beyond its type.
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Any,
    AtLeast(i64),
    OneOf(&'static [&'static str]),
    /// Every element of a list.
    EachOf(&'static [&'static str]),
}

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    rule: Rule,
) -> TopicSetting {
    TopicSetting {
        name,
        kind,
        default,
        rule,
    }
}

const CODECS: &[&str] = &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"];
const LONG_MAX: &str = "9223372036854775807";

/// The 33 settings of Apache Kafka 4.3.1 in order of name.
pub(crate) const TOPIC_SETTINGS: &[TopicSetting] = &{
    use Kind::{Boolean, Double, Int, List, Long, String};
    use Rule::{Any, AtLeast, EachOf, OneOf};
    [
        setting(
            "cleanup.policy",
            List,
            "delete",
            EachOf(&["compact", "delete"]),
        ),
        setting("compression.gzip.level", Int, "-1", AtLeast(-1)),
        setting("compression.lz4.level", Int, "9", AtLeast(1)),
        setting("compression.type", String, "producer", OneOf(CODECS)),
        setting("compression.zstd.level", Int, "3", AtLeast(-131_072)),
        setting("delete.retention.ms", Long, "86400000", AtLeast(0)),
        setting("file.delete.delay.ms", Long, "60000", AtLeast(0)),
        setting("flush.messages", Long, LONG_MAX, AtLeast(1)),
        setting("flush.ms", Long, LONG_MAX, AtLeast(0)),
        setting("follower.replication.throttled.replicas", List, "", Any),
        setting("index.interval.bytes", Int, "4096", AtLeast(0)),
        setting("leader.replication.throttled.replicas", List, "", Any),
        setting("local.retention.bytes", Long, "-2", AtLeast(-2)),
        setting("local.retention.ms", Long, "-2", AtLeast(-2)),
        setting("max.compaction.lag.ms", Long, LONG_MAX, AtLeast(1)),
        setting("max.message.bytes", Int, "1048588", AtLeast(0)),
        setting(
            "message.timestamp.after.max.ms",
            Long,
            "3600000",
            AtLeast(0),
        ),
        setting(
            "message.timestamp.before.max.ms",
            Long,
            LONG_MAX,
            AtLeast(0),
        ),
        setting(
            "message.timestamp.type",
            String,
            "CreateTime",
            OneOf(&["CreateTime", "LogAppendTime"]),
        ),
        setting("min.cleanable.dirty.ratio", Double, "0.5", Any),
        setting("min.compaction.lag.ms", Long, "0", AtLeast(0)),
        setting("min.insync.replicas", Int, "1", AtLeast(1)),
        setting("preallocate", Boolean, "false", Any),
        setting("remote.log.copy.disable", Boolean, "false", Any),
        setting("remote.log.delete.on.disable", Boolean, "false", Any),
        setting("remote.storage.enable", Boolean, "false", Any),
        setting("retention.bytes", Long, "-1", Any),
        setting("retention.ms", Long, "604800000", AtLeast(-1)),
        setting("segment.bytes", Int, "1073741824", AtLeast(14)),
        setting("segment.index.bytes", Int, "10485760", AtLeast(4)),
        setting("segment.jitter.ms", Long, "0", AtLeast(0)),
        setting("segment.ms", Long, "604800000", AtLeast(1)),
        setting("unclean.leader.election.enable", Boolean, "false", Any),
    ]
};

/// The setting of that name.
pub(crate) fn setting_of(name: &str) -> Option<&'static TopicSetting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.name == name)
}

/// Checks a setting somebody wants to make.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn check(name: &str, value: Option<&str>) -> Result<(), String> {
    let Some(setting) = setting_of(name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    let Some(value) = value else {
        return Err(format!(
            "Null value not supported for topic configs: {name}"
        ));
    };
    if setting.admits(value) {
        return Ok(());
    }
    Err(format!("Invalid value {value} for configuration {name}"))
}

impl TopicSetting {
    fn admits(&self, value: &str) -> bool {
        self.is_typed(value) && self.obeys_rule(value)
    }

    fn is_typed(&self, value: &str) -> bool {
        match self.kind {
            Kind::Boolean => ["true", "false"].contains(&value.to_ascii_lowercase().as_str()),
            Kind::Int => value.trim().parse::<i32>().is_ok(),
            Kind::Long => value.trim().parse::<i64>().is_ok(),
            Kind::Double => value
                .trim()
                .parse::<f64>()
                .is_ok_and(|ratio| (0.0..=1.0).contains(&ratio)),
            Kind::String | Kind::List => true,
        }
    }

    fn obeys_rule(&self, value: &str) -> bool {
        match self.rule {
            Rule::Any => true,
            Rule::AtLeast(least) => value
                .trim()
                .parse::<i64>()
                .is_ok_and(|value| value >= least),
            Rule::OneOf(legal) => legal.contains(&value),
            Rule::EachOf(legal) => value.split(',').all(|value| legal.contains(&value.trim())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_legal_value() {
        for setting in TOPIC_SETTINGS {
            assert_eq!(check(setting.name, Some(setting.default)), Ok(()));
        }
        assert!(TOPIC_SETTINGS.is_sorted_by_key(|setting| setting.name));
        assert_eq!(TOPIC_SETTINGS.len(), 33);
    }

    #[test]
    fn absurd_values_are_refused() {
        assert!(check("retention.ms", Some("-2")).is_err());
        assert!(check("retention.ms", Some("soon")).is_err());
        assert!(check("retention.ms", None).is_err());
        assert!(check("cleanup.policy", Some("compact, delete")).is_ok());
        assert!(check("cleanup.policy", Some("shred")).is_err());
        assert!(check("no.such.setting", Some("1")).is_err());
    }
}
