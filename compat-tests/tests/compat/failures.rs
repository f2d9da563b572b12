//! Disks that run full, fail or rot, as a client sees them: a clear error for what is lost or
//! refused, and everything else goes on.

use crate::bare::{batch_of, fetch, fetch_code, produce};
use crate::librdkafka;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::disks::{self, FailingDisk, SmallDisk};
use compat_tests::gantry::Gantry;
use compat_tests::http::Request;
use compat_tests::lines::Message;
use compat_tests::process::{Client, PATIENCE, now};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const KAFKA_STORAGE_ERROR: i16 = 56;
const VALUE_BYTES: usize = 20_000;
/// Small segments, and a disk that is judged by its room alone.
const SMALL: [&str; 4] = [
    "store.segment_bytes=4194304",
    "store.stretch_bytes=1048576",
    "store.disk_force_clean_percent=0",
    "store.disk_read_only_percent=0",
];

/// What operators see.
fn asked(gantry: &Gantry, path: &str) -> String {
    let request = Request {
        method: "GET",
        path,
        ..Request::default()
    };
    let address = gantry.endpoint("admin").unwrap();
    let answer = request.send(&address).unwrap();
    format!("{} {}", answer.status, answer.body)
}

fn connect(gantry: &Gantry) -> TcpStream {
    TcpStream::connect(gantry.kafka().unwrap()).unwrap()
}

/// Produces until something is refused; how many were kept, and the code.
fn produce_until_refused(socket: &mut TcpStream, topic: &str) -> (i64, i16) {
    let batch = batch_of(VALUE_BYTES);
    for next in 0..10_000 {
        match produce(socket, topic, &batch) {
            (NONE, _) => {}
            (code, _) => return (next, code),
        }
    }
    panic!("nothing was refused");
}

/// Produces until it is taken; within how long.
fn produce_until_taken(socket: &mut TcpStream, topic: &str) -> (Duration, i64) {
    let batch = batch_of(VALUE_BYTES);
    let began = now();
    loop {
        let (code, offset) = produce(socket, topic, &batch);
        if code == NONE {
            return (began.elapsed(), offset);
        }
        assert!(began.elapsed() < PATIENCE, "refused for ever: {code}");
        thread::yield_now();
    }
}

fn assert_reads_all(socket: &mut TcpStream, topic: &str, count: i64) {
    for offset in 0..count {
        let records = fetch(socket, topic, offset);
        let base = i64::from_be_bytes(records[..8].try_into().unwrap());
        assert_eq!(base, offset);
    }
}

/// What RocketMQ's Java client hears of one message.
fn rocketmq_send(client: &mut Client) -> String {
    let message = Message::of(vec![b'r'; VALUE_BYTES]);
    client.write(&message.line()).unwrap();
    let event = client.next_event().unwrap().unwrap();
    match event.name() {
        "sent" => event.text("status").unwrap().to_owned(),
        _ => event.text("error").unwrap().to_owned(),
    }
}

fn rocketmq(gantry: &Gantry, topic: &str) -> Client {
    let mut java = clients::rocketmq_java(clients::NEWEST_ROCKETMQ);
    java.args(["stream", &format!("namesrv={}", gantry.namesrv().unwrap())]);
    java.args([&format!("topic={topic}"), "timeout=3000"]);
    let mut client = Client::start("rocketmq", java).unwrap();
    client.wait_for(|event| event.name() == "ready").unwrap();
    client
}

