use super::*;
use gantry_remoting_protocol::body::{Registration, TopicConfig};

const LIMIT: Bounds = Bounds {
    brokers_max: 4,
    topics_per_broker_max: 5,
    expiry_millis: 120_000,
    expiry_millis_max: 600_000,
};
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn at(millis: u64) -> Timestamp {
    START.plus_millis(millis)
}

fn registry() -> Registry {
    Registry::new(LIMIT, None)
}

fn session(id: u64) -> (Session, mpsc::Receiver<MinBrokerChange>) {
    let (notices, received) = mpsc::channel(8);
    (Session { id, notices }, received)
}

fn broker<'a>(name: &'a str, id: i64, address: &'a str) -> Broker<'a> {
    Broker {
        cluster: "C",
        name,
        id,
        address,
        ha_address: "ha",
        expiry_millis: None,
        acting_master: None,
        zone: None,
        deleted_topics: Vec::new(),
    }
}

fn topics(counter: i64, names: &[&str]) -> Registration {
    let topic = |name: &&str| {
        let config = TopicConfig {
            topic_name: (*name).to_owned(),
            write_queue_nums: i32::try_from(counter).unwrap(),
            ..TopicConfig::default()
        };
        ((*name).to_owned(), config)
    };
    Registration {
        data_version: DataVersion {
            counter,
            ..DataVersion::default()
        },
        topics: names.iter().map(topic).collect(),
        mappings: BTreeMap::new(),
    }
}

fn all(registry: &Registry) -> Vec<String> {
    registry.topics_where(|_| true)
}

fn perm(registry: &Registry, topic: &str) -> i32 {
    registry.queues(topic)[0].perm
}

#[test]
fn only_the_master_says_what_topics_there_are() {
    let mut registry = registry();
    let (master, slave) = (session(1).0, session(2).0);
    let lonely = registry.register(
        &broker("b", 1, "s:1"),
        topics(1, &["X", "Y"]),
        &slave,
        at(0),
    );
    assert_eq!(
        lonely,
        Ok(Registered::Known(None)),
        "its master is not there"
    );
    assert!(all(&registry).is_empty());
    let known = registry.register(
        &broker("b", 0, "m:1"),
        topics(1, &["A", "B"]),
        &master,
        at(0),
    );
    assert_eq!(known, Ok(Registered::Known(None)));
    let known = registry.register(
        &broker("b", 1, "s:1"),
        topics(1, &["X", "Y"]),
        &slave,
        at(0),
    );
    let leader = Leader {
        address: "m:1".to_owned(),
        ha_address: "ha".to_owned(),
    };
    assert_eq!(known, Ok(Registered::Known(Some(leader))));
    assert_eq!(all(&registry), ["A", "B"]);
    let data = registry.broker("b").unwrap();
    assert_eq!(
        data.broker_addrs,
        [(0, "m:1".to_owned()), (1, "s:1".to_owned())].into()
    );
    let info = registry.cluster_info();
    assert_eq!(info.cluster_addr_table["C"], ["b"]);
}

#[test]
fn a_topic_changes_only_with_the_version_or_when_it_is_missing() {
    let mut registry = registry();
    let session = session(1).0;
    let master = broker("b", 0, "m:1");
    let queues = |registry: &Registry, topic| registry.queues(topic)[0].write_queue_nums;
    let names = ["A", "B"];
    registry
        .register(&master, topics(1, &names), &session, at(0))
        .unwrap();
    let mut same = topics(2, &names);
    same.data_version.counter = 1;
    registry
        .register(&master, same.clone(), &session, at(0))
        .unwrap();
    assert_eq!(queues(&registry, "A"), 1, "the version is known");
    registry.remove_topic("B", None);
    assert_eq!(all(&registry), ["A"]);
    registry.register(&master, same, &session, at(0)).unwrap();
    assert_eq!((queues(&registry, "A"), queues(&registry, "B")), (1, 2));
    registry
        .register(&master, topics(3, &["A"]), &session, at(0))
        .unwrap();
    assert_eq!((queues(&registry, "A"), queues(&registry, "B")), (3, 2));
    let mut deleting = master.clone();
    deleting.deleted_topics = vec!["B", "unknown"];
    registry
        .register(&deleting, topics(4, &[]), &session, at(0))
        .unwrap();
    assert_eq!(all(&registry), ["A"]);
}

