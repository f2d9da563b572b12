//! The binary as its users run it: starting, stopping, and the commands against it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const LISTENERS: [&str; 8] = [
    "admin",
    "amqp",
    "kafka",
    "management",
    "namesrv",
    "openmessaging",
    "remoting",
    "vip",
];

fn gantry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GANTRY_")) {
        command.env_remove(name);
    }
    command
}

fn serve_command(home: &Path, settings: &[&str]) -> Command {
    let mut command = gantry();
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(home.join("data"));
    for key in [
        "kafka.listen",
        "amqp.listen",
        "namesrv.listen",
        "remoting.listen",
        "remoting.vip_listen",
        "management.listen",
        "openmessaging.listen",
        "admin.listen",
    ] {
        command.arg("--set").arg(format!("{key}=127.0.0.1:0"));
    }
    // Segments are allocated whole, and many tests run at a time.
    command.arg("--set").arg("store.segment_bytes=16777216");
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    command
}

/// A running gantry, killed when the test ends.
struct Served {
    process: Child,
    addresses: BTreeMap<String, String>,
}

impl Served {
    fn start(home: &Path, settings: &[&str]) -> Self {
        Self::of(serve_command(home, settings), home)
    }

    fn of(mut command: Command, home: &Path) -> Self {
        let ready_file = home.join("ready.json");
        let mut process = command
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let printed: BTreeMap<String, String> = printed
            .take(LISTENERS.len())
            .map(|line| {
                let line = line.unwrap();
                let (name, address) = line.split_once(' ').unwrap();
                (name.to_owned(), address.trim().to_owned())
            })
            .collect();
        let ready = std::fs::read(ready_file).unwrap();
        let addresses: BTreeMap<String, String> = serde_json::from_slice(&ready).unwrap();
        assert_eq!(printed, addresses);
        Self { process, addresses }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gantry();
        command
            .args(arguments)
            .args(["--broker", &self.addresses["kafka"]]);
        command
    }

    /// What a command that succeeds prints.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            complaint(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?} succeeded");
        complaint(&output)
    }

    fn terminate(mut self) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    (home, path)
}

#[test]
fn commands_show_what_was_produced() {
    let (_home, path) = home();
    let served = Served::start(&path, &[]);
    served.run(&[
        "topic",
        "create",
        "orders",
        "--partitions",
        "3",
        "--config",
        "message.timestamp.type=LogAppendTime",
    ]);
    assert!(
        served
            .refused(&["topic", "create", "orders"])
            .contains("exist")
    );
    assert_eq!(served.run(&["topic", "list"]), "orders\t3\n");
    let one = [
        "produce", "orders", "one", "two", "--key", "k", "--header", "TAGS=new",
    ];
    let stored = served.run(&[&one[..], &["--partition", "1"]].concat());
    assert_eq!(stored, "orders/1@0\norders/1@1\n");
    let described = served.run(&["topic", "describe", "orders"]);
    assert!(
        described.contains("\n1\t0\t2\n") && described.contains("\n0\t0\t0\n"),
        "{described}"
    );
    assert!(
        described.contains("message.timestamp.type=LogAppendTime"),
        "{described}"
    );
    let consume = ["consume", "orders", "--from-beginning", "--count", "2"];
    assert_eq!(served.run(&consume), "one\ntwo\n");
    let from_one = [
        "consume",
        "orders",
        "--partition",
        "1",
        "--offset",
        "1",
        "--count",
        "1",
        "--json",
    ];
    let message: serde_json::Value = serde_json::from_str(&served.run(&from_one)).unwrap();
    assert_eq!(message["offset"], 1);
    assert_eq!(message["key"], "k");
    assert_eq!(message["value"], "two");
    assert_eq!(
        message["headers"],
        serde_json::json!([{"name": "TAGS", "value": "new"}])
    );
    assert!(
        served
            .refused(&["consume", "nosuch"])
            .contains("UnknownTopic")
    );
    served.terminate();
}

