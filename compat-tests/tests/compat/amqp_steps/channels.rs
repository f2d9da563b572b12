//! Step 6: channels opened and closed, in and out of order.

use super::broker::Broker;
use super::client::{Client, close, due, publish, queue_named, short};
use super::wire::Heard;
use gantry_amqp::codec::ServerMethod;
use gantry_amqp::codec::method::{basic, channel, connection};

#[test]
fn step_06_a_channel_opened_twice_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, channel::Open::default());
    let text = "CHANNEL_ERROR - second 'channel.open' seen";
    assert_eq!(client.connection_close(), close(504, text, (20, 10)));
}

#[test]
fn step_06_a_method_on_a_channel_that_is_not_open_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let text = "CHANNEL_ERROR - expected 'channel.open'";
    let mut never_opened = Client::connect(&broker);
    never_opened.send(3, queue_named(""));
    assert_eq!(never_opened.connection_close(), close(504, text, (50, 10)));
    let mut unsolicited = Client::connect(&broker);
    unsolicited.send(1, channel::CloseOk {});
    assert_eq!(unsolicited.connection_close(), close(504, text, (20, 41)));
}

#[test]
fn step_06_a_method_on_a_channel_that_was_closed_ends_the_connection() {
    let test = "step_06_a_method_on_a_channel_that_was_closed_ends_the_connection";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.close_channel(1);
    client.send(1, basic::Get::default());
    let text = "CHANNEL_ERROR - expected 'channel.open'";
    assert_eq!(client.connection_close(), close(504, text, (60, 70)));
}

#[test]
fn step_06_a_closed_channel_may_be_opened_again() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::connect(&broker);
    for _ in 0..20 {
        client.open(7);
        client.close_channel(7);
    }
    client.close();
}

#[test]
fn step_06_all_but_closing_is_dropped_until_the_client_has_heard_of_the_close() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let (missing, made) = (broker.name("missing"), broker.name("made"));
    client.send(1, passive(&missing));
    let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
    let refused = due!(client.hear(1), ChannelClose);
    assert_eq!(refused, close(404, &text, (50, 10)));
    // Messages and methods on their way at the time.
    client.publish(1, &missing, "dropped");
    client.send(1, queue_named(&made));
    client.send(1, basic::Qos::default());
    client.send(1, channel::CloseOk {});
    client.open(1);
    let refused = client.refused(1, passive(&made));
    assert_eq!(refused.reply_code, 404, "it was dropped");
    client.close();
}

fn passive(name: &str) -> gantry_amqp::codec::method::queue::Declare {
    gantry_amqp::codec::method::queue::Declare {
        passive: true,
        ..queue_named(name)
    }
}

#[test]
fn step_06_both_sides_may_close_at_the_same_time() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, passive(&broker.name("missing")));
    client.send(1, channel::Close::default());
    due!(client.hear(1), ChannelClose);
    due!(client.hear(1), ChannelCloseOk);
    client.send(1, channel::CloseOk {});
    client.open(1);
    client.close();
}

#[test]
fn step_06_a_channel_being_closed_may_not_be_opened() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, passive(&broker.name("missing")));
    due!(client.hear(1), ChannelClose);
    client.send(1, channel::Open::default());
    let text = "CHANNEL_ERROR - second 'channel.open' seen";
    assert_eq!(client.connection_close(), close(504, text, (20, 10)));
}

#[test]
fn step_06_one_close_ok_too_many_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, passive(&broker.name("missing")));
    due!(client.hear(1), ChannelClose);
    client.send(1, channel::CloseOk {});
    client.send(1, channel::CloseOk {});
    let text = "CHANNEL_ERROR - expected 'channel.open'";
    assert_eq!(client.connection_close(), close(504, text, (20, 41)));
}