#[test]
fn a_full_disk_refuses_messages_serves_readers_and_goes_on_when_there_is_room() {
    let java = Installed::Rocketmq(clients::NEWEST_ROCKETMQ);
    if !ready(&[java]).unwrap() || !disks::ready().unwrap() {
        return;
    }
    let mut disk = None;
    let mut gantry = Gantry::start_on(&SMALL, |data| {
        disk = Some(SmallDisk::mount(data, 64)?);
        Ok(())
    })
    .unwrap();
    let disk = disk.unwrap();
    let mut socket = connect(&gantry);
    librdkafka::create_topic(&gantry.kafka().unwrap(), "full", 1);
    let mut rocketmq = rocketmq(&gantry, "full");
    assert_eq!(rocketmq_send(&mut rocketmq), "SEND_OK");
    let ballast = disk.fill(5 << 20).unwrap();

    let (more, code) = produce_until_refused(&mut socket, "full");
    assert_eq!(code, KAFKA_STORAGE_ERROR);
    // A slightly smaller one may still fit.
    let mut kept = more + 1;
    let mut refused = rocketmq_send(&mut rocketmq);
    while refused == "SEND_OK" {
        kept += 1;
        refused = rocketmq_send(&mut rocketmq);
    }
    assert!(
        refused.contains("CODE: 14"),
        "SERVICE_NOT_AVAILABLE: {refused}"
    );
    let health = asked(&gantry, "/healthz");
    assert!(health.starts_with("503 "), "{health}");
    assert!(health.contains("disk_full"), "{health}");
    assert_reads_all(&mut socket, "full", kept);

    std::fs::remove_file(ballast).unwrap();
    let (waited, offset) = produce_until_taken(&mut socket, "full");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(offset, kept);
    assert_eq!(rocketmq_send(&mut rocketmq), "SEND_OK");
    assert!(asked(&gantry, "/healthz").starts_with("200 "));
    assert_reads_all(&mut socket, "full", kept + 2);
    gantry.stop().unwrap();
    drop(disk);
}

#[test]
fn a_disk_over_the_read_only_mark_takes_no_messages_and_keeps_progress() {
    if !ready(&[]).unwrap() || !disks::ready().unwrap() {
        return;
    }
    let mut disk = None;
    let mut settings = SMALL.to_vec();
    settings[3] = "store.disk_read_only_percent=70";
    let mut gantry = Gantry::start_on(&settings, |data| {
        disk = Some(SmallDisk::mount(data, 64)?);
        Ok(())
    })
    .unwrap();
    let disk = disk.unwrap();
    let mut socket = connect(&gantry);
    librdkafka::create_topic(&gantry.kafka().unwrap(), "t", 1);
    assert_eq!(produce(&mut socket, "t", &batch_of(100)), (NONE, 0));
    let ballast = disk.fill(12 << 20).unwrap();
    let (_, code) = produce_until_refused(&mut socket, "t");
    assert_eq!(code, KAFKA_STORAGE_ERROR);
    assert!(asked(&gantry, "/healthz").contains("read_only"));
    // What consumers have done is still kept.
    librdkafka::commit(&gantry.kafka().unwrap(), "group", "t", 0, 1);
    std::fs::remove_file(ballast).unwrap();
    produce_until_taken(&mut socket, "t");
    gantry.stop().unwrap();
    drop(disk);
}

#[test]
fn after_a_failed_flush_nothing_is_acknowledged_until_a_restart_recovers() {
    if !ready(&[]).unwrap() || !disks::ready().unwrap() {
        return;
    }
    let beside = tempfile::tempdir().unwrap();
    let mut disk = None;
    let mut settings = SMALL.to_vec();
    settings.push("store.flush=sync");
    let mut gantry = Gantry::start_on(&settings, |data| {
        disk = Some(FailingDisk::mount(data, beside.path(), 96)?);
        Ok(())
    })
    .unwrap();
    let disk = disk.unwrap();
    let mut socket = connect(&gantry);
    librdkafka::create_topic(&gantry.kafka().unwrap(), "t", 1);
    let batch = batch_of(VALUE_BYTES);
    let kept = 20;
    for next in 0..kept {
        assert_eq!(produce(&mut socket, "t", &batch), (NONE, next));
    }
    let ballast = disk.fail().unwrap();
    let (more, code) = produce_until_refused(&mut socket, "t");
    assert_eq!(code, KAFKA_STORAGE_ERROR);
    // The disk works again, and what it has dropped is not taken for written.
    std::fs::remove_file(ballast).unwrap();
    for _ in 0..20 {
        assert_eq!(produce(&mut socket, "t", &batch).0, KAFKA_STORAGE_ERROR);
    }
    let health = asked(&gantry, "/healthz");
    assert!(health.contains("\"failed\""), "{health}");
    assert_reads_all(&mut socket, "t", kept + more);
    gantry.kill().unwrap();
    disk.mount_anew().unwrap();
    gantry.restart().unwrap();
    let mut socket = connect(&gantry);
    assert_reads_all(&mut socket, "t", kept + more);
    assert_eq!(produce(&mut socket, "t", &batch).0, NONE);
    gantry.stop().unwrap();
    drop(disk);
}

