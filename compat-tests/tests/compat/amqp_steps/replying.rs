//! Step 32: answers without a queue.

use super::broker::Broker;
use super::client::{Client, close, consume, due, mandatory, publish, queue_named, short};
use super::wire::Message;
use gantry_amqp::codec::method::{basic, queue};
use gantry_amqp::codec::{PropertyList, ServerMethod};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

fn for_replies(tag: &str) -> basic::Consume {
    basic::Consume {
        no_ack: true,
        ..consume(REPLY_TO, tag)
    }
}

fn request(client: &mut Client, queue: &str, text: &str) {
    let properties = PropertyList {
        reply_to: Some(REPLY_TO.as_bytes()),
        correlation_id: Some(text.as_bytes()),
        ..PropertyList::default()
    };
    client.publish_with(1, publish("", queue), properties, text);
}

/// Where the answer to a request goes.
fn reply_to(request: &Message) -> String {
    let address = request.properties.list().unwrap().reply_to.unwrap();
    let address = String::from_utf8(address.to_vec()).unwrap();
    let opaque = address.strip_prefix("amq.rabbitmq.reply-to.");
    assert!(opaque.is_some_and(|opaque| !opaque.is_empty()), "{address}");
    address
}

/// A requester, a responder with its queue, and where an answer to the requester goes.
fn requested(broker: &Broker) -> (Client, Client, String) {
    let mut responder = Client::with_channel(broker);
    let queue = broker.name("requests");
    responder.private_queue(1, &queue);
    let mut requester = Client::with_channel(broker);
    requester.consume_with(1, for_replies("replies"));
    request(&mut requester, &queue, "question");
    responder.consume(1, &queue, "t");
    let address = reply_to(&responder.message(1));
    (requester, responder, address)
}

#[test]
fn step_32_an_answer_comes_back_on_the_channel_that_asked() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut requester, mut responder, address) = requested(&broker);
    responder.confirm_select(1);
    for answer in ["one", "two"] {
        responder.publish_with(1, publish("", &address), PropertyList::default(), answer);
        let message = requester.message(1);
        assert_eq!(message.text(), answer);
        assert_eq!(message.origin(), ("", address.as_str()));
        assert_eq!(
            (message.consumer(), message.redelivered()),
            ("replies", false)
        );
    }
    responder.confirmed(1, 2);
}

#[test]
fn step_32_a_mandatory_answer_is_routed() {
    let test = "step_32_a_mandatory_answer_is_routed";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let (mut requester, mut responder, address) = requested(&broker);
    responder.confirm_select(1);
    responder.publish_with(
        1,
        mandatory("", &address),
        PropertyList::default(),
        "answer",
    );
    assert_eq!(requester.message(1).text(), "answer");
    responder.confirmed(1, 1);
}

#[test]
fn step_32_the_address_is_the_channels() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("requests");
    client.private_queue(1, &queue);
    client.consume_with(1, for_replies("one"));
    for _ in 0..2 {
        request(&mut client, &queue, "x");
    }
    client.open(2);
    client.consume(2, &queue, "t");
    let addresses: Vec<_> = client.messages(2, 2).iter().map(reply_to).collect();
    assert_eq!(addresses[0], addresses[1]);
}

#[test]
fn step_32_only_a_consumer_without_acknowledgements_hears_answers() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let said = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
    let refused = client.refused(1, consume(REPLY_TO, "t"));
    assert_eq!(refused, close(406, said, (60, 20)));
    client.consume_with(1, for_replies("one"));
    let said = "PRECONDITION_FAILED - reply consumer already set";
    let refused = client.refused(1, for_replies("two"));
    assert_eq!(refused, close(406, said, (60, 20)));
}

#[test]
fn step_32_a_request_without_a_consumer_is_refused() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = broker.name("requests");
    client.private_queue(1, &queue);
    request(&mut client, &queue, "x");
    let said = "PRECONDITION_FAILED - fast reply consumer does not exist";
    assert_eq!(client.channel_close(1), close(406, said, (60, 40)));
}

#[test]
fn step_32_declaring_tells_whether_somebody_waits_for_the_answer() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut requester, mut responder, address) = requested(&broker);
    for passive in [false, true] {
        let declare = queue::Declare {
            passive,
            ..queue_named(REPLY_TO)
        };
        let ok = responder.declare(1, declare);
        assert_eq!(
            (&*ok.queue, ok.message_count, ok.consumer_count),
            (REPLY_TO, 0, 1)
        );
    }
    let passive = || queue::Declare {
        passive: true,
        ..queue_named(&address)
    };
    let ok = responder.declare(1, passive());
    assert_eq!(
        (&*ok.queue, ok.message_count, ok.consumer_count),
        (address.as_str(), 0, 1)
    );
    requester.close_channel(1);
    let said = format!("NOT_FOUND - no queue '{address}' in vhost '/'");
    assert_eq!(responder.refused(1, passive()), close(404, &said, (50, 10)));
}

#[test]
fn step_32_it_is_no_queue_otherwise() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let queue = short(REPLY_TO);
    let said = format!("NOT_FOUND - no queue '{REPLY_TO}' in vhost '/'");
    let get = basic::Get {
        queue: queue.clone(),
        ..basic::Get::default()
    };
    assert_eq!(client.refused(1, get), close(404, &said, (60, 70)));
    let bind = queue::Bind {
        queue: queue.clone(),
        exchange: short("amq.direct"),
        ..queue::Bind::default()
    };
    assert_eq!(client.refused(1, bind), close(404, &said, (50, 20)));
    let purge = queue::Purge {
        queue,
        ..queue::Purge::default()
    };
    assert_eq!(client.refused(1, purge), close(404, &said, (50, 30)));
    assert_eq!(client.delete_queue(1, REPLY_TO), 0);
}

#[test]
fn step_32_an_answer_that_nobody_waits_for_is_not_routed() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let (mut requester, mut responder, address) = requested(&broker);
    let cancel = basic::Cancel {
        consumer_tag: short("replies"),
        no_wait: false,
    };
    due!(requester.call(1, cancel), BasicCancelOk);
    let none = PropertyList::default();
    let made_up = "amq.rabbitmq.reply-to.nobody";
    for address in [address.as_str(), made_up] {
        responder.publish_with(1, mandatory("", address), none, "late");
        let returned = responder.message(1);
        let ServerMethod::BasicReturn(method) = &returned.method else {
            panic!("{returned:?}");
        };
        assert_eq!((method.reply_code, &*method.routing_key), (312, address));
        responder.publish_with(1, publish("", address), none, "late");
    }
    // Another may wait from now on.
    requester.consume_with(1, for_replies("again"));
    assert_eq!(responder.look(1, REPLY_TO), (0, 1));
}
