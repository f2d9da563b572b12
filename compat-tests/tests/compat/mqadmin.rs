//! RocketMQ's own `mqadmin` against a gantry with traffic.

use crate::samples::{Member, named};
use compat_tests::clients::{self, Installed, Jvm, NEWEST_ROCKETMQ, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::paths;
use compat_tests::process::{Client, PATIENCE, now};
use tempfile::TempDir;

const TOPIC: &str = "traffic";
const GROUP: &str = "readers";
const QUEUES: usize = 4;
/// The last line of a command's output.
const END: &str = "== end";

/// `mqadmin`, all of whose commands run in one Java machine.
struct MqAdmin {
    client: Client,
    namesrv: String,
    _home: TempDir,
}

impl MqAdmin {
    fn start(gantry: &Gantry) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("conf")).unwrap();
        // Empty: nothing is signed.
        std::fs::write(home.path().join("conf/tools.yml"), "").unwrap();
        let source = paths::client_sources().join("java/mqadmin/MqAdmin.java");
        // Java compiles a program of one file when it starts it.
        let mut java = clients::rocketmq_tool(Jvm::Brief, source.to_str().unwrap());
        java.env("ROCKETMQ_HOME", home.path());
        // Some commands write files where they are started.
        java.current_dir(home.path());
        Self {
            client: Client::start("mqadmin", java).unwrap(),
            namesrv: gantry.namesrv().unwrap(),
            _home: home,
        }
    }

    /// What a command says.
    fn run(&mut self, command: &str) -> String {
        let line = format!("{command} -n {}\n", self.namesrv);
        self.client.write(&line).unwrap();
        let mut output = String::new();
        loop {
            match self.client.next_line().unwrap() {
                Some(line) if line == END => return output,
                Some(line) => output.extend([line.as_str(), "\n"]),
                None => panic!("{command} ended mqadmin: {output}"),
            }
        }
    }

    /// What a command says, which must have all of `expected` in it.
    #[track_caller]
    fn shows(&mut self, command: &str, expected: &[&str]) -> String {
        let output = self.run(command);
        for part in expected {
            assert!(output.contains(part), "{command}: no {part} in\n{output}");
        }
        assert!(!output.contains("Exception:"), "{command}: {output}");
        output
    }

    /// Asks again until the answer is one that `enough` accepts.
    #[track_caller]
    fn until(&mut self, command: &str, enough: impl Fn(&str) -> bool) -> String {
        let deadline = now() + PATIENCE;
        loop {
            let output = self.run(command);
            if enough(&output) {
                return output;
            }
            assert!(now() < deadline, "{command}: {output}");
        }
    }
}

/// The words of the first line that begins with `first`.
#[track_caller]
fn row(output: &str, first: &str) -> Vec<String> {
    let mut lines = output.lines().map(str::split_whitespace);
    let words = lines.find_map(|words| {
        let words: Vec<_> = words.map(str::to_owned).collect();
        (words.first().map(String::as_str) == Some(first)).then_some(words)
    });
    words.unwrap_or_else(|| panic!("no line of {first} in\n{output}"))
}

struct Traffic {
    gantry: Gantry,
    producer: Member,
    consumer: Member,
    admin: MqAdmin,
}

impl Traffic {
    /// A message a queue, each sent, acknowledged and consumed.
    fn start() -> Self {
        Self::on(Gantry::start(&[]).unwrap())
    }

    fn on(gantry: Gantry) -> Self {
        let namesrv = format!("namesrv={}", gantry.namesrv().unwrap());
        let topic = format!("topic={TOPIC}");
        let mut java = clients::rocketmq_java(NEWEST_ROCKETMQ);
        java.args(["stream", &namesrv, &topic]);
        let mut producer = Member::start("producer", java);
        for queue in 0..QUEUES {
            let message = Message::of(format!("message {queue}"));
            let message = message.to(queue as i32).key(format!("key-{queue}"));
            producer.client.write(&message.line()).unwrap();
        }
        producer.until(|events| named(events, "sent").count() == QUEUES);
        let mut java = clients::rocketmq_java(NEWEST_ROCKETMQ);
        java.args(["push", &namesrv, &topic, &format!("group={GROUP}")]);
        let mut consumer = Member::start("consumer", java);
        for queue in 0..QUEUES {
            consumer.until_received(&format!("message {queue}"));
        }
        Self {
            admin: MqAdmin::start(&gantry),
            gantry,
            producer,
            consumer,
        }
    }