#[test]
fn lines_of_standard_input_are_messages() {
    let (_home, path) = home();
    let served = Served::start(&path, &[]);
    let mut produce = served
        .command(&["produce", "lines", "--partition", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = produce.stdin.take().unwrap();
    let mut stored = BufReader::new(produce.stdout.take().unwrap());
    let mut line = String::new();
    // A line is stored when it is there, not when there are many.
    input.write_all(b"first\n").unwrap();
    stored.read_line(&mut line).unwrap();
    assert_eq!(line, "lines/0@0\n");
    let many: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    input.write_all(many.as_bytes()).unwrap();
    drop(input);
    let mut rest = String::new();
    stored.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("lines/0@5000\n"));
    assert!(produce.wait().unwrap().success());
    let all = served.run(&["consume", "lines", "--from-beginning", "--count", "5001"]);
    assert_eq!(all, format!("first\n{many}"));
}

#[test]
fn messages_are_there_after_a_stop_and_after_a_kill() {
    let (_home, path) = home();
    for (round, flush) in ["store.flush=async", "store.flush=sync", "store.flush=async"]
        .iter()
        .enumerate()
    {
        for kill in [false, true] {
            let served = Served::start(&path, &[flush]);
            let number = 2 * round + usize::from(kill);
            let stored =
                served.run(&["produce", "kept", &format!("m{number}"), "--partition", "0"]);
            assert_eq!(stored, format!("kept/0@{number}\n"));
            if kill {
                drop(served);
            } else {
                served.terminate();
            }
        }
    }
    let served = Served::start(&path, &[]);
    let all = served.run(&["consume", "kept", "--from-beginning", "--count", "6"]);
    assert_eq!(all, "m0\nm1\nm2\nm3\nm4\nm5\n");
}

#[test]
fn a_stop_does_not_wait_for_idle_connections_and_long_polls() {
    let (_home, path) = home();
    let served = Served::start(&path, &["connections.drain_ms=600000"]);
    served.run(&["topic", "create", "quiet"]);
    let mut follow = served
        .command(&["consume", "quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let idle: Vec<TcpStream> = LISTENERS
        .iter()
        .map(|name| TcpStream::connect(&served.addresses[*name]).unwrap())
        .collect();
    // Once it is answered, the others have been accepted, too.
    served.run(&["topic", "list"]);
    served.terminate();
    drop(idle);
    assert!(!follow.wait().unwrap().success(), "the broker went away");
}

#[test]
fn a_low_limit_of_open_files_is_raised() {
    let (_home, path) = home();
    let plain = serve_command(&path, &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -Sn 64 && exec \"$0\" \"$@\""]);
    limited.arg(plain.get_program()).args(plain.get_args());
    let served = Served::of(limited, &path);
    let _connections: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(&served.addresses["kafka"]).unwrap())
        .collect();
    assert_eq!(served.run(&["topic", "list"]), "");
}

#[test]
fn the_vip_channel_is_two_below_the_broker() {
    let (_home, path) = home();
    let served = Served::start(&path, &[]);
    let port = |name: &str| -> u16 {
        served.addresses[name]
            .rsplit_once(':')
            .unwrap()
            .1
            .parse()
            .unwrap()
    };
    assert_eq!(port("vip"), port("remoting") - 2);
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    let (_home, path) = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = path.join("wrong.yaml");
    std::fs::write(&file, "kafka:\n  lisen: 127.0.0.1:0\n").unwrap();
    let file = file.to_str().unwrap();
    let exposed = "kafka.listen=0.0.0.0:0";
    let cases: [(&[&str], &[&str]); 6] = [
        (
            &["--set", &format!("kafka.listen={address}")],
            &["kafka.listen", &address, "in use"],
        ),
        (
            &["--set", "store.flsh=sync"],
            &["store.flsh", "did you mean \"store.flush\""],
        ),
        (&["--set", "store.flush=maybe"], &["store.flush", "maybe"]),
        (
            &["--config", file],
            &["wrong.yaml", "kafka.lisen", "did you mean \"kafka.listen\""],
        ),
        (
            &["--config", "/nosuch.yaml"],
            &["/nosuch.yaml", "No such file"],
        ),
        (
            &["--set", exposed],
            &["kafka.listen", "security.allow_anonymous"],
        ),
    ];
    for (arguments, expected) in cases {
        let output = serve_command(&path, &[]).args(arguments).output().unwrap();
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
        assert!(
            !path.join("data").exists(),
            "nothing is made by a start that fails"
        );
    }
}

#[test]
fn one_directory_has_one_gantry() {
    let (_home, path) = home();
    let _served = Served::start(&path, &[]);
    let output = serve_command(&path, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("data"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn a_directory_without_a_rocketmq_store_is_refused() {
    let home = TempDir::new().unwrap();
    let output = gantry()
        .args(["store", "inspect-rocketmq"])
        .arg(home.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no log at"), "{said}");
}

/// The answer to a GET, its head and its body.
fn http(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: gantry\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn operators_see_health_and_numbers() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let admin = served.addresses["admin"].clone();
    served.run(&["produce", "t", "hello"]);
    let health = http(&admin, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(health.contains("\"status\":\"healthy\""), "{health}");
    let metrics = http(&admin, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    for line in [
        "gantry_log_segments 1",
        "gantry_store_health{state=\"healthy\"} 1",
        "gantry_store_health{state=\"failed\"} 0",
        "gantry_store_damaged_ranges 0",
        "gantry_callbacks 0",
        "gantry_callbacks_delivered_total 0",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(http(&admin, "/nothing").starts_with("HTTP/1.1 404"));
}
