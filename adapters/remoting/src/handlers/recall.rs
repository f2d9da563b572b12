//! Taking a delayed message back: 370.

use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::model::Timestamp;
use gantry_remoting_protocol::header::{RecallMessage, RecallResponse};
use gantry_remoting_protocol::record::RecallHandle;
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// 370: the message of the handle will not be delivered.
pub(crate) fn recall(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: RecallMessage<'_> = command.header()?;
    if !role.config.recall_enabled {
        let remark = "recall failed, operation is forbidden";
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    let illegal = |remark: &str| Refusal::new(ResponseCode::IllegalOperation, remark);
    if role.client.topic(request.topic).is_none() {
        let remark = format!("recall failed, the topic[{}] not exist", request.topic);
        return Err(Refusal::new(ResponseCode::TopicNotExist, remark));
    }
    let text = RecallHandle::decode(request.handle);
    let handle = text.as_deref().and_then(RecallHandle::read);
    let handle = handle.filter(|handle| handle.topic == request.topic);
    let handle = handle.ok_or_else(|| illegal("recall handle is invalid"))?;
    let due = Timestamp::from_millis(handle.due);
    if due <= role.clock.now() {
        return Err(illegal("recall failed, timestamp invalid"));
    }
    if !role.client.recall(handle.topic, handle.unique_key, due)? {
        return Err(illegal("recall failed, no such message waits"));
    }
    let header = RecallResponse {
        message_id: handle.unique_key,
    };
    Ok(Frame::answer(command.reply_to(), &Answer::OK.with_fields(&header)).into())
}
