//! DescribeCluster and FindCoordinator: there is one broker, and it is everything.

use super::metadata::{CLUSTER_OPERATIONS, OPERATIONS_UNKNOWN, text};
use crate::context::RequestContext;
use crate::error::NONE;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse,
};
use kafka_protocol::protocol::StrBytes;

/// The endpoint type of brokers; 2 would be KRaft controllers, which do not exist here.
const BROKERS: i8 = 1;
/// The coordinator of a consumer group; 1 is a transaction's, 2 a share group's.
const GROUP: i8 = 0;
/// From this version several keys are asked for at once.
const MANY_KEYS_FROM: i16 = 4;

/// Describes the cluster.
pub(crate) fn describe(
    context: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let config = &context.server.config;
    if request.endpoint_type != BROKERS {
        return DescribeClusterResponse::default()
            .with_error_code(ResponseError::UnsupportedEndpointType.code())
            .with_error_message(Some(StrBytes::from_static_str(
                "only endpoint type 1, brokers, exists",
            )))
            .with_endpoint_type(BROKERS);
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(config.node_id))
        .with_host(text(&config.advertised_host))
        .with_port(i32::from(config.advertised_port))
        .with_rack(config.rack.as_deref().map(text));
    let operations = if request.include_cluster_authorized_operations {
        CLUSTER_OPERATIONS
    } else {
        OPERATIONS_UNKNOWN
    };
    DescribeClusterResponse::default()
        .with_error_code(NONE)
        .with_endpoint_type(BROKERS)
        .with_cluster_id(text(&context.server.cluster_id))
        .with_controller_id(BrokerId(config.node_id))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(operations)
}

/// Names the coordinator of each key: this broker for groups. Transactions and share groups have
/// none, because their APIs are not served.
pub(crate) fn find_coordinator(
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let config = &context.server.config;
    let refused = (request.key_type != GROUP).then_some(ResponseError::InvalidRequest);
    let message = refused.map(|_| StrBytes::from_static_str("only groups have a coordinator here"));
    let code = refused.map_or(NONE, |error| error.code());
    let (node, host, port) = if refused.is_some() {
        (BrokerId(-1), StrBytes::new(), -1)
    } else {
        let host = text(&config.advertised_host);
        (
            BrokerId(config.node_id),
            host,
            i32::from(config.advertised_port),
        )
    };
    if context.version < MANY_KEYS_FROM {
        return FindCoordinatorResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_node_id(node)
            .with_host(host)
            .with_port(port);
    }
    let coordinator = |key| {
        Coordinator::default()
            .with_key(key)
            .with_node_id(node)
            .with_host(host.clone())
            .with_port(port)
            .with_error_code(code)
            .with_error_message(message.clone())
    };
    let keys = request.coordinator_keys.into_iter();
    FindCoordinatorResponse::default().with_coordinators(keys.map(coordinator).collect())
}
