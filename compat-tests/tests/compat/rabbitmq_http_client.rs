//! `rabbitmq_http_client`, the crate Rust's operators manage RabbitMQ with, against a gantry's
//! management API.

use crate::amqp::session::{Kind, Session, numbers};
use crate::http_client;
use compat_tests::clients::ready;
use compat_tests::gantry::Gantry;
use rabbitmq_http_client::blocking_api::{Client, Result};
use rabbitmq_http_client::commons::{
    BindingDestinationType, PolicyTarget, SupportedProtocol, UserLimitTarget,
    VirtualHostLimitTarget,
};
use rabbitmq_http_client::password_hashing::{
    base64_encoded_salted_password_hash_sha256 as hash, salt,
};
use rabbitmq_http_client::requests::{
    BindingDeletionParams, EnforcedLimitParams, ExchangeParams, GlobalRuntimeParameterDefinition,
    Permissions, PolicyParams, QueueParams, TopicPermissions, UserParams, VirtualHostParams,
    XArgumentsBuilder,
};
use serde_json::{Map, Value, json};

type Operator = Client<String, String, String>;

/// A user whose password is its name.
fn operator(gantry: &Gantry, user: &str) -> Operator {
    let address = gantry.endpoint("management").unwrap();
    let endpoint = format!("http://{address}/api");
    let http = http_client::builder().build().unwrap();
    Client::from_http_client(http, endpoint, user.to_owned(), user.to_owned())
}

