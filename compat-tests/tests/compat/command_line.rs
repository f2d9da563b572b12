//! kcat and Kafka's own command line tools.

use crate::librdkafka;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::process::Client;
use std::process::Command;

/// Runs a tool to its end with `input`, and gives the lines it printed.
fn tool(mut command: Command, arguments: &[&str], input: &str) -> Vec<String> {
    command.args(arguments);
    let mut client = Client::start(arguments[0], command).unwrap();
    if !input.is_empty() {
        client.write(input).unwrap();
    }
    client.finish_lines().unwrap()
}

#[test]
fn kcat_reads_what_it_wrote() {
    if !ready(&[Installed::Kcat]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    librdkafka::create_topic(&bootstrap, "kcat", 2);
    let to = ["-b", &bootstrap, "-t", "kcat"];
    let produce = ["-P", "-p", "1", "-K", ":", "-H", "colour=red", "-z", "lz4"];
    tool(
        clients::kcat(),
        &[&produce[..], &to].concat(),
        "a:one\nb:two\n:three\n",
    );
    let consume = [
        "-C",
        "-q",
        "-e",
        "-o",
        "beginning",
        "-f",
        "%p %o %k %s %h\\n",
    ];
    let lines = tool(clients::kcat(), &[&consume[..], &to].concat(), "");
    assert_eq!(
        lines,
        [
            "1 0 a one colour=red",
            "1 1 b two colour=red",
            "1 2  three colour=red"
        ],
    );
    let group = [
        "-b",
        &bootstrap,
        "-q",
        "-c",
        "3",
        "-o",
        "beginning",
        "-f",
        "%s\\n",
    ];
    let lines = tool(
        clients::kcat(),
        &[&group[..], &["-G", "kcat-readers", "kcat"]].concat(),
        "",
    );
    assert_eq!(lines, ["one", "two", "three"]);
    let metadata = tool(clients::kcat(), &["-L", "-b", &bootstrap], "").join("\n");
    assert!(
        metadata.contains("topic \"kcat\" with 2 partitions"),
        "{metadata}"
    );
}

#[test]
fn kafkas_own_tools_work() {
    if !ready(&[Installed::KafkaTools]).unwrap() {
        return;
    }
    let gantry = Gantry::start(&[]).unwrap();
    let bootstrap = gantry.kafka().unwrap();
    let run = |class: &str, arguments: &[&str], input: &str| {
        let at = ["--bootstrap-server", bootstrap.as_str()];
        tool(
            clients::kafka_tool(
                clients::Jvm::Brief,
                &format!("org.apache.kafka.tools.{class}"),
            ),
            &[&at[..], arguments].concat(),
            input,
        )
    };
    run(
        "TopicCommand",
        &["--create", "--topic", "tools", "--partitions", "2"],
        "",
    );
    assert!(run("TopicCommand", &["--list"], "").contains(&"tools".to_owned()));
    let described = run("TopicCommand", &["--describe", "--topic", "tools"], "").join("\n");
    assert!(described.contains("PartitionCount: 2"), "{described}");

    let keys = ["--topic", "tools", "--reader-property", "parse.key=true"];
    let codec = ["--compression-codec", "zstd"];
    run(
        "ConsoleProducer",
        &[&keys[..], &codec].concat(),
        "a\tone\nb\ttwo\nc\tthree\n",
    );
    let consume = [
        ["--topic", "tools"],
        ["--group", "tools-readers"],
        ["--max-messages", "3"],
        ["--formatter-property", "print.key=true"],
    ];
    let from = [&consume.concat()[..], &["--from-beginning"]].concat();
    let mut lines = run("consumer.ConsoleConsumer", &from, "");
    lines.sort();
    assert_eq!(lines, ["a\tone", "b\ttwo", "c\tthree"]);

    let groups = run("consumer.group.ConsumerGroupCommand", &["--list"], "");
    assert!(groups.contains(&"tools-readers".to_owned()), "{groups:?}");
    let describe = ["--describe", "--group", "tools-readers"];
    let described = run("consumer.group.ConsumerGroupCommand", &describe, "");
    let lag: Vec<_> = described
        .iter()
        .filter(|line| line.starts_with("tools-readers"))
        .map(|line| line.split_whitespace().nth(5).unwrap().to_owned())
        .collect();
    assert!(
        !lag.is_empty() && lag.iter().all(|lag| lag == "0"),
        "{described:?}"
    );
    run("TopicCommand", &["--delete", "--topic", "tools"], "");
    assert!(!run("TopicCommand", &["--list"], "").contains(&"tools".to_owned()));
}