#[test]
fn write_permission_taken_away_comes_back_with_the_next_version() {
    let mut registry = registry();
    let session = session(1).0;
    let master = broker("b", 0, "m:1");
    registry
        .register(&master, topics(1, &["A", "B"]), &session, at(0))
        .unwrap();
    assert_eq!(registry.wipe_write_permission("b"), 2);
    assert_eq!(registry.wipe_write_permission("unknown"), 0);
    registry
        .register(&master, topics(1, &["A", "B"]), &session, at(0))
        .unwrap();
    assert_eq!(perm(&registry, "A"), 4);
    assert_eq!(registry.add_write_permission("b"), 2);
    assert_eq!(perm(&registry, "A"), 6);
    registry.wipe_write_permission("b");
    registry
        .register(&master, topics(2, &["A", "B"]), &session, at(0))
        .unwrap();
    assert_eq!(perm(&registry, "B"), 6);
}

#[test]
fn a_silent_broker_is_gone_after_its_own_time() {
    let mut registry = registry();
    let (one, two, three) = (session(1).0, session(2).0, session(3).0);
    let mut hasty = broker("hasty", 0, "h:1");
    hasty.expiry_millis = Some(10_000);
    let mut endless = broker("endless", 0, "e:1");
    endless.expiry_millis = Some(u64::MAX);
    let usual = broker("usual", 0, "u:1");
    registry
        .register(&hasty, topics(1, &["A", "B"]), &one, at(0))
        .unwrap();
    registry
        .register(&usual, topics(1, &["A", "C"]), &two, at(0))
        .unwrap();
    registry
        .register(&endless, topics(1, &["D", "E"]), &three, at(0))
        .unwrap();
    assert!(registry.expire(at(10_000)).is_empty());
    assert_eq!(registry.expire(at(10_001)), ["h:1"]);
    assert_eq!(all(&registry), ["A", "C", "D", "E"]);
    registry.hear("u:1", at(100_000));
    assert!(registry.expire(at(220_000)).is_empty());
    let version = topics(1, &[]).data_version;
    assert_eq!(
        registry.data_version("u:1", version, at(220_000)),
        (Some(version), false)
    );
    let other = topics(2, &[]).data_version;
    assert_eq!(
        registry.data_version("u:1", other, at(300_000)),
        (Some(version), true)
    );
    assert_eq!(registry.data_version("nobody", other, at(0)), (None, true));
    assert_eq!(
        registry.expire(at(340_001)),
        ["u:1"],
        "another version is no sign of life"
    );
    assert_eq!(registry.expire(at(600_001)), ["e:1"]);
    assert_eq!((registry.broker_count(), registry.topic_count()), (0, 0));
}

#[test]
fn a_connection_that_ends_takes_only_its_own_brokers_with_it() {
    let mut registry = registry();
    let (one, two, anew) = (session(1).0, session(2).0, session(3).0);
    let (a, b) = (broker("a", 0, "a:1"), broker("b", 0, "b:1"));
    registry
        .register(&a, topics(1, &["A", "X"]), &one, at(0))
        .unwrap();
    registry
        .register(&b, topics(1, &["B", "X"]), &two, at(0))
        .unwrap();
    // It connects anew before the old connection is seen to end.
    registry
        .register(&a, topics(1, &["A2", "X"]), &anew, at(0))
        .unwrap();
    assert!(registry.disconnect(1).is_empty());
    assert_eq!(all(&registry), ["A2", "B", "X"]);
    assert_eq!(registry.queues("X").len(), 2);
    assert_eq!(registry.disconnect(2), ["b:1"]);
    assert_eq!(all(&registry), ["A2", "X"]);
    registry.unregister("another group", "a:1");
    assert_eq!(registry.broker_count(), 1);
    registry.unregister("a", "a:1");
    assert_eq!(registry.broker_count(), 0);
}

#[test]
fn an_addition_to_a_whole_that_never_came_is_refused() {
    let mut registry = registry();
    let session = session(1).0;
    let master = broker("b", 0, "m:1");
    let refused = registry.register(&master, topics(1, &["A"]), &session, at(0));
    assert_eq!(refused, Err(RegisterError::NeverWhole));
    assert!(registry.broker("b").is_none());
    registry
        .register(&master, topics(1, &["A", "B"]), &session, at(0))
        .unwrap();
    registry
        .register(&master, topics(2, &["C"]), &session, at(0))
        .unwrap();
    assert_eq!(all(&registry), ["A", "B", "C"]);
}

#[test]
fn a_newer_holder_of_an_id_keeps_it() {
    let mut registry = registry();
    let (one, two) = (session(1).0, session(2).0);
    let mut newer = topics(1, &["A", "B"]);
    newer.data_version.state_version = 5;
    registry
        .register(&broker("b", 0, "m:1"), newer, &one, at(0))
        .unwrap();
    let older = topics(9, &["A", "B"]);
    let registered = registry.register(&broker("b", 0, "m:2"), older, &two, at(0));
    assert_eq!(registered, Ok(Registered::Outdated));
    let mut newest = topics(1, &["A", "B"]);
    newest.data_version.state_version = 6;
    registry
        .register(&broker("b", 0, "m:2"), newest, &two, at(0))
        .unwrap();
    assert_eq!(registry.broker("b").unwrap().broker_addrs[&0], "m:2");
    assert!(
        registry.disconnect(1).is_empty(),
        "the one before is no longer known"
    );
    // A role changes: the same address under another id.
    registry
        .register(&broker("b", 3, "m:2"), topics(1, &[]), &two, at(0))
        .unwrap();
    assert_eq!(
        registry.broker("b").unwrap().broker_addrs,
        [(3, "m:2".to_owned())].into()
    );
}

