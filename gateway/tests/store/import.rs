//! Importing RocketMQ's stores.

use super::{open, refused, run, testdata, text, unpacked};
use gantry_core::model::{GroupName, QueueId, TopicName};
use gantry_core::{Client, FetchQueue};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Topic, queue, offset, position, body CRC.
type Row = (String, u32, u64, u64, u32);

/// What RocketMQ's own tools printed.
fn rows() -> Vec<Row> {
    let table = fs::read_to_string(testdata().join("messages.tsv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |index: usize| fields[index].parse::<u64>().unwrap();
        let (queue, crc) = (number(1), number(4));
        let queue = queue.try_into().unwrap();
        (
            fields[0].to_owned(),
            queue,
            number(2),
            number(3),
            crc.try_into().unwrap(),
        )
    };
    table.lines().skip(1).map(row).collect()
}

/// Everything a queue serves.
fn served(client: &Client, topic: &str, queue: u32) -> Vec<Row> {
    let handle = client.topic(topic).unwrap();
    let range = client.offset_range(&handle, QueueId::new(queue)).unwrap();
    let mut rows = Vec::new();
    let mut offset = range.start;
    while offset < range.end {
        let wanted = FetchQueue {
            topic: handle.clone(),
            queue: QueueId::new(queue),
            offset,
            bytes_max: 1 << 20,
            messages_max: 1_000,
            filter: None,
        };
        let fetched = client.fetch_now(&[wanted], 1 << 20).pop().unwrap().unwrap();
        for record in &fetched.records {
            let crc = u32::from_be_bytes(record.bytes[8..12].try_into().unwrap());
            let (offset, position) = (record.base_offset.get(), record.position.get());
            rows.push((topic.to_owned(), queue, offset, position, crc));
        }
        offset = fetched.next_offset;
    }
    rows
}

/// Everything that was in the imported log; a delayed message that waited there stands behind it
/// once more.
fn all_served(client: &Client) -> Vec<Row> {
    let end = rows().iter().map(|row| row.3).max().unwrap();
    let mut rows = Vec::new();
    for topic in client.topics() {
        for queue in 0..topic.queue_count() {
            rows.extend(served(client, topic.name().as_str(), queue));
        }
    }
    rows.retain(|row| row.3 <= end);
    rows.sort_by_key(|row| row.3);
    rows
}

fn range(client: &Client, topic: &str, queue: u32) -> (u64, u64) {
    let topic = client.topic(topic).unwrap();
    let range = client.offset_range(&topic, QueueId::new(queue)).unwrap();
    (range.start.get(), range.end.get())
}

fn progress(client: &Client, group: &str, topic: &str) -> BTreeMap<u32, u64> {
    let group = GroupName::new(group).unwrap();
    let topic = TopicName::new(topic).unwrap();
    let committed = client.committed_offsets(&group).into_iter();
    committed
        .filter(|(found, ..)| *found == topic)
        .map(|(_, queue, committed)| (queue.get(), committed.offset))
        .collect()
}

/// Opens the store as it is, then without what can be made anew, then once more.
fn each_way(data: &Path, check: impl Fn(&Client)) {
    let mut ids = Vec::new();
    for derived in [
        &[][..],
        &["index", "state"],
        &["index", "state", "flushed"],
        &[],
    ] {
        for name in derived {
            let path = data.join(name);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        let broker = open(data);
        let client = broker.anonymous();
        check(&client);
        assert!(broker.damages().is_empty());
        let topics = client.topics();
        let topics = topics
            .iter()
            .map(|topic| (topic.name().clone(), topic.uuid(), topic.spec()));
        ids.push(topics.collect::<Vec<_>>());
        broker.shutdown().unwrap();
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn an_imported_store_serves_every_message_at_its_place() {
    let (home, store) = unpacked("store.tar.gz");
    let data = home.path().join("data");
    let printed = run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    for line in [
        "topics\t23",
        "messages\t196",
        "groups\tprogress of 2, settings of",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    assert!(!printed.contains("left out"), "{printed}");
    each_way(&data, |client| {
        assert_eq!(all_served(client), rows());
        assert_eq!(
            progress(client, "cgSample", "SampleA"),
            BTreeMap::from([(0, 30), (1, 30), (2, 30), (3, 30)])
        );
        assert_eq!(
            progress(client, "cgSample", "SampleB"),
            BTreeMap::from([(0, 25), (1, 25), (2, 1)])
        );
        let half = "RMQ_SYS_TRANS_HALF_TOPIC";
        assert_eq!(
            progress(client, "CID_RMQ_SYS_TRANS", half),
            BTreeMap::from([(0, 5)])
        );
        assert_eq!(client.groups().len(), 2);
        let settings = client.document("rocketmq", "subscription-group/cgSample");
        assert!(settings.unwrap().contains("retryMaxTimes"));
        assert_eq!(
            client.topic("SCHEDULE_TOPIC_XXXX").unwrap().queue_count(),
            18
        );
    });
    let again = refused(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    assert!(again.contains("there is a store already"), "{again}");
    let names: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(!names.iter().any(|name| name == "importing"), "{names:?}");
}

#[test]
fn a_queue_whose_messages_have_expired_goes_on_where_it_was() {
    let (home, store) = unpacked("store.tar.gz");
    fs::remove_file(store.join("commitlog/00000000000000000000")).unwrap();
    // Of this one no record is left: its files of 50 units tell of two in the second.
    let queue = store.join("consumequeue/SampleBatch/0");
    fs::create_dir_all(&queue).unwrap();
    let unit = [0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut units = vec![0; 1_000];
    units[..40].copy_from_slice(&[unit; 2].concat());
    fs::write(queue.join("00000000000000001000"), units).unwrap();
    fs::write(queue.join("00000000000000002000"), vec![0; 1_000]).unwrap();
    let data = home.path().join("data");
    run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    let kept: Vec<_> = rows().into_iter().filter(|row| row.3 >= 32_768).collect();
    let mut ends: BTreeMap<(String, u32), u64> = BTreeMap::new();
    for (topic, queue, offset, ..) in rows() {
        ends.insert((topic, queue), offset + 1);
    }
    each_way(&data, |client| {
        assert_eq!(range(client, "SampleBatch", 0), (52, 52));
        assert_eq!(all_served(client), kept);
        for ((topic, queue), end) in &ends {
            let of = |row: &&Row| row.0 == *topic && row.1 == *queue;
            let first = kept.iter().find(of).map_or(*end, |row| row.2);
            assert_eq!(
                range(client, topic, *queue),
                (first, *end),
                "{topic} {queue}"
            );
        }
    });
}

/// Flags of the two records of many messages, where `change` makes others of them.
fn change_inner_batches(store: &Path, flags: i32) {
    let path = store.join("commitlog/00000000000000000000");
    let mut log = fs::read(&path).unwrap();
    let mut at = 0;
    loop {
        let size = u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
        if size == 0 {
            break;
        }
        let found = i32::from_be_bytes(log[at + 36..at + 40].try_into().unwrap());
        if found & 0x80 != 0 {
            log[at + 36..at + 40].copy_from_slice(&flags.to_be_bytes());
        }
        at += size as usize;
    }
    fs::write(&path, log).unwrap();
}

#[test]
fn odd_records_are_left_out_or_refused() {
    let (home, store) = unpacked("odd-store.tar.gz");
    let data = home.path().join("data");
    let arguments = ["import-rocketmq", text(&store), "--data-dir", text(&data)];
    let said = refused(&arguments);
    assert!(
        said.contains("2 records of its log hold many messages"),
        "{said}"
    );
    assert!(!data.join("commitlog").exists());

    change_inner_batches(&store, 4);
    let printed = run(&arguments);
    assert!(
        printed.contains("left out\t4 records that were never in a queue"),
        "{printed}"
    );
    assert!(
        printed.contains("left out\t1 records of deleted topics"),
        "{printed}"
    );
    each_way(&data, |client| {
        assert_eq!(range(client, "plain", 0), (0, 5));
        assert_eq!(served(client, "plain", 0).len(), 5);
        let plain = served(client, "plain", 1);
        let plain: Vec<_> = plain.iter().map(|row| row.3).collect();
        for light in ["%LMQ%a", "%LMQ%b"] {
            let (start, end) = range(client, light, 0);
            let rows = served(client, light, 0);
            assert_eq!(rows.len() as u64, end - start, "{light}");
            assert!(rows.iter().all(|row| plain.contains(&row.3)), "{light}");
            assert!(end > 0);
        }
        assert!(client.topic("gone").is_none());
        assert_eq!(client.topic("shrunk").unwrap().queue_count(), 4);
        assert_eq!(range(client, "shrunk", 3), (0, 1));
        assert_eq!(progress(client, "g", "plain")[&0], 2);
        assert_eq!(progress(client, "g", "%LMQ%a")[&0], 1);
    });
}

#[test]
fn a_torn_end_is_cut_where_the_broker_was_not_stopped_in_order() {
    let (home, store) = unpacked("store.tar.gz");
    let last = store.join("commitlog/00000000000000032768");
    let mut log = fs::read(&last).unwrap();
    log[55_360 - 32_768 + 90] ^= 1;
    fs::write(&last, log).unwrap();
    let ahead = store.join("commitlog/00000000000000065536");
    fs::write(ahead, vec![0; 32_768]).unwrap();
    let data = home.path().join("data");
    let arguments = ["import-rocketmq", text(&store), "--data-dir", text(&data)];
    let said = refused(&arguments);
    assert!(
        said.contains("yet the broker was stopped in order"),
        "{said}"
    );
    assert!(!data.join("commitlog").exists());

    fs::write(store.join("abort"), "1").unwrap();
    run(&arguments);
    assert!(!data.join("commitlog/00000000000000065536").exists());
    let kept: Vec<_> = rows().into_iter().filter(|row| row.3 < 55_360).collect();
    each_way(&data, |client| {
        let mut served = all_served(client);
        served.retain(|row| row.3 < 55_360);
        assert_eq!(served, kept);
    });
}

#[test]
fn a_log_that_speaks_of_this_stores_state_is_refused() {
    let (home, store) = unpacked("odd-store.tar.gz");
    change_inner_batches(&store, 4);
    // The state's topic has 16 letters: a record of a topic with as many.
    let path = store.join("commitlog/00000000000000000000");
    let mut log = fs::read(&path).unwrap();
    let size = u32::from_be_bytes(log[..4].try_into().unwrap()) as usize;
    let body = u32::from_be_bytes(log[84..88].try_into().unwrap()) as usize;
    let topic_at = 88 + body;
    assert_eq!(&log[topic_at..topic_at + 6], b"\x05plain");
    // Its properties give the room.
    log[topic_at] = 16;
    log[topic_at + 1..topic_at + 17].copy_from_slice(b"GANTRY_SYS_STATE");
    let properties = u16::try_from(size - topic_at - 19).unwrap();
    log[topic_at + 17..topic_at + 19].copy_from_slice(&properties.to_be_bytes());
    fs::write(&path, log).unwrap();
    let data = home.path().join("data");
    let said = refused(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    assert!(said.contains("GANTRY_SYS_STATE"), "{said}");
    assert!(!data.join("commitlog").exists() && !data.join("importing").exists());
}

/// Of a topic that was deleted and made again the log still has the records of before.
#[test]
fn a_deleted_topics_messages_do_not_come_back_under_its_successor() {
    let (home, store) = unpacked("store.tar.gz");
    let batch: Vec<_> = rows()
        .into_iter()
        .filter(|row| row.0 == "SampleBatch")
        .collect();
    assert_eq!(batch.len(), 10);
    // As if four had been sent before, and six since.
    for (new, row) in batch[4..].iter().enumerate() {
        let base = row.3 / 32_768 * 32_768;
        let path = store.join(format!("commitlog/{base:020}"));
        let mut log = fs::read(&path).unwrap();
        let at = usize::try_from(row.3 - base).unwrap() + 20;
        log[at..at + 8].copy_from_slice(&(new as u64).to_be_bytes());
        fs::write(&path, log).unwrap();
    }
    let data = home.path().join("data");
    let printed = run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    assert!(
        printed.contains("left out\t4 records of deleted topics"),
        "{printed}"
    );
    each_way(&data, |client| {
        assert_eq!(range(client, "SampleBatch", 1), (0, 6));
        let positions = served(client, "SampleBatch", 1)
            .into_iter()
            .map(|row| row.3);
        let since = batch[4..].iter().map(|row| row.3);
        assert!(positions.eq(since));
        assert_eq!(all_served(client).len(), 192);
    });

    // And as if none had been sent since.
    fs::remove_dir_all(store.join("consumequeue/SampleBatch")).unwrap();
    let data = home.path().join("other");
    let printed = run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    assert!(
        printed.contains("left out\t10 records of deleted topics"),
        "{printed}"
    );
    each_way(&data, |client| {
        assert_eq!(range(client, "SampleBatch", 1), (0, 0));
        assert_eq!(all_served(client).len(), 186);
    });
    run(&["verify", "--data-dir", text(&data)]);
}

#[test]
fn an_import_that_was_interrupted_is_no_store() {
    let (home, store) = unpacked("store.tar.gz");
    let data = home.path().join("data");
    // As a killed one leaves it.
    fs::create_dir_all(data.join("importing/commitlog")).unwrap();
    fs::write(
        data.join("importing/commitlog/00000000000000000000"),
        "half",
    )
    .unwrap();
    run(&["import-rocketmq", text(&store), "--data-dir", text(&data)]);
    assert!(!data.join("importing").exists());
    each_way(&data, |client| assert_eq!(all_served(client), rows()));
}