    fn broker(&self) -> String {
        self.gantry.endpoint("remoting").unwrap()
    }

    fn sent(&self) -> &Event {
        named(&self.producer.events, "sent").next().unwrap()
    }
}

#[test]
fn mqadmin_sees_and_moves_live_traffic() {
    if !ready(&[
        Installed::Rocketmq(NEWEST_ROCKETMQ),
        Installed::RocketmqBenchmark,
    ])
    .unwrap()
    {
        return;
    }
    let mut traffic = Traffic::start();
    the_cluster_is_shown(&mut traffic);
    groups_are_shown(&mut traffic);
    messages_are_found(&mut traffic);
    messages_are_sent_and_consumed(&mut traffic);
    topics_are_made_and_deleted(&mut traffic);
    groups_are_made_and_moved(&mut traffic);
}

fn the_cluster_is_shown(traffic: &mut Traffic) {
    let broker = traffic.broker();
    let admin = &mut traffic.admin;
    let clusters = admin.shows("clusterList", &["DefaultCluster", "gantry", "Gantry_"]);
    assert_eq!(row(&clusters, "DefaultCluster")[3], broker);
    let totals = admin.shows("clusterList -m", &["#InTotalToday"]);
    let totals = row(&totals, "DefaultCluster");
    assert_eq!(totals[4], QUEUES.to_string(), "what came in today");
    assert!(totals[5].parse::<usize>().unwrap() >= QUEUES, "{totals:?}");
    let topics = admin.shows("topicList", &[]);
    assert_eq!(row(&topics, TOPIC).len(), 1);
    let status = admin.shows(&format!("topicStatus -t {TOPIC}"), &["Topic Put TPS"]);
    assert_eq!(&row(&status, "gantry")[1..4], ["0", "0", "1"]);
    let route = admin.run(&format!("topicRoute -t {TOPIC}"));
    assert!(route.contains(r#""readQueueNums":4"#), "{route}");
    let stats = admin.shows("statsAll", &[TOPIC]);
    let stats = row(&stats, TOPIC);
    assert_eq!(stats[1], GROUP);
    assert!(stats[3].parse::<f64>().unwrap() > 0.0, "{stats:?}");
    assert_eq!(stats[5], QUEUES.to_string(), "{stats:?}");
    let status = admin.shows(&format!("brokerStatus -b {broker}"), &[]);
    for (name, value) in [
        ("putMessageTimesTotal", QUEUES.to_string()),
        ("brokerActive", "true".to_owned()),
        ("putMessageFailedTimes", "0".to_owned()),
    ] {
        assert_eq!(row(&status, name)[2], value, "{status}");
    }
    let config = admin.shows(&format!("getBrokerConfig -b {broker}"), &[]);
    assert_eq!(row(&config, "brokerName")[2], "gantry");
    let refused = format!("updateBrokerConfig -b {broker} -k flushDiskType -v SYNC_FLUSH");
    let refused = admin.run(&refused);
    assert!(refused.contains("CODE: 16"), "{refused}");
}

fn groups_are_shown(traffic: &mut Traffic) {
    let admin = &mut traffic.admin;
    // Consumers commit every five seconds.
    let command = format!("consumerProgress -g {GROUP}");
    let done = |output: &str| output.contains("Consume Diff Total: 0");
    let progress = admin.until(&command, |output| {
        let is_there = output.lines().any(|line| line.starts_with(TOPIC));
        is_there && done(output) && row(output, TOPIC)[4] == "1"
    });
    assert_eq!(&row(&progress, TOPIC)[1..6], ["gantry", "0", "1", "1", "0"]);
    let all = admin.shows("consumerProgress", &[]);
    assert_eq!(
        &row(&all, GROUP)[1..5],
        ["1", "V5_5_0", "PUSH", "CLUSTERING"]
    );
    let command = format!("consumerConnection -g {GROUP}");
    let connections = admin.shows(&command, &["JAVA", "V5_5_0", "CONSUME_PASSIVELY"]);
    assert_eq!(row(&connections, TOPIC)[1], "*");
    let status = admin.shows(&format!("consumerStatus -g {GROUP}"), &["Rebalance OK"]);
    let client = row(&status, "1")[1].clone();
    let one = format!("consumerStatus -g {GROUP} -i {client}");
    admin.shows(&one, &["#Consumer RT&TPS#", TOPIC]);
    let command = format!("producerConnection -g compat-producer -t {TOPIC}");
    admin.shows(&command, &["JAVA", "V5_5_0", "127.0.0.1:"]);
    // The consumer is told to consume a message once more, and says how that went.
    let id = traffic.sent().text("offset_id").unwrap().to_owned();
    let command = format!("queryMsgById -t {TOPIC} -i {id} -g {GROUP} -d {client}");
    traffic.admin.shows(&command, &["consumeResult=CR_SUCCESS"]);
}

fn messages_are_found(traffic: &mut Traffic) {
    let sent = traffic.sent();
    let id = sent.text("id").unwrap().to_owned();
    let offset_id = sent.text("offset_id").unwrap().to_owned();
    let admin = &mut traffic.admin;
    let track = format!("consumerGroup={GROUP}, trackType=CONSUMED");
    let by_id = format!("queryMsgById -t {TOPIC} -i {offset_id}");
    admin.shows(&by_id, &[&id, "[key-0]", &track]);
    let by_key = admin.shows(&format!("queryMsgByKey -t {TOPIC} -k key-0"), &[]);
    assert_eq!(&row(&by_key, &id)[1..3], ["0", "0"]);
    let by_unique_key = format!("queryMsgByUniqueKey -t {TOPIC} -i {id}");
    admin.shows(&by_unique_key, &["[key-0]", &track]);
    let by_offset = format!("queryMsgByOffset -t {TOPIC} -b gantry -i 0 -o 0");
    admin.shows(&by_offset, &[&id, "[key-0]"]);
    let entries = format!("queryCq -t {TOPIC} -q 0 -i 0 -c 1 -g {GROUP}");
    admin.shows(&entries, &["max: 1, min: 0", "eval=true"]);
}

fn messages_are_sent_and_consumed(traffic: &mut Traffic) {
    let admin = &mut traffic.admin;
    let send = format!("sendMessage -t {TOPIC} -p by-mqadmin -b gantry -i 2");
    let sent = admin.shows(&send, &["SEND_OK"]);
    assert_eq!(row(&sent, "gantry")[1], "2", "{sent}");
    traffic.consumer.until_received("by-mqadmin");
    let consume = format!("consumeMessage -t {TOPIC} -g tool -b gantry -i 2 -o 1 -c 1");
    traffic
        .admin
        .shows(&consume, &["Consume ok", "queueOffset=1"]);
}

fn topics_are_made_and_deleted(traffic: &mut Traffic) {
    let broker = traffic.broker();
    let admin = &mut traffic.admin;
    let make = format!("updateTopic -b {broker} -t made -r 3 -w 2 -a +message.type=FIFO");
    admin.shows(&make, &["success"]);
    let route = admin.run("topicRoute -t made");
    for part in [r#""readQueueNums":3"#, r#""writeQueueNums":2"#] {
        assert!(route.contains(part), "{route}");
    }
    let unknown = format!("updateTopic -b {broker} -t made -a +no.such=1");
    let refused = admin.run(&unknown);
    assert!(refused.contains("unsupported key"), "{refused}");
    admin.shows(
        &format!("updateTopicPerm -b {broker} -t made -p 4"),
        &["from 6 to 4"],
    );
    let system = format!("updateTopic -b {broker} -t SCHEDULE_TOPIC_XXXX -r 1 -w 1");
    let refused = admin.run(&system);
    assert!(refused.contains("conflict with system topic"), "{refused}");
    admin.shows("deleteTopic -c DefaultCluster -t made", &["success"]);
    let topics = admin.run("topicList");
    assert!(!topics.contains("made"), "{topics}");
}

fn groups_are_made_and_moved(traffic: &mut Traffic) {
    let broker = traffic.broker();
    let admin = &mut traffic.admin;
    let make = format!("updateSubGroup -b {broker} -g made -r 5 -q 2");
    admin.shows(&make, &["success"]);
    let config = admin.shows("getConsumerConfig -g made", &[]);
    assert_eq!(row(&config, "retryMaxTimes")[2], "5");
    admin.shows(&format!("deleteSubGroup -b {broker} -g made"), &["success"]);

    let clone = format!("cloneGroupOffset -s {GROUP} -d copy -t {TOPIC} -o true");
    admin.shows(&clone, &["success"]);
    let stats = admin.shows(&format!("brokerConsumeStats -b {broker}"), &[]);
    let copied = stats.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(TOPIC) && words.next() == Some("copy")
    });
    assert!(copied, "{stats}");

    // The live consumer goes back to the beginning, and comes to the end again.
    let reset = format!("resetOffsetByTime -g {GROUP} -t {TOPIC} -s 0");
    let moved = admin.shows(&reset, &[]);
    assert_eq!(row(&moved, "gantry")[2], "0", "{moved}");
    let again = |events: &[Event], value: &str| {
        let received = named(events, "received");
        let bytes = Some(value.as_bytes().to_vec());
        received
            .filter(|event| event.bytes("value") == bytes)
            .count()
            >= 2
    };
    traffic.consumer.until(|events| {
        (0..QUEUES).all(|queue| again(events, &format!("message {queue}")))
            && again(events, "by-mqadmin")
    });
    let done = |output: &str| output.contains("Consume Diff Total: 0");
    let command = format!("consumerProgress -g {GROUP}");
    traffic.admin.until(&command, done);

    let end = format!("resetOffsetByTime -g copy -t {TOPIC} -s -1");
    let moved = traffic.admin.shows(&end, &[]);
    let ends = moved.lines().filter(|line| line.starts_with("gantry"));
    let sum: u32 = ends
        .map(|line| {
            line.split_whitespace()
                .nth(2)
                .unwrap()
                .parse::<u32>()
                .unwrap()
        })
        .sum();
    assert_eq!(sum as usize, QUEUES + 1);
}

#[test]
fn a_live_member_goes_where_it_is_told_when_groups_reset_themselves() {
    if !ready(&[Installed::Rocketmq(NEWEST_ROCKETMQ)]).unwrap() {
        return;
    }
    let setting = "remoting.protocol.server_side_reset=false";
    let mut traffic = Traffic::on(Gantry::start(&[setting]).unwrap());
    // A group without a commit, which has no lag either, is none that can be reset.
    let caught_up = |output: &str| {
        let has_committed = output.lines().any(|line| line.starts_with(TOPIC));
        has_committed && output.contains("Consume Diff Total: 0")
    };
    let progress = format!("consumerProgress -g {GROUP}");
    traffic.admin.until(&progress, caught_up);
    let reset = format!("resetOffsetByTime -g {GROUP} -t {TOPIC} -s 0");
    let moved = traffic.admin.shows(&reset, &[]);
    assert_eq!(row(&moved, "gantry")[2], "0", "{moved}");
    let twice = |events: &[Event]| named(events, "received").count() == 2 * QUEUES;
    traffic.consumer.until(twice);
    traffic.admin.until(&progress, caught_up);
}
