//! Against the store a real broker left: `testdata/rocketmq-store`.

use super::*;
use flate2::read::GzDecoder;
use gantry_core::model::QueueId;
use std::fs::{self, File};
use std::path::PathBuf;
use tempfile::TempDir;

/// The sample, unpacked.
fn sample() -> (TempDir, PathBuf) {
    unpacked("store.tar.gz")
}

fn unpacked(name: &str) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rocketmq-store");
    let archive = GzDecoder::new(File::open(folder.join(name)).unwrap());
    tar::Archive::new(archive).unpack(home.path()).unwrap();
    let directory = home.path().join("store");
    (home, directory)
}

fn refusal(directory: &Path) -> String {
    format!("{:#}", RocketmqStore::open(directory).unwrap_err())
}

#[test]
fn the_samples_tables_are_read() {
    let (_home, directory) = sample();
    let store = RocketmqStore::open(&directory).unwrap();
    assert_eq!(store.warnings, [""; 0]);

    assert_eq!(store.topics.len(), 23);
    let queues = |topic: &str| store.topics[topic].queue_count();
    assert_eq!(queues("SampleA"), 4);
    assert_eq!(queues("SCHEDULE_TOPIC_XXXX"), 18);
    assert_eq!(queues("%RETRY%cgSample"), 1);
    assert_eq!(store.topics["DefaultCluster"].permission.bits(), 7);

    let offsets = |group: &str, topic: &str| {
        let queues = store.progress[group][topic].iter();
        queues
            .map(|(queue, offset)| (queue.get(), offset.get()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        offsets("cgSample", "SampleA"),
        [(0, 30), (1, 30), (2, 30), (3, 30)]
    );
    assert_eq!(offsets("cgSample", "SampleB"), [(0, 25), (1, 25), (2, 1)]);
    let half = "RMQ_SYS_TRANS_HALF_TOPIC";
    assert_eq!(offsets("CID_RMQ_SYS_TRANS", half), [(0, 5)]);
    assert_eq!(store.progress.len(), 2);

    let settings = &store.groups.settings["cgSample"];
    assert!(settings.contains(r#""retryMaxTimes":16"#), "{settings}");
    assert!(store.groups.forbidden.is_empty());
    let delays: Vec<_> = store
        .delays
        .iter()
        .map(|(level, at)| (*level, at.get()))
        .collect();
    assert_eq!(delays, [(1, 2), (18, 0)]);
}

#[test]
fn the_samples_log_is_walked() {
    let (_home, directory) = sample();
    let store = RocketmqStore::open(&directory).unwrap();
    let bases: Vec<_> = store.files.iter().map(|file| file.base.get()).collect();
    assert_eq!(bases, [0, 32_768]);
    let survey = store.survey(&|_| ()).unwrap();
    assert_eq!(survey.end.get(), 32_768 + 23_039);
    assert_eq!(survey.torn, None);
    assert_eq!((survey.unqueued, survey.inner_batches), (0, 0));
    let records = survey.topics.values().flat_map(BTreeMap::values);
    assert_eq!(records.map(|queue| queue.records).sum::<u64>(), 196);
    let of = |topic: &str, queue: u32| {
        let facts = survey.topics[topic][&QueueId::new(queue)];
        (facts.first.get(), facts.next.get(), facts.records)
    };
    assert_eq!(of("SampleA", 0), (0, 30, 30));
    assert_eq!(of("SampleBatch", 1), (0, 10, 10));
    assert_eq!(of("SCHEDULE_TOPIC_XXXX", 17), (0, 1, 1));
    assert_eq!(of("RMQ_SYS_TRANS_HALF_TOPIC", 0), (0, 6, 6));
    assert!(
        survey
            .topics
            .keys()
            .all(|topic| store.topics.contains_key(topic.as_str()))
    );
}

/// What only odd clients and brokers with other settings write.
#[test]
fn odd_records_are_told_apart() {
    let (_home, directory) = unpacked("odd-store.tar.gz");
    let store = RocketmqStore::open(&directory).unwrap();
    assert_eq!(
        store.warnings, [""; 0],
        "its progress is in lmqConsumerOffset.json alone"
    );
    let progress = |topic: &str| store.progress["g"][topic][&QueueId::new(0)].get();
    assert_eq!((progress("plain"), progress("%LMQ%a")), (2, 1));
    let survey = store.survey(&|_| ()).unwrap();
    assert_eq!((survey.unqueued, survey.inner_batches), (2, 2));
    let of = |topic: &str, queue: u32| {
        let facts = survey.topics[topic][&QueueId::new(queue)];
        (facts.next.get(), facts.records)
    };
    assert_eq!(
        of("plain", 0),
        (5, 5),
        "prepared and rolled back ones have no place"
    );
    assert_eq!(of("bcq", 0), (7, 3), "two batches of three");
    assert_eq!(of("gone", 0), (1, 1));
    assert!(!store.topics.contains_key("gone"), "deleted");
    assert_eq!(of("shrunk", 3), (1, 1));
    assert_eq!(store.topics["shrunk"].queue_count(), 2);
    assert_eq!(store.topics["bcq"].attributes["queue.type"], "BatchCQ");
}

#[test]
fn a_log_whose_first_files_have_gone_is_walked() {
    let (_home, directory) = sample();
    fs::remove_file(directory.join("commitlog/00000000000000000000")).unwrap();
    let survey = RocketmqStore::open(&directory)
        .unwrap()
        .survey(&|_| ())
        .unwrap();
    assert_eq!(survey.end.get(), 32_768 + 23_039);
    let first = survey.topics["SampleA"][&QueueId::new(0)].first;
    assert!(first.get() > 0, "{first}");
}

#[test]
fn a_broken_record_ends_the_log_only_at_its_tail() {
    let (_home, directory) = sample();
    let damage = |file: &str, at: usize| {
        let path = directory.join("commitlog").join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    // In the body of the last record.
    damage("00000000000000032768", 55_360 - 32_768 + 90);
    let store = RocketmqStore::open(&directory).unwrap();
    let survey = store.survey(&|_| ()).unwrap();
    assert_eq!(survey.end.get(), 55_360);
    assert!(survey.torn.unwrap().contains("checksum"));

    let broken = |position: &str| {
        let error = format!("{:#}", store.survey(&|_| ()).unwrap_err());
        assert!(error.contains(&format!("broken at {position}:")), "{error}");
    };
    damage("00000000000000032768", 49_808 - 32_768 + 90);
    broken("49808");
    damage("00000000000000000000", 90);
    broken("0");
}

#[test]
fn files_made_ahead_hold_nothing() {
    let (_home, directory) = sample();
    let ahead = directory.join("commitlog/00000000000000065536");
    fs::write(ahead, vec![0; 32_768]).unwrap();
    let survey = RocketmqStore::open(&directory)
        .unwrap()
        .survey(&|_| ())
        .unwrap();
    assert_eq!(survey.end.get(), 32_768 + 23_039);
    assert_eq!(survey.torn, None);
}

#[test]
fn what_is_missing_is_told_or_refused() {
    let (_home, directory) = sample();
    let config = directory.join("config");
    fs::write(config.join("topics.json"), "{").unwrap();
    for name in ["consumerOffset.json", "consumerOffset.json.bak"] {
        fs::remove_file(config.join(name)).unwrap();
    }
    fs::write(directory.join("abort"), "1").unwrap();
    let store = RocketmqStore::open(&directory).unwrap();
    assert_eq!(store.topics.len(), 23);
    assert!(store.progress.is_empty());
    let said = store.warnings.join("\n");
    for part in [
        "not stopped in order",
        "topics.json.bak is used",
        "consumerOffset.json is missing",
    ] {
        assert!(said.contains(part), "{said}");
    }
    drop(store);

    fs::remove_file(config.join("topics.json.bak")).unwrap();
    assert!(refusal(&directory).contains("topics are not known"));
    fs::write(directory.join("commitlog/readme"), "").unwrap();
    assert!(refusal(&directory).contains("readme is no file of a commit log"));
    fs::remove_dir_all(directory.join("commitlog")).unwrap();
    assert!(refusal(&directory).contains("no log at"));
    fs::create_dir(directory.join("dledger-n0")).unwrap();
    assert!(refusal(&directory).contains("DLedger"));
    assert!(refusal(&directory.join("nowhere")).contains("nowhere"));
}

/// Whatever stands in a file, it is read or refused.
#[test]
fn fuzz_damaged_stores() {
    let (_home, directory) = sample();
    let victims = [
        "config/topics.json",
        "config/consumerOffset.json",
        "config/subscriptionGroup.json",
        "config/delayOffset.json",
        "commitlog/00000000000000000000",
        "commitlog/00000000000000032768",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for victim in victims {
        let path = directory.join(victim);
        let whole = fs::read(&path).unwrap();
        for _ in 0..40 {
            let mut damaged = whole.clone();
            for _ in 0..=random(8) {
                let at = random(damaged.len());
                damaged[at] = u8::try_from(random(256)).unwrap();
            }
            fs::write(&path, &damaged).unwrap();
            if let Ok(store) = RocketmqStore::open(&directory) {
                let _read_or_refused = store.survey(&|_| ());
            }
        }
        fs::write(&path, whole).unwrap();
    }
}
