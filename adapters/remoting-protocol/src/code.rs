//! What requests and responses are called, as two tables of RocketMQ's numbers.

macro_rules! codes {
    ($(#[$doc:meta])* $table:ident { $($name:ident = $value:literal $java:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $table {
            $(
                #[doc = concat!("`", $java, "`, ", stringify!($value), ".")]
                $name,
            )+
            /// A number that is not in the table.
            Unknown(i32),
        }

        impl $table {
            /// Every code of the table.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number on the wire.
            #[must_use]
            pub const fn value(self) -> i32 {
                match self {
                    $(Self::$name => $value,)+
                    Self::Unknown(value) => value,
                }
            }

            /// RocketMQ's constant, for logs and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $java,)+
                    Self::Unknown(_) => "UNKNOWN",
                }
            }
        }

        impl From<i32> for $table {
            fn from(value: i32) -> Self {
                match value {
                    $($value => Self::$name,)+
                    other => Self::Unknown(other),
                }
            }
        }
    };
}

codes! {
    /// What a request asks for. Servers send 39, 40, 220, 221, 307, 309 and 326 to clients,
    /// and 905 to brokers.
    RequestCode {
        SendMessage = 10 "SEND_MESSAGE",
        PullMessage = 11 "PULL_MESSAGE",
        QueryMessage = 12 "QUERY_MESSAGE",
        QueryConsumerOffset = 14 "QUERY_CONSUMER_OFFSET",
        UpdateConsumerOffset = 15 "UPDATE_CONSUMER_OFFSET",
        UpdateAndCreateTopic = 17 "UPDATE_AND_CREATE_TOPIC",
        UpdateAndCreateTopicList = 18 "UPDATE_AND_CREATE_TOPIC_LIST",
        GetAllTopicConfig = 21 "GET_ALL_TOPIC_CONFIG",
        UpdateBrokerConfig = 25 "UPDATE_BROKER_CONFIG",
        GetBrokerConfig = 26 "GET_BROKER_CONFIG",
        GetBrokerRuntimeInfo = 28 "GET_BROKER_RUNTIME_INFO",
        SearchOffsetByTimestamp = 29 "SEARCH_OFFSET_BY_TIMESTAMP",
        GetMaxOffset = 30 "GET_MAX_OFFSET",
        GetMinOffset = 31 "GET_MIN_OFFSET",
        GetEarliestMessageStoreTime = 32 "GET_EARLIEST_MSG_STORETIME",
        ViewMessageById = 33 "VIEW_MESSAGE_BY_ID",
        HeartBeat = 34 "HEART_BEAT",
        UnregisterClient = 35 "UNREGISTER_CLIENT",
        ConsumerSendMessageBack = 36 "CONSUMER_SEND_MSG_BACK",
        EndTransaction = 37 "END_TRANSACTION",
        GetConsumerListByGroup = 38 "GET_CONSUMER_LIST_BY_GROUP",
        CheckTransactionState = 39 "CHECK_TRANSACTION_STATE",
        NotifyConsumerIdsChanged = 40 "NOTIFY_CONSUMER_IDS_CHANGED",
        LockBatchQueues = 41 "LOCK_BATCH_MQ",
        UnlockBatchQueues = 42 "UNLOCK_BATCH_MQ",
        GetAllConsumerOffset = 43 "GET_ALL_CONSUMER_OFFSET",
        GetAllDelayOffset = 45 "GET_ALL_DELAY_OFFSET",
        CheckClientConfig = 46 "CHECK_CLIENT_CONFIG",
        PutKvConfig = 100 "PUT_KV_CONFIG",
        GetKvConfig = 101 "GET_KV_CONFIG",
        DeleteKvConfig = 102 "DELETE_KV_CONFIG",
        RegisterBroker = 103 "REGISTER_BROKER",
        UnregisterBroker = 104 "UNREGISTER_BROKER",
        GetRouteInfoByTopic = 105 "GET_ROUTEINFO_BY_TOPIC",
        GetBrokerClusterInfo = 106 "GET_BROKER_CLUSTER_INFO",
        UpdateAndCreateSubscriptionGroup = 200 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP",
        GetAllSubscriptionGroupConfig = 201 "GET_ALL_SUBSCRIPTIONGROUP_CONFIG",
        GetTopicStatsInfo = 202 "GET_TOPIC_STATS_INFO",
        GetConsumerConnectionList = 203 "GET_CONSUMER_CONNECTION_LIST",
        GetProducerConnectionList = 204 "GET_PRODUCER_CONNECTION_LIST",
        WipeWritePermission = 205 "WIPE_WRITE_PERM_OF_BROKER",
        GetAllTopicListFromNameServer = 206 "GET_ALL_TOPIC_LIST_FROM_NAMESERVER",
        DeleteSubscriptionGroup = 207 "DELETE_SUBSCRIPTIONGROUP",
        GetConsumeStats = 208 "GET_CONSUME_STATS",
        DeleteTopicInBroker = 215 "DELETE_TOPIC_IN_BROKER",
        DeleteTopicInNameServer = 216 "DELETE_TOPIC_IN_NAMESRV",
        RegisterTopicInNameServer = 217 "REGISTER_TOPIC_IN_NAMESRV",
        GetKvListByNamespace = 219 "GET_KVLIST_BY_NAMESPACE",
        ResetConsumerClientOffset = 220 "RESET_CONSUMER_CLIENT_OFFSET",
        GetConsumerStatusFromClient = 221 "GET_CONSUMER_STATUS_FROM_CLIENT",
        ResetOffset = 222 "INVOKE_BROKER_TO_RESET_OFFSET",
        InvokeBrokerToGetConsumerStatus = 223 "INVOKE_BROKER_TO_GET_CONSUMER_STATUS",
        UpdateAndCreateSubscriptionGroupList = 225 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST",
        GetTopicsByCluster = 224 "GET_TOPICS_BY_CLUSTER",
        QueryTopicConsumeByWho = 300 "QUERY_TOPIC_CONSUME_BY_WHO",
        QueryConsumeTimeSpan = 303 "QUERY_CONSUME_TIME_SPAN",
        GetSystemTopicListFromNameServer = 304 "GET_SYSTEM_TOPIC_LIST_FROM_NS",
        GetSystemTopicListFromBroker = 305 "GET_SYSTEM_TOPIC_LIST_FROM_BROKER",
        CleanExpiredConsumeQueue = 306 "CLEAN_EXPIRED_CONSUMEQUEUE",
        GetConsumerRunningInfo = 307 "GET_CONSUMER_RUNNING_INFO",
        QueryCorrectionOffset = 308 "QUERY_CORRECTION_OFFSET",
        ConsumeMessageDirectly = 309 "CONSUME_MESSAGE_DIRECTLY",
        SendMessageV2 = 310 "SEND_MESSAGE_V2",
        GetUnitTopicList = 311 "GET_UNIT_TOPIC_LIST",
        GetHasUnitSubTopicList = 312 "GET_HAS_UNIT_SUB_TOPIC_LIST",
        GetHasUnitSubUnunitTopicList = 313 "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST",
        CloneGroupOffset = 314 "CLONE_GROUP_OFFSET",
        ViewBrokerStatsData = 315 "VIEW_BROKER_STATS_DATA",
        CleanUnusedTopic = 316 "CLEAN_UNUSED_TOPIC",
        GetBrokerConsumeStats = 317 "GET_BROKER_CONSUME_STATS",
        UpdateNameServerConfig = 318 "UPDATE_NAMESRV_CONFIG",
        GetNameServerConfig = 319 "GET_NAMESRV_CONFIG",
        SendBatchMessage = 320 "SEND_BATCH_MESSAGE",
        QueryConsumeQueue = 321 "QUERY_CONSUME_QUEUE",
        QueryDataVersion = 322 "QUERY_DATA_VERSION",
        ResumeCheckHalfMessage = 323 "RESUME_CHECK_HALF_MESSAGE",
        SendReplyMessage = 324 "SEND_REPLY_MESSAGE",
        SendReplyMessageV2 = 325 "SEND_REPLY_MESSAGE_V2",
        PushReplyMessageToClient = 326 "PUSH_REPLY_MESSAGE_TO_CLIENT",
        AddWritePermission = 327 "ADD_WRITE_PERM_OF_BROKER",
        GetAllProducerInfo = 328 "GET_ALL_PRODUCER_INFO",
        DeleteExpiredCommitLog = 329 "DELETE_EXPIRED_COMMITLOG",
        QueryTopicsByConsumer = 343 "QUERY_TOPICS_BY_CONSUMER",
        QuerySubscriptionByConsumer = 345 "QUERY_SUBSCRIPTION_BY_CONSUMER",
        GetTopicConfig = 351 "GET_TOPIC_CONFIG",
        GetSubscriptionGroupConfig = 352 "GET_SUBSCRIPTIONGROUP_CONFIG",
        UpdateAndGetGroupForbidden = 353 "UPDATE_AND_GET_GROUP_FORBIDDEN",
        LitePullMessage = 361 "LITE_PULL_MESSAGE",
        RecallMessage = 370 "RECALL_MESSAGE",
        QueryAssignment = 400 "QUERY_ASSIGNMENT",
        SetMessageRequestMode = 401 "SET_MESSAGE_REQUEST_MODE",
        GetAllMessageRequestMode = 402 "GET_ALL_MESSAGE_REQUEST_MODE",
        GetBrokerMemberGroup = 901 "GET_BROKER_MEMBER_GROUP",
        BrokerHeartbeat = 904 "BROKER_HEARTBEAT",
        NotifyMinBrokerIdChange = 905 "NOTIFY_MIN_BROKER_ID_CHANGE",
        PopMessage = 200_050 "POP_MESSAGE",
        AckMessage = 200_051 "ACK_MESSAGE",
        BatchAckMessage = 200_151 "BATCH_ACK_MESSAGE",
        PeekMessage = 200_052 "PEEK_MESSAGE",
        ChangeMessageInvisibleTime = 200_053 "CHANGE_MESSAGE_INVISIBLETIME",
        Notification = 200_054 "NOTIFICATION",
        PollingInfo = 200_055 "POLLING_INFO",
    }
}

