use gantry_remoting_protocol::RequestCode;

/// Whether every user may ask for `code`: what producers and consumers need, and looking. All
/// else, also what is added later, is an administrator's.
pub(super) const fn is_everybodys(code: RequestCode) -> bool {
    is_clients(code) || is_looking(code)
}

/// What stock producers and consumers ask for.
const fn is_clients(code: RequestCode) -> bool {
    matches!(
        code,
        RequestCode::SendMessage
            | RequestCode::SendMessageV2
            | RequestCode::SendBatchMessage
            | RequestCode::SendReplyMessage
            | RequestCode::SendReplyMessageV2
            | RequestCode::RecallMessage
            | RequestCode::ConsumerSendMessageBack
            | RequestCode::EndTransaction
            | RequestCode::PullMessage
            | RequestCode::LitePullMessage
            | RequestCode::PopMessage
            | RequestCode::PeekMessage
            | RequestCode::AckMessage
            | RequestCode::BatchAckMessage
            | RequestCode::ChangeMessageInvisibleTime
            | RequestCode::Notification
            | RequestCode::PollingInfo
            | RequestCode::QueryAssignment
            | RequestCode::QueryConsumerOffset
            | RequestCode::UpdateConsumerOffset
            | RequestCode::HeartBeat
            | RequestCode::UnregisterClient
            | RequestCode::CheckClientConfig
            | RequestCode::GetConsumerListByGroup
            | RequestCode::LockBatchQueues
            | RequestCode::UnlockBatchQueues
            | RequestCode::GetRouteInfoByTopic
            | RequestCode::GetKvConfig
            | RequestCode::GetKvListByNamespace
    )
}

/// What changes nothing and tells of topics, groups and messages.
const fn is_looking(code: RequestCode) -> bool {
    matches!(
        code,
        RequestCode::SearchOffsetByTimestamp
            | RequestCode::GetMaxOffset
            | RequestCode::GetMinOffset
            | RequestCode::GetEarliestMessageStoreTime
            | RequestCode::QueryMessage
            | RequestCode::ViewMessageById
            | RequestCode::GetAllTopicConfig
            | RequestCode::GetTopicConfig
            | RequestCode::GetTopicStatsInfo
            | RequestCode::GetConsumeStats
            | RequestCode::GetSubscriptionGroupConfig
            | RequestCode::GetAllSubscriptionGroupConfig
            | RequestCode::GetBrokerClusterInfo
            | RequestCode::GetAllTopicListFromNameServer
            | RequestCode::GetTopicsByCluster
            | RequestCode::GetSystemTopicListFromNameServer
            | RequestCode::GetSystemTopicListFromBroker
    )
}