#[test]
fn a_slave_that_stands_in_serves_reads_and_the_group_hears_of_it() {
    let mut registry = registry();
    let (master, _) = session(1);
    let (slave, mut heard) = session(2);
    let acting = |id, address| Broker {
        acting_master: Some(true),
        ..broker("b", id, address)
    };
    registry
        .register(&acting(0, "m:1"), topics(1, &["A", "B"]), &master, at(0))
        .unwrap();
    registry
        .register(&acting(1, "s:1"), topics(1, &["A", "B"]), &slave, at(0))
        .unwrap();
    assert_eq!(perm(&registry, "A"), 6);
    registry.disconnect(1);
    assert_eq!(perm(&registry, "A"), 4, "nobody may write");
    let told = heard.try_recv().unwrap();
    assert_eq!(
        (told.id, told.address.as_deref(), told.gone.as_deref()),
        (1, Some("s:1"), Some("m:1"))
    );
    registry
        .register(&acting(1, "s:1"), topics(2, &["A", "C"]), &slave, at(0))
        .unwrap();
    assert_eq!((perm(&registry, "A"), perm(&registry, "C")), (4, 4));
    let (master, mut itself) = session(3);
    registry
        .register(&acting(0, "m:1"), topics(1, &["A", "B"]), &master, at(0))
        .unwrap();
    assert_eq!(perm(&registry, "A"), 6);
    let told = heard.try_recv().unwrap();
    assert_eq!(
        (told.id, told.address.as_deref(), told.gone),
        (0, Some("m:1"), None)
    );
    assert!(itself.try_recv().is_err(), "who is the smallest knows it");
}

#[test]
fn what_would_be_too_much_is_refused() {
    let mut registry = registry();
    let session = session(1).0;
    for (name, address) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
        registry
            .register(
                &broker(name, 0, address),
                topics(1, &["A", "B"]),
                &session,
                at(0),
            )
            .unwrap();
    }
    let refused = registry.register(
        &broker("e", 0, "5"),
        topics(1, &["A", "B"]),
        &session,
        at(0),
    );
    assert_eq!(refused, Err(RegisterError::TooManyBrokers));
    registry
        .register(
            &broker("a", 0, "1"),
            topics(2, &["A", "B", "C"]),
            &session,
            at(0),
        )
        .unwrap();
    let more = topics(3, &["D", "E", "F"]);
    let refused = registry.register(&broker("a", 0, "1"), more, &session, at(0));
    assert_eq!(refused, Err(RegisterError::TooManyTopics));
    let queues = |broker: &str| QueueData {
        broker_name: broker.to_owned(),
        ..QueueData::default()
    };
    for topic in ["D", "E", "F"] {
        registry.put_topic(topic, vec![queues("a"), queues("stranger")]);
    }
    assert_eq!(all(&registry), ["A", "B", "C", "D", "E"]);
    assert_eq!(registry.queues("D").len(), 1);
    registry.remove_topic("A", Some("another cluster"));
    assert_eq!(registry.queues("A").len(), 4);
}

#[test]
fn nobody_takes_the_place_of_the_broker_in_this_process() {
    let own = Advertised {
        cluster_name: "C".to_owned(),
        broker_name: "own".to_owned(),
        address: "o:1".to_owned(),
        auto_create_queues: 8,
    };
    let mut registry = Registry::new(LIMIT, Some(&own));
    let session = session(1).0;
    let mut register = |broker| registry.register(&broker, topics(1, &["A", "B"]), &session, at(0));
    assert_eq!(
        register(broker("own", 0, "o:1")),
        Ok(Registered::Known(None)),
        "it is itself"
    );
    assert_eq!(register(broker("own", 0, "x:1")), Err(RegisterError::Own));
    assert_eq!(register(broker("other", 0, "o:1")), Err(RegisterError::Own));
    assert_eq!(
        register(broker("own", 1, "s:1")),
        Ok(Registered::Known(None)),
        "a slave"
    );
    registry.unregister("own", "o:1");
    registry.disconnect(1);
    registry.expire(at(1_000_000));
    assert_eq!(
        registry.broker("own").unwrap().broker_addrs,
        [(0, "o:1".to_owned())].into()
    );
    assert!(all(&registry).is_empty(), "its topics are not registered");
}