codes! {
    /// How a request went.
    ResponseCode {
        Success = 0 "SUCCESS",
        SystemError = 1 "SYSTEM_ERROR",
        SystemBusy = 2 "SYSTEM_BUSY",
        RequestCodeNotSupported = 3 "REQUEST_CODE_NOT_SUPPORTED",
        TransactionFailed = 4 "TRANSACTION_FAILED",
        FlushDiskTimeout = 10 "FLUSH_DISK_TIMEOUT",
        SlaveNotAvailable = 11 "SLAVE_NOT_AVAILABLE",
        FlushSlaveTimeout = 12 "FLUSH_SLAVE_TIMEOUT",
        MessageIllegal = 13 "MESSAGE_ILLEGAL",
        ServiceNotAvailable = 14 "SERVICE_NOT_AVAILABLE",
        VersionNotSupported = 15 "VERSION_NOT_SUPPORTED",
        NoPermission = 16 "NO_PERMISSION",
        TopicNotExist = 17 "TOPIC_NOT_EXIST",
        TopicExistAlready = 18 "TOPIC_EXIST_ALREADY",
        PullNotFound = 19 "PULL_NOT_FOUND",
        PullRetryImmediately = 20 "PULL_RETRY_IMMEDIATELY",
        PullOffsetMoved = 21 "PULL_OFFSET_MOVED",
        QueryNotFound = 22 "QUERY_NOT_FOUND",
        SubscriptionParseFailed = 23 "SUBSCRIPTION_PARSE_FAILED",
        SubscriptionNotExist = 24 "SUBSCRIPTION_NOT_EXIST",
        SubscriptionNotLatest = 25 "SUBSCRIPTION_NOT_LATEST",
        SubscriptionGroupNotExist = 26 "SUBSCRIPTION_GROUP_NOT_EXIST",
        FilterDataNotExist = 27 "FILTER_DATA_NOT_EXIST",
        FilterDataNotLatest = 28 "FILTER_DATA_NOT_LATEST",
        InvalidParameter = 29 "INVALID_PARAMETER",
        TransactionShouldCommit = 200 "TRANSACTION_SHOULD_COMMIT",
        TransactionShouldRollback = 201 "TRANSACTION_SHOULD_ROLLBACK",
        TransactionStateUnknown = 202 "TRANSACTION_STATE_UNKNOW",
        TransactionStateGroupWrong = 203 "TRANSACTION_STATE_GROUP_WRONG",
        NoBuyerId = 204 "NO_BUYER_ID",
        NotInCurrentUnit = 205 "NOT_IN_CURRENT_UNIT",
        ConsumerNotOnline = 206 "CONSUMER_NOT_ONLINE",
        ConsumeMessageTimeout = 207 "CONSUME_MSG_TIMEOUT",
        NoMessage = 208 "NO_MESSAGE",
        PollingFull = 209 "POLLING_FULL",
        PollingTimeout = 210 "POLLING_TIMEOUT",
        BrokerNotExist = 211 "BROKER_NOT_EXIST",
        BrokerDispatchNotComplete = 212 "BROKER_DISPATCH_NOT_COMPLETE",
        BroadcastConsumption = 213 "BROADCAST_CONSUMPTION",
        FlowControl = 215 "FLOW_CONTROL",
        NotLeaderForQueue = 501 "NOT_LEADER_FOR_QUEUE",
        IllegalOperation = 604 "ILLEGAL_OPERATION",
        GoAway = 1500 "GO_AWAY",
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestCode, ResponseCode};
    use proptest::prelude::*;

    #[test]
    fn no_number_stands_for_two_codes() {
        for code in RequestCode::ALL {
            assert_eq!(RequestCode::from(code.value()), *code, "{}", code.name());
        }
        for code in ResponseCode::ALL {
            assert_eq!(ResponseCode::from(code.value()), *code, "{}", code.name());
        }
    }

    proptest! {
        #[test]
        fn every_number_survives_the_table(value: i32) {
            prop_assert_eq!(RequestCode::from(value).value(), value);
            prop_assert_eq!(ResponseCode::from(value).value(), value);
        }
    }
}
