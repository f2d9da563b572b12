//! Publishers that wait while there is no room, and go on when there is again.

use compat_tests::clients::ready;
use compat_tests::disks::{self, SmallDisk};
use compat_tests::gantry::Gantry;
use compat_tests::http::{Answer, Request};
use compat_tests::process::PATIENCE;
use futures_util::{Stream, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Event};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const QUEUE: &str = "alarms";
/// Longer than a confirm takes while there is room.
const MOMENT: Duration = Duration::from_secs(2);

/// A connection with a queue and a channel that confirms.
async fn connect(gantry: &Gantry) -> (Connection, Channel) {
    let uri = format!("amqp://guest:guest@{}/%2f", gantry.amqp().unwrap());
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&uri, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let (durable, none) = (QueueDeclareOptions::durable(), FieldTable::default());
    channel
        .queue_declare(QUEUE.into(), durable, none)
        .await
        .unwrap();
    let confirm = ConfirmSelectOptions::default();
    channel.confirm_select(confirm).await.unwrap();
    (connection, channel)
}

/// Whether a message is confirmed, if it is heard of.
async fn publish(channel: &Channel, time: Duration) -> Option<bool> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let body = vec![b'x'; 20_000];
    let publish = channel.basic_publish("".into(), QUEUE.into(), options, &body, properties);
    let confirm = publish.await.unwrap();
    let heard = timeout(time, confirm).await.ok()?;
    Some(heard.unwrap().is_ack())
}

async fn next(events: &mut (impl Stream<Item = Event> + Unpin)) -> Event {
    timeout(PATIENCE, events.next()).await.unwrap().unwrap()
}

fn ask(gantry: &Gantry, path: &str) -> Answer {
    let request = Request {
        method: "GET",
        path,
        login: Some(("guest", "guest")),
        body: "",
    };
    let address = gantry.endpoint("management").unwrap();
    request.send(&address).unwrap()
}

/// What the management API says of alarms.
fn assert_alarm(gantry: &Gantry, resource: &str) {
    let answer = ask(gantry, "/api/health/checks/alarms");
    assert_eq!(answer.status, 503);
    let alarms = &answer.json()["alarms"];
    assert_eq!(
        alarms,
        &json!([{ "node": "gantry@localhost", "resource": resource }])
    );
    let nodes = ask(gantry, "/api/nodes").json();
    assert_eq!(nodes[0]["mem_alarm"], resource == "memory", "{nodes}");
    assert_eq!(nodes[0]["disk_free_alarm"], resource == "disk", "{nodes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lapin_waits_for_a_full_disk_and_goes_on_when_there_is_room() {
    if !ready(&[]).unwrap() || !disks::ready().unwrap() {
        return;
    }
    let mut disk = None;
    let settings = [
        "store.segment_bytes=4194304",
        "store.stretch_bytes=1048576",
        "store.disk_force_clean_percent=0",
        "store.disk_read_only_percent=0",
    ];
    let gantry = Gantry::start_on(&settings, |data| {
        disk = Some(SmallDisk::mount(data, 64)?);
        Ok(())
    });
    let gantry = gantry.unwrap();
    let (connection, channel) = connect(&gantry).await;
    let mut events = Box::pin(connection.events_listener());
    let ballast = disk.as_ref().unwrap().fill(5 << 20).unwrap();
    let mut kept = 0;
    while let Some(is_kept) = publish(&channel, MOMENT).await {
        kept += u32::from(is_kept);
        assert!(kept < 10_000, "the disk is never full");
    }
    match next(&mut events).await {
        Event::ConnectionBlocked(reason) => assert_eq!(reason, "low on disk"),
        other => panic!("{other:?}"),
    }
    assert_alarm(&gantry, "disk");

    std::fs::remove_file(ballast).unwrap();
    let unblocked = next(&mut events).await;
    assert!(
        matches!(unblocked, Event::ConnectionUnblocked),
        "{unblocked:?}"
    );
    assert_eq!(publish(&channel, PATIENCE).await, Some(true));
    assert_eq!(ask(&gantry, "/api/health/checks/alarms").status, 200);
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(QUEUE.into(), passive, FieldTable::default());
    // The one that waited, and the one behind it.
    assert_eq!(declared.await.unwrap().message_count(), kept + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lapin_waits_while_memory_is_short() {
    if !ready(&[]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&["amqp.protocol.memory.high_bytes=1"]).unwrap();
    let (connection, channel) = connect(&gantry).await;
    let mut events = Box::pin(connection.events_listener());
    assert_eq!(publish(&channel, MOMENT).await, None);
    match next(&mut events).await {
        Event::ConnectionBlocked(reason) => assert_eq!(reason, "low on memory"),
        other => panic!("{other:?}"),
    }
    assert_alarm(&gantry, "memory");
    let nodes = ask(&gantry, "/api/nodes").json();
    assert_eq!(nodes[0]["mem_limit"], 1);
    assert!(nodes[0]["mem_used"].as_u64() > Some(1_000_000), "{nodes}");
}