#[test]
fn step_06_the_end_of_one_channel_leaves_the_others_alone() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.open(2);
    let queue = broker.name("kept");
    client.private_queue(2, &queue);
    client.send(1, passive(&broker.name("missing")));
    client.channel_close(1);
    client.fill(&queue, &["one"]);
    assert_eq!(client.drain(2, &queue), ["one"]);
}

#[test]
fn step_06_what_belongs_on_channel_0_or_from_the_server_ends_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let unimplemented = "COMMAND_INVALID - unimplemented method";
    let mut client = Client::with_channel(&broker);
    client.send(1, connection::Close::default());
    assert_eq!(
        client.connection_close(),
        close(503, unimplemented, (10, 50))
    );
    let mut client = Client::with_channel(&broker);
    client.send(1, channel::FlowOk { active: true });
    assert_eq!(
        client.connection_close(),
        close(503, unimplemented, (20, 21))
    );
    let state = "CHANNEL_ERROR - unexpected method in connection state running";
    let mut client = Client::connect(&broker);
    client.send(0, connection::TuneOk::default());
    assert_eq!(client.connection_close(), close(504, state, (10, 31)));
    let mut client = Client::connect(&broker);
    client.send(0, channel::Open::default());
    assert_eq!(client.connection_close(), close(504, state, (20, 10)));
}

#[test]
fn step_06_frames_of_a_message_come_in_order_or_end_the_connection() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let header = [
        2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0xCE,
    ];
    let body = [3, 0, 1, 0, 0, 0, 1, b'x', 0xCE];
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    for frame in [&header[..], &body] {
        let mut client = Client::with_channel(&broker);
        client.wire.put(frame);
        assert_eq!(client.connection_close(), close(505, text, (0, 0)));
    }
    let mut client = Client::with_channel(&broker);
    client.send(1, publish("", "q"));
    client.wire.put(&body);
    let text = "UNEXPECTED_FRAME - expected content header for class 60, got non content header \
                frame instead";
    assert_eq!(client.connection_close(), close(505, text, (60, 40)));
    let mut client = Client::with_channel(&broker);
    client.send(1, publish("", "q"));
    client.wire.put(&header);
    client.send(1, basic::Qos::default());
    let text = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
    assert_eq!(client.connection_close(), close(505, text, (60, 40)));
    let mut client = Client::with_channel(&broker);
    client.wire.put(&[8, 0, 1, 0, 0, 0, 0, 0xCE]);
    let text = "UNEXPECTED_FRAME - type 8, all octets = <<>>";
    assert_eq!(client.connection_close(), close(505, text, (0, 0)));
}

#[test]
fn step_06_flow_is_answered_and_cannot_be_stopped() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let answer = client.call(1, channel::Flow { active: true });
    assert!(due!(answer, ChannelFlowOk).active);
    client.send(1, channel::Flow { active: false });
    let text = "NOT_IMPLEMENTED - active=false";
    assert_eq!(client.connection_close(), close(540, text, (20, 20)));
}

#[test]
fn step_06_closing_the_connection_is_answered_while_the_server_closes_it() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    client.send(1, channel::Open::default());
    let refused = due!(client.hear(0), ConnectionClose);
    assert_eq!(refused.reply_code, 504);
    let bye = connection::Close {
        reply_code: 200,
        reply_text: short("OK"),
        ..connection::Close::default()
    };
    client.send(0, bye);
    due!(client.hear(0), ConnectionCloseOk);
    client.send(0, connection::CloseOk {});
}

#[test]
fn step_06_publishers_get_to_read_why_the_connection_ends() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let mut client = Client::with_channel(&broker);
    let body = "x".repeat(10_000);
    client.send(1, channel::Open::default());
    for _ in 0..500 {
        client.publish(1, "nobody", &body);
    }
    match client.wire.hear() {
        Heard::Method(0, ServerMethod::ConnectionClose(refused)) => {
            assert_eq!(refused.reply_code, 504);
        }
        other => panic!("{other:?}"),
    }
}
