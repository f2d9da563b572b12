//! What each request does, one family a file.

mod broker_info;
mod locks;
mod membership;
mod offsets;
mod pull;
mod query;
mod queue;
mod send;
mod send_answer;
mod send_topic;
mod stats;
mod subscription;
mod topics;

pub(crate) use membership::notice;
pub(crate) use send::SendStage;

use crate::error::Refusal;
use crate::reply::Reply;
use crate::session::Session;
use gantry_remoting_protocol::{Command, RequestCode, ResponseCode};

/// Whether a request goes to the [`SendStage`].
pub(crate) const fn is_send(code: RequestCode) -> bool {
    matches!(
        code,
        RequestCode::SendMessage | RequestCode::SendMessageV2 | RequestCode::SendBatchMessage
    )
}

/// Does what any other request asks for.
pub(crate) fn handle(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let role = session.role();
    match command.request_code() {
        RequestCode::PullMessage | RequestCode::LitePullMessage => pull::pull(session, command),
        RequestCode::QueryConsumerOffset => offsets::query(role, command),
        RequestCode::UpdateConsumerOffset => offsets::update(role, command),
        RequestCode::UpdateAndCreateTopic => topics::create(role, command),
        RequestCode::GetAllTopicConfig => Ok(topics::list(role, command)),
        RequestCode::GetTopicConfig => stats::topic_config(role, command),
        RequestCode::GetTopicStatsInfo => stats::topic_stats(role, command),
        RequestCode::GetConsumeStats => stats::consume_stats(role, command),
        RequestCode::QueryMessage => query::by_key(role, command),
        RequestCode::GetBrokerRuntimeInfo => Ok(broker_info::runtime(role, command)),
        RequestCode::DeleteTopicInBroker => topics::delete(role, command),
        RequestCode::SearchOffsetByTimestamp => queue::search(role, command),
        RequestCode::GetMaxOffset => queue::max_offset(role, command),
        RequestCode::GetMinOffset => queue::min_offset(role, command),
        RequestCode::GetEarliestMessageStoreTime => queue::earliest_store_time(role, command),
        RequestCode::ViewMessageById => queue::view(role, command),
        RequestCode::HeartBeat => membership::heartbeat(session, command),
        RequestCode::UnregisterClient => membership::unregister(role, command),
        RequestCode::GetConsumerListByGroup => membership::consumer_list(role, command),
        RequestCode::CheckClientConfig => membership::check_config(command),
        RequestCode::LockBatchQueues => locks::lock(role, command),
        RequestCode::UnlockBatchQueues => locks::unlock(role, command),
        code => {
            let remark = format!(" request type {} not supported", code.value());
            Err(Refusal::new(ResponseCode::RequestCodeNotSupported, remark))
        }
    }
}