/// A server and who may do everything with it.
fn start() -> Option<(Gantry, Operator)> {
    if !ready(&[]).unwrap() {
        return None;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let guest = operator(&gantry, "guest");
    Some((gantry, guest))
}

/// Creates a user whose password is its name, told as its hash.
fn create_user(operator: &Operator, name: &str, tags: &str) {
    let hash = hash(&salt(), name);
    let user = UserParams::new(name, &hash, tags);
    operator.create_user(&user).unwrap();
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

/// Asserts that it is refused with a status.
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, status: u16) {
    let refusal = result.unwrap_err();
    let told = refusal.status_code().map(|code| code.as_u16());
    assert_eq!(told, Some(status), "{refusal:?}");
}

#[test]
fn the_server_tells_of_itself_and_is_well() {
    let Some((gantry, guest)) = start() else {
        return;
    };
    let overview = guest.overview().unwrap();
    assert_eq!(guest.server_version().unwrap(), overview.rabbitmq_version);
    assert_eq!(
        (
            overview.object_totals.queues,
            overview.object_totals.connections
        ),
        (0, 0)
    );
    let amqp: std::net::SocketAddr = gantry.amqp().unwrap().parse().unwrap();
    let listener = overview.listeners.iter().find(|one| one.protocol == "amqp");
    assert_eq!(listener.unwrap().port, u32::from(amqp.port()));

    let nodes = guest.list_nodes().unwrap();
    assert_eq!((nodes.len(), &nodes[0].name), (1, &overview.node));
    assert_eq!(nodes[0].os_pid, gantry.pid().unwrap());
    assert_eq!(
        guest.get_node_info(&overview.node).unwrap().os_pid,
        nodes[0].os_pid
    );
    assert!(!nodes[0].has_memory_alarm_in_effect);
    let cluster = guest.get_cluster_name().unwrap();
    assert_eq!(cluster.name, overview.cluster_name);
    guest.set_cluster_name("rabbit@shop").unwrap();
    assert_eq!(guest.get_cluster_name().unwrap().name, "rabbit@shop");
    assert_eq!(guest.overview().unwrap().cluster_name, "rabbit@shop");

    guest.health_check_cluster_wide_alarms().unwrap();
    guest.health_check_local_alarms().unwrap();
    guest.health_check_if_node_is_quorum_critical().unwrap();
    guest.health_check_port_listener(amqp.port()).unwrap();
    guest.health_check_port_listener(1).unwrap_err();
    guest
        .health_check_protocol_listener(SupportedProtocol::AMQP)
        .unwrap();
    guest
        .health_check_protocol_listener(SupportedProtocol::MQTT)
        .unwrap_err();
    assert_refused(operator(&gantry, "nobody").overview(), 401);
}

#[test]
fn users_may_do_what_they_are_permitted() {
    let Some((gantry, guest)) = start() else {
        return;
    };
    guest
        .create_vhost(&VirtualHostParams::named("shop"))
        .unwrap();
    let described = VirtualHostParams::builder("shop")
        .description("what is sold")
        .build();
    guest.update_vhost(&described).unwrap();
    let shop = guest.get_vhost("shop").unwrap();
    assert_eq!(shop.description.as_deref(), Some("what is sold"));
    create_user(&guest, "anna", "management,policymaker");
    create_user(&guest, "otto", "");
    let anna = guest.get_user("anna").unwrap();
    assert_eq!(anna.tags.0, ["management", "policymaker"]);
    let without: Vec<_> = guest.list_users_without_permissions().unwrap();
    assert_eq!(without.len(), 2);

    let permissions = Permissions {
        configure: "^anna",
        ..Permissions::full_access("anna", "shop")
    };
    guest.grant_permissions(&permissions).unwrap();
    let granted = guest.get_permissions("shop", "anna").unwrap();
    assert_eq!(
        (granted.configure.as_str(), granted.read.as_str()),
        ("^anna", ".*")
    );
    let topic = TopicPermissions {
        user: "anna",
        vhost: "shop",
        exchange: "amq.topic",
        write: "^eu\\.",
        read: ".*",
    };
    guest.declare_topic_permissions(&topic).unwrap();
    let topics = guest.list_topic_permissions_of("anna").unwrap();
    assert_eq!((topics.len(), topics[0].write.as_str()), (1, "^eu\\."));

    let anna = operator(&gantry, "anna");
    assert_eq!(anna.current_user().unwrap().name, "anna");
    anna.declare_classic_queue("shop", "annas").unwrap();
    assert_refused(anna.declare_classic_queue("shop", "ottos"), 401);
    assert_refused(anna.list_users(), 401);
    assert_refused(anna.list_queues_in("/"), 401);
    // Whether it was routed, if it might be published.
    let publish = |key| {
        let published = anna.publish_message("shop", "amq.topic", key, "text", Map::new());
        published.ok().map(|published| published.routed)
    };
    assert_eq!(publish("eu.de"), Some(false));
    assert_eq!(publish("us.ny"), None);
    assert_refused(operator(&gantry, "otto").overview(), 401);

    guest
        .clear_topic_permissions("shop", "anna", false)
        .unwrap();
    assert_eq!(publish("us.ny"), Some(false));
    guest.clear_permissions("shop", "anna", false).unwrap();
    assert!(guest.list_permissions_of("anna").unwrap().is_empty());
    guest.delete_users(vec!["anna", "otto"]).unwrap();
    assert_eq!(guest.list_users().unwrap().len(), 1);
    guest.delete_user("anna", true).unwrap();
    assert!(guest.delete_user("anna", false).unwrap_err().is_not_found());
    guest.delete_vhost("shop", false).unwrap();
    assert_eq!(guest.list_vhosts().unwrap().len(), 1);
}

#[test]
fn policies_parameters_and_limits_are_in_force_until_they_are_deleted() {
    let Some((_gantry, guest)) = start() else {
        return;
    };
    guest.declare_classic_queue("/", "q").unwrap();
    let definition = object(json!({ "max-length": 1, "overflow": "reject-publish" }));
    let policy = PolicyParams::new("/", "short", "^q", definition);
    let policy = policy.apply_to(PolicyTarget::Queues).priority(3);
    guest.declare_policy(&policy).unwrap();
    let kept = guest.get_policy("/", "short").unwrap();
    assert_eq!((kept.priority, kept.apply_to), (3, PolicyTarget::Queues));
    let cap = PolicyParams::new("/", "cap", ".*", object(json!({ "expires": 60_000 })));
    guest
        .declare_operator_policy(&cap.apply_to(PolicyTarget::Queues))
        .unwrap();
    let queue = guest.get_queue_info("/", "q").unwrap();
    assert_eq!(queue.policy.as_deref(), Some("short"));
    assert_eq!(queue.operator_policy.as_deref(), Some("cap"));
    let effective = queue.effective_policy_definition.unwrap().0.unwrap();
    assert_eq!(effective["max-length"], 1);
    assert_eq!(effective["expires"], 60_000);
    let matching = guest
        .list_policies_for_target("/", PolicyTarget::Queues)
        .unwrap();
    assert_eq!(matching.len(), 1);
    guest.delete_policy("/", "short", false).unwrap();
    guest.delete_operator_policy("/", "cap", false).unwrap();
    assert!(guest.list_policies().unwrap().is_empty());
    assert!(guest.list_operator_policies().unwrap().is_empty());
    assert_eq!(guest.get_queue_info("/", "q").unwrap().policy, None);

    let global = GlobalRuntimeParameterDefinition {
        name: "mine",
        value: object(json!({ "of": "anything" })),
    };
    guest.upsert_global_runtime_parameter(&global).unwrap();
    let kept = guest.get_global_runtime_parameter("mine").unwrap();
    assert_eq!(kept.value.0, json!({ "of": "anything" }));
    guest.clear_global_runtime_parameter("mine").unwrap();
    guest.get_global_runtime_parameter("mine").unwrap_err();

    let queues = EnforcedLimitParams::new(VirtualHostLimitTarget::MaxQueues, 1);
    guest.set_vhost_limit("/", queues).unwrap();
    let limits = guest.list_vhost_limits("/").unwrap();
    assert_eq!(limits[0].limits["max-queues"], 1);
    // A limit is a parameter, too.
    let parameters = guest
        .list_runtime_parameters_of_component("vhost-limits")
        .unwrap();
    assert_eq!(parameters.len(), 1);
    guest.declare_classic_queue("/", "more").unwrap_err();
    guest
        .clear_vhost_limit("/", VirtualHostLimitTarget::MaxQueues)
        .unwrap();
    guest.declare_classic_queue("/", "more").unwrap();
    let channels = EnforcedLimitParams::new(UserLimitTarget::MaxChannels, 2);
    guest.set_user_limit("guest", channels).unwrap();
    let limits = guest.list_user_limits("guest").unwrap();
    assert_eq!(limits[0].limits["max-channels"], 2);
    guest
        .clear_user_limit("guest", UserLimitTarget::MaxChannels)
        .unwrap();
    assert!(guest.list_all_user_limits().unwrap().is_empty());
}

#[test]
fn what_is_declared_routes_what_is_published() {
    let Some((_gantry, guest)) = start() else {
        return;
    };
    let alternate = object(json!({ "alternate-exchange": "rest" }));
    guest
        .declare_exchange(
            "/",
            &ExchangeParams::durable_topic("orders", Some(alternate)),
        )
        .unwrap();
    guest
        .declare_exchange("/", &ExchangeParams::durable_fanout("rest", None))
        .unwrap();
    let limited = XArgumentsBuilder::new().max_length(10).build();
    guest
        .declare_queue("/", &QueueParams::new_durable_classic_queue("eu", limited))
        .unwrap();
    guest.declare_quorum_queue("/", "others").unwrap();
    guest
        .bind_queue("/", "eu", "orders", Some("order.eu.#"), None)
        .unwrap();
    guest
        .bind_exchange("/", "rest", "orders", Some("copy"), None)
        .unwrap();
    guest.bind_queue("/", "others", "rest", None, None).unwrap();
    let orders = guest.get_exchange_info("/", "orders").unwrap();
    assert_eq!(
        (orders.exchange_type.as_str(), orders.durable),
        ("topic", true)
    );
    assert_eq!(orders.arguments.0["alternate-exchange"], "rest");
    assert_eq!(guest.list_queues().unwrap().len(), 2);
    assert_eq!(guest.list_quorum_queues().unwrap()[0].name, "others");
    let from = guest
        .list_exchange_bindings_with_source("/", "orders")
        .unwrap();
    assert_eq!(from.len(), 2);
    let to = guest.list_queue_bindings("/", "eu").unwrap();
    let sources: Vec<_> = to.iter().map(|binding| binding.source.as_str()).collect();
    assert_eq!(sources, ["", "orders"]);

    let told = object(json!({ "delivery_mode": 2, "message_id": "m", "headers": { "a": 1 } }));
    for key in ["order.eu.de", "order.us", "copy"] {
        let routed = guest.publish_message("/", "orders", key, key, told.clone());
        assert!(routed.unwrap().routed, "{key}");
    }
    let got = guest
        .get_messages("/", "eu", 5, "ack_requeue_false")
        .unwrap();
    assert_eq!(got.len(), 1);
    assert_eq!(
        (got[0].payload.as_str(), got[0].routing_key.as_str()),
        ("order.eu.de", "order.eu.de")
    );
    assert_eq!(got[0].properties.0["headers"], json!({ "a": 1 }));
    let kept = guest
        .get_messages("/", "others", 5, "ack_requeue_true")
        .unwrap();
    let kept: Vec<_> = kept.iter().map(|one| one.payload.as_str()).collect();
    assert_eq!(kept, ["order.us", "copy"]);
    assert_eq!(
        guest.get_queue_info("/", "others").unwrap().message_count,
        2
    );
    assert_eq!(guest.overview().unwrap().queue_totals.messages, 2);
    guest.purge_queue("/", "others").unwrap();
    assert_eq!(
        guest.get_queue_info("/", "others").unwrap().message_count,
        0
    );

    let binding = BindingDeletionParams {
        virtual_host: "/",
        source: "orders",
        destination: "eu",
        destination_type: BindingDestinationType::Queue,
        routing_key: "order.eu.#",
        arguments: None,
    };
    guest.delete_binding(&binding, false).unwrap();
    // It is not the way of its key any more, but of the alternate exchange.
    guest
        .publish_message("/", "orders", "order.eu.de", "", Map::new())
        .unwrap();
    assert_eq!(guest.get_queue_info("/", "eu").unwrap().message_count, 0);
    guest.delete_queues("/", &["eu", "others"], false).unwrap();
    guest
        .delete_exchanges("/", &["orders", "rest"], false)
        .unwrap();
    assert!(guest.get_queue_info("/", "eu").unwrap_err().is_not_found());
    assert!(guest.list_queues().unwrap().is_empty());
}

#[test]
fn connections_are_seen_and_closed_with_a_reason() {
    let Some((gantry, guest)) = start() else {
        return;
    };
    let mut client = Session::confirming(Kind::Lapin, &gantry);
    client.tell("declare-queue", &["name=q", "durable=true"]);
    client.tell("qos", &["prefetch=7"]);
    client.tell("consume", &["queue=q", "tag=mine"]);
    client.tell("publish", &["key=q", "count=2"]);
    assert_eq!(client.bodies(2), numbers(2));

    let open = guest.list_connections().unwrap();
    assert_eq!((open.len(), open[0].channel_count), (1, 1));
    assert_eq!(open[0].username, "guest");
    let name = &open[0].name;
    assert_eq!(&guest.get_connection_info(name).unwrap().name, name);
    assert_eq!(guest.list_user_connections("guest").unwrap().len(), 1);
    let channels = guest.list_channels_on(name).unwrap();
    assert_eq!(channels.len(), 1);
    assert!(channels[0].has_publisher_confirms_enabled);
    assert_eq!(channels[0].messages_unacknowledged, 2);
    assert_eq!(
        guest
            .get_channel_info(&channels[0].name)
            .unwrap()
            .consumer_count,
        1
    );
    let consumers = guest.list_consumers_in("/").unwrap();
    assert_eq!(consumers.len(), 1);
    let consumer = &consumers[0];
    assert_eq!(
        (consumer.consumer_tag.as_str(), consumer.queue.name.as_str()),
        ("mine", "q")
    );
    assert_eq!((consumer.prefetch_count, consumer.manual_ack), (7, true));
    let queue = guest.get_queue_info("/", "q").unwrap();
    assert_eq!(
        (queue.consumer_count, queue.unacknowledged_message_count),
        (1, 2)
    );

    guest
        .close_connection(name, Some("time to go"), false)
        .unwrap();
    let closed = client.closed();
    assert_eq!((closed.scope.as_str(), closed.code), ("connection", 320));
    assert!(closed.text.contains("time to go"), "{closed:?}");
    assert!(guest.list_connections().unwrap().is_empty());
    assert!(guest.list_consumers().unwrap().is_empty());
    guest.close_connection(name, None, true).unwrap();
    assert!(
        guest
            .close_connection(name, None, false)
            .unwrap_err()
            .is_not_found()
    );
    let queue = guest.get_queue_info("/", "q").unwrap();
    assert_eq!(
        (queue.message_count, queue.unacknowledged_message_count),
        (2, 0)
    );
}

#[test]
fn definitions_go_to_another_server() {
    let Some((_gantry, guest)) = start() else {
        return;
    };
    guest
        .create_vhost(&VirtualHostParams::named("shop"))
        .unwrap();
    create_user(&guest, "anna", "management");
    guest.grant_full_permissions("anna", "shop").unwrap();
    guest
        .declare_exchange("shop", &ExchangeParams::durable_topic("orders", None))
        .unwrap();
    guest.declare_classic_queue("shop", "q").unwrap();
    guest
        .bind_queue("shop", "q", "orders", Some("order.#"), None)
        .unwrap();
    let short = PolicyParams::new("shop", "short", "^q", object(json!({ "max-length": 1 })));
    guest.declare_policy(&short).unwrap();
    let all = guest.export_cluster_wide_definitions_as_data().unwrap();
    assert_eq!(
        (all.queues.len(), all.bindings.len(), all.policies.len()),
        (1, 1, 1)
    );

    let second = Gantry::start(&[]).unwrap();
    let other = operator(&second, "guest");
    let text = guest.export_cluster_wide_definitions().unwrap();
    other
        .import_definitions(serde_json::from_str(&text).unwrap())
        .unwrap();
    let imported = other.export_cluster_wide_definitions_as_data().unwrap();
    assert_eq!(imported.queues, all.queues);
    assert_eq!(imported.exchanges, all.exchanges);
    assert_eq!(imported.bindings, all.bindings);
    assert_eq!(imported.permissions, all.permissions);
    assert_eq!(imported.users, all.users);
    let anna = operator(&second, "anna");
    assert!(
        anna.publish_message("shop", "orders", "order.1", "text", Map::new())
            .unwrap()
            .routed
    );
    assert_eq!(
        anna.get_queue_info("shop", "q").unwrap().policy.as_deref(),
        Some("short")
    );

    let of_shop = guest.export_vhost_definitions("shop").unwrap();
    other
        .create_vhost(&VirtualHostParams::named("copy"))
        .unwrap();
    other
        .import_vhost_definitions("copy", serde_json::from_str(&of_shop).unwrap())
        .unwrap();
    assert_eq!(other.list_queues_in("copy").unwrap()[0].name, "q");
    assert_eq!(other.list_bindings_in("copy").unwrap().len(), 2);
}
