//! The broker's settings under RocketMQ's names: 25 and 26.

use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::FlushMode;
use gantry_core::model::Permission;
use gantry_remoting_protocol::codec::{FieldWriter, WriteFields};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};
use std::collections::BTreeMap;

/// The one setting that can change while the broker runs: what clients may do at all.
const PERMISSION: &str = "brokerPermission";

/// How new the settings are.
struct ConfigVersion(i64);

impl WriteFields for ConfigVersion {
    fn write_fields(&self, out: &mut FieldWriter<'_>) {
        let timestamp = self.0;
        let version = format!(r#"{{"counter":0,"stateVersion":0,"timestamp":{timestamp}}}"#);
        out.text("version", &version);
    }
}

/// 26: settings as sorted lines of `name=value`.
pub(crate) fn show(role: &BrokerRole, command: &Command) -> Reply {
    let lines = settings(role).into_iter();
    let text: String = lines
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    let version = ConfigVersion(role.started_at.millis());
    let answer = Answer::OK.with_fields(&version);
    Frame::with_body(command.reply_to(), &answer, vec![text.into()]).into()
}

/// What is set, where RocketMQ has a name for it and means the same.
fn settings(role: &BrokerRole) -> BTreeMap<&'static str, String> {
    let ours = &role.config;
    let core = role.client.config();
    let flush = match core.store.flush {
        FlushMode::Sync => "SYNC_FLUSH",
        FlushMode::Async => "ASYNC_FLUSH",
    };
    let mut settings = BTreeMap::from([
        ("autoCreateSubscriptionGroup", true.to_string()),
        ("autoCreateTopicEnable", core.topics.auto_create.to_string()),
        ("brokerClusterName", ours.cluster_name.clone()),
        ("brokerIP1", ours.advertised_address.ip().to_string()),
        ("brokerId", 0.to_string()),
        ("brokerName", ours.broker_name.clone()),
        (PERMISSION, role.permission().bits().to_string()),
        ("brokerRole", "ASYNC_MASTER".to_owned()),
        ("channelExpiredTimeout", ours.client_expiry_ms.to_string()),
        ("defaultTopicQueueNums", ours.auto_create_queues.to_string()),
        (
            "diskSpaceCleanForciblyRatio",
            core.store.disk_force_clean_percent.to_string(),
        ),
        (
            "diskSpaceWarningLevelRatio",
            core.store.disk_read_only_percent.to_string(),
        ),
        (
            "diskMaxUsedSpaceRatio",
            core.store.disk_clean_percent.to_string(),
        ),
        (
            "fileReservedTime",
            (core.store.retention_ms / 3_600_000).to_string(),
        ),
        ("flushDiskType", flush.to_owned()),
        (
            "flushIntervalCommitLog",
            core.store.flush_interval_ms.to_string(),
        ),
        ("listenPort", ours.advertised_address.port().to_string()),
        ("litePullMessageEnable", true.to_string()),
        ("longPollingEnable", true.to_string()),
        (
            "mappedFileSizeCommitLog",
            core.store.segment_bytes.to_string(),
        ),
        ("maxMessageSize", ours.message_bytes_max.to_string()),
        (
            "maxTransferBytesOnMessageInMemory",
            ours.pull_bytes_max.to_string(),
        ),
        (
            "maxTransferCountOnMessageInMemory",
            ours.pull_messages_max.to_string(),
        ),
        ("regionId", ours.region.clone()),
        ("slaveReadEnable", false.to_string()),
        ("syncFlushTimeout", core.store.flush_timeout_ms.to_string()),
        ("traceOn", ours.trace_on.to_string()),
        (
            "useServerSideResetOffset",
            ours.server_side_reset.to_string(),
        ),
    ]);
    if let Some(hour) = core.store.retention_hour {
        settings.insert("deleteWhen", format!("{hour:02}"));
    }
    settings
}

/// 25: sets what can be set while the broker runs; all of it or nothing.
pub(crate) fn change(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let text = std::str::from_utf8(&command.body)
        .map_err(|_| Refusal::new(ResponseCode::SystemError, "the body is not UTF-8"))?;
    let mut permission = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
        if name.trim() != PERMISSION {
            let remark = format!("Can not update config {}: a restart is needed", name.trim());
            return Err(Refusal::new(ResponseCode::NoPermission, remark));
        }
        let bits = value.trim().parse::<u8>().ok().filter(|bits| *bits <= 7);
        let bits = bits.ok_or_else(|| {
            let remark = format!("{PERMISSION} {} is illegal", value.trim());
            Refusal::new(ResponseCode::InvalidParameter, remark)
        })?;
        permission = Some(Permission::from_bits(bits));
    }
    if let Some(permission) = permission {
        role.set_permission(permission)?;
    }
    Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
}
