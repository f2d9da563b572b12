//! The key-value tables: 100, 101, 102 and 219. The one stock tools use holds order
//! configurations of topics, `broker-a:8;broker-b:8`.

use super::kv::KvError;
use super::{NameServer, with_body};
use crate::error::Refusal;
use crate::reply::Frame;
use gantry_remoting_protocol::body::{self, KvTable, Style};
use gantry_remoting_protocol::header::{KvEntry, KvKey, KvNamespace, KvValue};
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// The namespace of order configurations.
pub(super) const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

impl From<KvError> for Refusal {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Full => Self::new(ResponseCode::SystemBusy, error.to_string()),
            KvError::Store(error) => error.into(),
            KvError::File(_) => Self::new(ResponseCode::SystemError, error.to_string()),
        }
    }
}

/// 100.
pub(super) fn put(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvEntry<'_> = command.header()?;
    let config = &server.config;
    for (name, text, limit) in [
        ("namespace", request.namespace, config.kv_name_bytes_max),
        ("key", request.key, config.kv_name_bytes_max),
        ("value", request.value, config.kv_value_bytes_max),
    ] {
        if text.len() > limit {
            let remark = format!("the {name} is longer than {limit} bytes");
            return Err(Refusal::new(ResponseCode::InvalidParameter, remark));
        }
    }
    let entries_max = config.kv_entries_max;
    let kv = &server.kv;
    kv.put(request.namespace, request.key, request.value, entries_max)?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 101.
pub(super) fn get(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvKey<'_> = command.header()?;
    let Some(value) = server.kv.get(request.namespace, request.key) else {
        let (namespace, key) = (request.namespace, request.key);
        let remark = format!("No config item, Namespace: {namespace} Key: {key}");
        return Err(Refusal::new(ResponseCode::QueryNotFound, remark));
    };
    let value = Some(value.as_str());
    let header = KvValue { value };
    let answer = Answer::OK.with_fields(&header);
    Ok(Frame::answer(command.reply_to(), &answer))
}

/// 102: what is not there is deleted already.
pub(super) fn delete(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvKey<'_> = command.header()?;
    server.kv.delete(request.namespace, request.key)?;
    Ok(Frame::answer(command.reply_to(), &Answer::OK))
}

/// 219.
pub(super) fn list(server: &NameServer, command: &Command) -> Result<Frame, Refusal> {
    let request: KvNamespace<'_> = command.header()?;
    let Some(table) = server.kv.list(request.namespace) else {
        let remark = format!("No config item, Namespace: {}", request.namespace);
        return Err(Refusal::new(ResponseCode::QueryNotFound, remark));
    };
    Ok(with_body(
        command,
        body::encode(&KvTable { table }, Style::Fastjson),
    ))
}