/// Changes one byte of the log.
fn rot(data: &Path, position: u64) {
    let segment = data
        .join("commitlog")
        .join(format!("{:020}", position / 4_194_304 * 4_194_304));
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(segment)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position % 4_194_304).unwrap();
    file.write_all_at(&[byte[0] ^ 4], position % 4_194_304)
        .unwrap();
}

#[test]
fn a_rotten_record_is_an_error_of_its_own_and_everything_else_is_served() {
    if !ready(&[]).unwrap() {
        return;
    }
    let mut gantry = Gantry::start(&SMALL).unwrap();
    librdkafka::create_topic(&gantry.kafka().unwrap(), "t", 1);
    librdkafka::create_topic(&gantry.kafka().unwrap(), "other", 1);
    let mut socket = connect(&gantry);
    let batch = batch_of(VALUE_BYTES);
    let count = 600;
    for next in 0..count {
        assert_eq!(produce(&mut socket, "t", &batch), (NONE, next));
        assert_eq!(produce(&mut socket, "other", &batch), (NONE, next));
    }
    gantry.stop().unwrap();
    rot(&gantry.data_directory(), 6_000_000);
    gantry.restart().unwrap();
    let mut socket = connect(&gantry);
    let mut refused = Vec::new();
    for topic in ["t", "other"] {
        for offset in 0..count {
            match fetch_code(&mut socket, topic, offset) {
                NONE => {}
                code => refused.push((topic, offset, code)),
            }
        }
    }
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].2, CORRUPT_MESSAGE);
    assert!(asked(&gantry, "/metrics").contains("gantry_store_damaged_ranges 1\n"));
    assert!(asked(&gantry, "/metrics").contains("gantry_store_damaged_segments 1\n"));
    let (_, offset) = produce(&mut socket, refused[0].0, &batch);
    assert_eq!(offset, count, "and it goes on");
    gantry.stop().unwrap();
}

#[test]
fn a_torn_tail_is_cut_and_a_second_server_on_the_same_store_refused() {
    if !ready(&[]).unwrap() {
        return;
    }
    // Nothing is flushed by itself, so that the tail may be torn.
    let mut settings = SMALL.to_vec();
    settings.extend(["store.flush_interval_ms=3600000", "store.flush_bytes=0"]);
    let mut gantry = Gantry::start(&settings).unwrap();
    librdkafka::create_topic(&gantry.kafka().unwrap(), "t", 1);
    let mut socket = connect(&gantry);
    let batch = batch_of(VALUE_BYTES);
    for next in 0..10 {
        assert_eq!(produce(&mut socket, "t", &batch), (NONE, next));
    }
    let second = Gantry::command_on(&gantry.data_directory(), &settings)
        .unwrap()
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process uses it"), "{said}");
    gantry.kill().unwrap();
    // Within the last record.
    rot(&gantry.data_directory(), 10 * VALUE_BYTES as u64);
    gantry.restart().unwrap();
    let mut socket = connect(&gantry);
    assert_reads_all(&mut socket, "t", 9);
    assert_eq!(
        produce(&mut socket, "t", &batch),
        (NONE, 9),
        "its place is free"
    );
    assert!(asked(&gantry, "/metrics").contains("gantry_store_damaged_ranges 0\n"));
    gantry.stop().unwrap();
}
