//! What each request does, one family a file.

mod allocation;
mod assignment;
mod broker_config;
mod broker_info;
mod broker_stats;
mod client_calls;
mod connections;
mod consume_queue;
mod consumption;
mod locks;
mod membership;
mod offsets;
mod pop;
mod pull;
mod query;
mod queue;
mod recall;
mod reply_message;
mod reset;
mod retry;
mod send;
mod send_answer;
mod send_topic;
mod stats;
mod subscription;
mod subscription_groups;
mod topics;
mod transaction;

pub(crate) use membership::notice;
pub(crate) use send::SendStage;
pub(crate) use send_topic::{BROKER_TEMPLATE_QUEUES, CLUSTER_TEMPLATE_QUEUES};
pub(crate) use topics::config_of;
pub(crate) use transaction::EndStage;

use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use gantry_remoting_protocol::{Answer, Command, RequestCode, ResponseCode};
use std::sync::Arc;

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
        RequestCode::GetAllTopicConfig => topics::list(role, command),
        RequestCode::GetTopicConfig => stats::topic_config(role, command),
        RequestCode::GetTopicStatsInfo => stats::topic_stats(role, command),
        RequestCode::GetConsumeStats => consumption::consume_stats(role, command),
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
        RequestCode::CheckClientConfig => membership::check_config(role, command),
        RequestCode::ConsumerSendMessageBack => retry::send_back(role, command),
        RequestCode::SendReplyMessage | RequestCode::SendReplyMessageV2 => {
            reply_message::reply(session, command)
        }
        RequestCode::RecallMessage => recall::recall(role, command),
        RequestCode::ResumeCheckHalfMessage => transaction::resume(role, command),
        RequestCode::LockBatchQueues => locks::lock(role, command),
        RequestCode::UnlockBatchQueues => locks::unlock(role, command),
        RequestCode::UpdateAndCreateSubscriptionGroup => subscription_groups::put(role, command),
        RequestCode::UpdateAndCreateSubscriptionGroupList => {
            subscription_groups::put_all(role, command)
        }
        RequestCode::DeleteSubscriptionGroup => subscription_groups::delete(role, command),
        RequestCode::GetAllSubscriptionGroupConfig => subscription_groups::list(role, command),
        RequestCode::GetSubscriptionGroupConfig => subscription_groups::show(role, command),
        RequestCode::UpdateAndGetGroupForbidden => subscription_groups::forbid(role, command),
        code => pop_or_administer(session, code, command),
    }
}

fn pop_or_administer(
    session: &Session,
    code: RequestCode,
    command: &Command,
) -> Result<Reply, Refusal> {
    let role = session.role();
    match code {
        RequestCode::QueryAssignment => assignment::query(role, command),
        RequestCode::SetMessageRequestMode => assignment::set_mode(role, command),
        RequestCode::GetAllMessageRequestMode => Ok(assignment::all_modes(role, command)),
        RequestCode::PopMessage => pop::pop(session, command),
        RequestCode::AckMessage => pop::ack(role, command),
        RequestCode::BatchAckMessage => pop::batch_ack(role, command),
        RequestCode::PeekMessage => pop::peek(role, command),
        RequestCode::ChangeMessageInvisibleTime => pop::change_invisible(role, command),
        RequestCode::Notification => pop::notification(session, command),
        RequestCode::PollingInfo => pop::polling_info(role, command),
        code => administer(role, code, command),
    }
}

/// What only tools ask for.
fn administer(
    role: &Arc<BrokerRole>,
    code: RequestCode,
    command: &Command,
) -> Result<Reply, Refusal> {
    match code {
        RequestCode::UpdateAndCreateTopicList => topics::create_all(role, command),
        RequestCode::GetSystemTopicListFromBroker => Ok(topics::system_topics(command)),
        RequestCode::UpdateBrokerConfig => broker_config::change(role, command),
        RequestCode::GetBrokerConfig => Ok(broker_config::show(role, command)),
        RequestCode::GetAllConsumerOffset => Ok(consumption::all_offsets(role, command)),
        RequestCode::GetConsumerConnectionList => connections::consumers(role, command),
        RequestCode::GetProducerConnectionList => connections::producers(role, command),
        RequestCode::GetAllProducerInfo => Ok(connections::all_producers(role, command)),
        RequestCode::QuerySubscriptionByConsumer => connections::subscription(role, command),
        RequestCode::QueryTopicConsumeByWho => consumption::groups_of_topic(role, command),
        RequestCode::QueryTopicsByConsumer => consumption::topics_of_group(role, command),
        RequestCode::QueryConsumeTimeSpan => consumption::time_spans(role, command),
        RequestCode::QueryConsumeQueue => consume_queue::entries(role, command),
        RequestCode::QueryCorrectionOffset => consumption::corrections(role, command),
        RequestCode::GetBrokerConsumeStats => consumption::broker_consume_stats(role, command),
        RequestCode::ViewBrokerStatsData => broker_stats::view(role, command),
        RequestCode::ResetOffset => reset::reset(role, command),
        RequestCode::CloneGroupOffset => reset::clone_progress(role, command),
        RequestCode::InvokeBrokerToGetConsumerStatus => {
            client_calls::consumer_status(role, command)
        }
        RequestCode::GetConsumerRunningInfo => client_calls::running_info(role, command),
        RequestCode::ConsumeMessageDirectly => client_calls::consume_directly(role, command),
        // What is old or unused goes by itself, soon after it may.
        RequestCode::CleanExpiredConsumeQueue
        | RequestCode::CleanUnusedTopic
        | RequestCode::DeleteExpiredCommitLog => {
            Ok(Frame::answer(command.reply_to(), &Answer::OK).into())
        }
        code => {
            let remark = format!(" request type {} not supported", code.value());
            Err(Refusal::new(ResponseCode::RequestCodeNotSupported, remark))
        }
    }
}
