//! RabbitMQ's own `rabbitmqadmin` against a gantry's management API. The program is the one of the
//! installed RabbitMQ.

use compat_tests::clients::{Installed, ready, skip};
use compat_tests::gantry::Gantry;
use compat_tests::process::{PATIENCE, now};
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Where it is in an installed RabbitMQ, with any version for a star.
const PROGRAM: &str = "usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins/rabbitmq_management-*/priv/www/cli/rabbitmqadmin";

/// `rabbitmqadmin`, of a user whose password is its name.
struct Admin {
    program: PathBuf,
    address: String,
    user: &'static str,
}

impl Admin {
    fn of(gantry: &Gantry, program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            address: gantry.endpoint("management").unwrap(),
            user: "guest",
        }
    }

    /// What it says, and whether it is content.
    fn try_run(&self, arguments: &[&str]) -> (bool, String) {
        let (host, port) = self.address.rsplit_once(':').unwrap();
        let output = Command::new("python3")
            .arg(&self.program)
            .args(["--host", host, "--port", port, "--format", "raw_json"])
            .args(["--username", self.user, "--password", self.user])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said + &complaint)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let (is_done, said) = self.try_run(arguments);
        assert!(is_done, "{arguments:?}: {said}");
        said
    }

    fn list(&self, what: &str) -> Vec<Value> {
        serde_json::from_str(&self.run(&["list", what])).unwrap()
    }

    fn names(&self, what: &str) -> Vec<String> {
        let all = self.list(what);
        let names = all.iter().map(|one| one["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }
}

fn program() -> Option<PathBuf> {
    if !ready(&[Installed::RabbitmqBroker]).unwrap() {
        return None;
    }
    let mut found = vec![Installed::RabbitmqBroker.directory()];
    for part in PROGRAM.split('/') {
        let start = part.trim_end_matches('*');
        let deeper = found.iter().flat_map(std::fs::read_dir);
        let deeper = deeper.flatten().flatten().map(|entry| entry.path());
        let fits = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name == part || (start != part && name.starts_with(start))
        };
        found = deeper.filter(fits).collect();
    }
    if found.is_empty() {
        skip("the installed RabbitMQ has no rabbitmqadmin").unwrap();
    }
    found.pop()
}

#[test]
fn what_is_declared_with_rabbitmqadmin_is_there_and_goes_to_another_server() {
    let Some(program) = program() else { return };
    let gantry = Gantry::start(&[]).unwrap();
    let admin = Admin::of(&gantry, &program);
    admin.run(&["declare", "vhost", "name=v"]);
    admin.run(&[
        "declare",
        "queue",
        "name=q",
        r#"arguments={"x-max-length":9}"#,
    ]);
    admin.run(&["declare", "exchange", "name=x", "type=topic"]);
    let binding = ["source=x", "destination=q", "routing_key=a.*"];
    admin.run(&[&["declare", "binding"][..], &binding].concat());
    for text in ["one", "two"] {
        let payload = format!("payload={text}");
        let said = admin.run(&["publish", "exchange=x", "routing_key=a.b", &payload]);
        assert!(said.contains("Message published"), "{said}");
    }
    let said = admin.run(&["publish", "exchange=x", "routing_key=b", "payload=x"]);
    assert!(said.contains("NOT routed"), "{said}");
    let got = admin.run(&["get", "queue=q", "count=1"]);
    let got: Value = serde_json::from_str(&got).unwrap();
    assert_eq!(
        (&got[0]["payload"], &got[0]["message_count"]),
        (&json!("one"), &json!(1))
    );
    assert_eq!(admin.list("queues")[0]["messages"], 2);
    admin.run(&["purge", "queue", "name=q"]);
    assert_eq!(admin.list("queues")[0]["messages"], 0);

    admin.run(&[
        "declare",
        "user",
        "name=anna",
        "password=anna",
        "tags=management",
    ]);
    let rights = ["vhost=/", "user=anna", "configure=^a", "write=.*", "read="];
    admin.run(&[&["declare", "permission"][..], &rights].concat());
    let anna = Admin {
        user: "anna",
        ..Admin::of(&gantry, &program)
    };
    anna.run(&["declare", "queue", "name=annas"]);
    assert!(!anna.try_run(&["declare", "queue", "name=mine"]).0);
    assert!(!anna.try_run(&["list", "users"]).0);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("definitions.json");
    let file = file.to_str().unwrap();
    admin.run(&["export", file]);
    let second = Gantry::start(&[]).unwrap();
    let other = Admin::of(&second, &program);
    other.run(&["import", file]);
    for what in ["queues", "exchanges", "vhosts", "users"] {
        assert_eq!(admin.names(what), other.names(what));
    }
    for what in ["bindings", "permissions"] {
        assert_eq!(admin.list(what), other.list(what));
    }
    let anna = Admin {
        user: "anna",
        ..Admin::of(&second, &program)
    };
    anna.run(&["show", "overview"]);

    admin.run(&[
        "delete",
        "binding",
        "source=x",
        "destination_type=queue",
        "destination=q",
        "properties_key=a.%2A",
    ]);
    admin.run(&["delete", "exchange", "name=x"]);
    admin.run(&["delete", "queue", "name=q"]);
    admin.run(&["delete", "user", "name=anna"]);
    admin.run(&["delete", "vhost", "name=v"]);
    assert_eq!(admin.names("queues"), ["annas"]);
    assert_eq!(admin.names("users"), ["guest"]);
}

#[test]
fn policies_are_declared_listed_and_deleted_with_rabbitmqadmin() {
    let Some(program) = program() else { return };
    let gantry = Gantry::start(&[]).unwrap();
    let admin = Admin::of(&gantry, &program);
    admin.run(&["declare", "queue", "name=q"]);
    let policy = [
        "name=p",
        "pattern=^q",
        r#"definition={"max-length":1}"#,
        "priority=2",
        "apply-to=queues",
    ];
    admin.run(&[&["declare", "policy"][..], &policy].concat());
    let cap = [
        "name=o",
        "pattern=^q",
        r#"definition={"expires":60000}"#,
        "apply-to=queues",
    ];
    admin.run(&[&["declare", "operator_policy"][..], &cap].concat());
    let limit = ["vhost=/", "name=max-queues", "value=1"];
    admin.run(&[&["declare", "vhost_limit"][..], &limit].concat());
    assert_eq!(
        admin.list("policies"),
        [json!({
            "vhost": "/",
            "name": "p",
            "pattern": "^q",
            "apply-to": "queues",
            "definition": { "max-length": 1 },
            "priority": 2,
        })]
    );
    assert_eq!(admin.names("operator_policies"), ["o"]);
    let queue = &admin.list("queues")[0];
    assert_eq!(
        (&queue["policy"], &queue["operator_policy"]),
        (&json!("p"), &json!("o"))
    );
    assert_eq!(
        queue["effective_policy_definition"],
        json!({ "expires": 60_000, "max-length": 1 })
    );
    for payload in ["payload=one", "payload=two"] {
        admin.run(&["publish", "routing_key=q", payload]);
    }
    assert_eq!(admin.list("queues")[0]["messages"], 1);
    let (is_done, said) = admin.try_run(&["declare", "queue", "name=more"]);
    assert!(
        !is_done && said.contains("queue limit in vhost '/' (1) is reached"),
        "{said}"
    );
    let wrong = ["name=w", "pattern=", r#"definition={"max-priority":1}"#];
    let (is_done, said) = admin.try_run(&[&["declare", "policy"][..], &wrong].concat());
    assert!(
        !is_done && said.contains("not recognised policy settings"),
        "{said}"
    );
    admin.run(&["delete", "policy", "name=p"]);
    admin.run(&["delete", "operator_policy", "name=o"]);
    admin.run(&["delete", "vhost_limit", "vhost=/", "name=max-queues"]);
    assert!(admin.list("policies").is_empty());
    assert_eq!(admin.list("queues")[0]["policy"], Value::Null);
    admin.run(&["declare", "queue", "name=more"]);
}

#[test]
fn accounts_and_virtual_hosts_survive_kill() {
    let Some(program) = program() else { return };
    let mut gantry = Gantry::start(&[]).unwrap();
    let admin = Admin::of(&gantry, &program);
    admin.run(&["declare", "vhost", "name=v"]);
    admin.run(&[
        "declare",
        "user",
        "name=anna",
        "password=anna",
        "tags=administrator",
    ]);
    admin.run(&[
        "declare",
        "permission",
        "vhost=v",
        "user=anna",
        "configure=.*",
        "write=.*",
        "read=.*",
    ]);
    admin.run(&["delete", "user", "name=guest"]);
    gantry.kill().unwrap();
    gantry.restart().unwrap();
    assert!(
        !Admin::of(&gantry, &program).try_run(&["list", "users"]).0,
        "guest is gone"
    );
    let anna = Admin {
        user: "anna",
        ..Admin::of(&gantry, &program)
    };
    assert_eq!(anna.names("vhosts"), ["/", "v"]);
    assert_eq!(anna.list("permissions")[0]["user"], "anna");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_is_seen_and_closed() {
    let Some(program) = program() else { return };
    let gantry = Gantry::start(&[]).unwrap();
    let admin = Admin::of(&gantry, &program);
    admin.run(&["declare", "queue", "name=q"]);
    let url = format!("amqp://guest:guest@{}/%2f", gantry.amqp().unwrap());
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&url, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .basic_qos(5, BasicQosOptions::default())
        .await
        .unwrap();
    let options = BasicConsumeOptions::default();
    let consumed = channel.basic_consume("q".into(), "c".into(), options, FieldTable::default());
    let _consumer = consumed.await.unwrap();

    let open = admin.list("connections");
    assert_eq!(
        (&open[0]["user"], &open[0]["channels"]),
        (&json!("guest"), &json!(1))
    );
    let name = open[0]["name"].as_str().unwrap().to_owned();
    assert_eq!(admin.list("channels")[0]["name"], format!("{name} (1)"));
    let consumers = admin.list("consumers");
    assert_eq!(consumers[0]["queue"]["name"], "q");
    assert_eq!(consumers[0]["prefetch_count"], 5);
    admin.run(&["close", "connection", &format!("name={name}")]);
    let deadline = now() + PATIENCE;
    while connection.status().connected() {
        assert!(
            now() < deadline,
            "the client does not hear that it is closed"
        );
        thread::sleep(Duration::from_millis(10));
    }
    assert!(admin.list("connections").is_empty());
}
