//! One client that does what a test tells it, and tells what the server sends it.

use super::lapin::Lapin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use compat_tests::clients::{self, Installed, ready};
use compat_tests::gantry::Gantry;
use compat_tests::lines::Event;
use compat_tests::process::Client;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// A stock client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Python's for asyncio.
    AioPika,
    /// JavaScript's.
    Amqplib,
    /// RabbitMQ's own for Go.
    Go,
    /// RabbitMQ's own for Java.
    Java,
    /// Rust's.
    Lapin,
    /// Python's blocking one.
    Pika,
}

impl Kind {
    /// Whether a test with it can run.
    pub fn is_ready(self) -> bool {
        let needed: &[Installed] = match self {
            Self::Amqplib => &[Installed::Node],
            Self::Go => &[Installed::GoAmqp],
            Self::Java => &[Installed::JavaAmqp],
            Self::Lapin => &[],
            Self::AioPika | Self::Pika => &[Installed::Python],
        };
        ready(needed).unwrap()
    }
}

/// What a client says of itself and not in reply to a command.
const UNASKED: &[&str] = &["received", "returned", "cancelled", "closed", "recovered"];

/// Why the server did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it closed: `channel` or `connection`.
    pub scope: String,
    /// AMQP's reply code.
    pub code: i64,
    /// Its reply text.
    pub text: String,
}

/// A client, its channels named by the test; the one without a name is `main`.
pub struct Session {
    link: Link,
    unasked: VecDeque<Event>,
}

enum Link {
    Process(Client),
    Lapin(Lapin),
}

impl Session {
    /// A client of `kind`, not connected.
    pub fn start(kind: Kind) -> Self {
        let process = |name, command| Link::Process(Client::start(name, command).unwrap());
        let python = |library| {
            let mut command = clients::python(library);
            command.arg("session");
            process(library, command)
        };
        let link = match kind {
            Kind::AioPika => python("aio-pika"),
            Kind::Amqplib => process("amqplib", clients::amqp_node()),
            Kind::Go => process("amqp091-go", clients::amqp_go()),
            Kind::Java => process("amqp-client", clients::amqp_java()),
            Kind::Lapin => Link::Lapin(Lapin::start()),
            Kind::Pika => python("pika"),
        };
        Self {
            link,
            unasked: VecDeque::new(),
        }
    }

    /// A client of `kind`, connected, its channel confirming what is published.
    pub fn confirming(kind: Kind, gantry: &Gantry) -> Self {
        Self::with_channel(kind, gantry, "mode=confirm")
    }

    /// As [`Session::confirming`], its channel of another mode.
    pub fn with_channel(kind: Kind, gantry: &Gantry, mode: &str) -> Self {
        let mut session = Self::start(kind);
        session.connect(gantry);
        session.tell("open", &[mode]);
        session
    }

    /// Connects, again if need be.
    pub fn connect(&mut self, gantry: &Gantry) {
        let address = format!("amqp={}", gantry.amqp().unwrap());
        self.unasked.retain(|event| event.name() != "closed");
        self.tell("connect", &[&address]);
    }

    /// Has `verb` done, and gives what the client told in reply.
    pub fn tell(&mut self, verb: &str, arguments: &[&str]) -> Event {
        match self.attempt(verb, arguments) {
            Ok(event) => event,
            Err(refusal) => panic!("{verb} {arguments:?}: {refusal:?}"),
        }
    }

    /// Has `verb` attempted, which the server is to refuse.
    pub fn refused(&mut self, verb: &str, arguments: &[&str]) -> Refusal {
        match self.attempt(verb, arguments) {
            Ok(event) => panic!("{verb} {arguments:?} was done: {event:?}"),
            Err(refusal) => refusal,
        }
    }

    fn attempt(&mut self, verb: &str, arguments: &[&str]) -> Result<Event, Refusal> {
        let mut line = verb.to_owned();
        for argument in arguments {
            assert!(!argument.contains(['\t', '\n']), "{argument}");
            line.push('\t');
            line.push_str(argument);
        }
        line.push('\n');
        match &mut self.link {
            Link::Process(client) => client.write(&line).unwrap(),
            Link::Lapin(lapin) => lapin.write(&line),
        }
        let mut reply = None;
        loop {
            let event = self.next_event();
            match event.name() {
                "done" => return Ok(reply.unwrap_or(event)),
                "refused" => break,
                name if UNASKED.contains(&name) => self.unasked.push_back(event),
                _ => reply = Some(event),
            }
        }
        Err(self.closed())
    }

    /// What the server closed, and why.
    pub fn closed(&mut self) -> Refusal {
        let event = self.next("closed");
        Refusal {
            scope: event.text("scope").unwrap().to_owned(),
            code: event.number("code").unwrap(),
            text: event.text("text").unwrap().to_owned(),
        }
    }

    /// The next event called `name` that comes unasked.
    pub fn next(&mut self, name: &str) -> Event {
        assert!(UNASKED.contains(&name));
        loop {
            let is_wanted = |event: &Event| event.name() == name;
            if let Some(at) = self.unasked.iter().position(is_wanted) {
                return self.unasked.remove(at).unwrap();
            }
            let event = self.next_event();
            self.unasked.push_back(event);
        }
    }

    /// The bodies of the next `count` messages for consumers of this session.
    pub fn bodies(&mut self, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| body_of(&self.next("received")))
            .collect()
    }

    /// As [`Session::bodies`], with whether each is delivered again and its delivery's number.
    pub fn deliveries(&mut self, count: usize) -> Vec<(String, bool, i64)> {
        (0..count)
            .map(|_| {
                let event = self.next("received");
                let number = event.number("delivery").unwrap();
                (body_of(&event), event.flag("redelivered").unwrap(), number)
            })
            .collect()
    }

    /// What came unasked, has been read, and was not looked at.
    pub fn unread(&self, name: &str) -> usize {
        self.unasked
            .iter()
            .filter(|event| event.name() == name)
            .count()
    }

    /// How many messages of `queue` wait for a consumer, and how many consumers it has.
    pub fn counts(&mut self, queue: &str) -> (i64, i64) {
        let declared = self.tell("declare-queue", &[&format!("name={queue}"), "passive=true"]);
        let number = |field| declared.number(field).unwrap();
        (number("messages"), number("consumers"))
    }

    /// Whether the client has nothing to say for `time`.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let event = match &mut self.link {
            Link::Process(client) => client.event_within(time).unwrap(),
            Link::Lapin(lapin) => lapin.event_within(time),
        };
        let is_silent = event.is_none();
        self.unasked.extend(event);
        is_silent
    }

    /// Ends the client as `kill -9` does: its connection is cut, and nobody says good-bye.
    pub fn kill(self) {
        match self.link {
            Link::Process(mut client) => client.kill(),
            Link::Lapin(lapin) => lapin.kill(),
        }
    }

    fn next_event(&mut self) -> Event {
        match &mut self.link {
            Link::Process(client) => client.next_event().unwrap().expect("the client ended"),
            Link::Lapin(lapin) => lapin.next_event(),
        }
    }
}

/// The argument that is a body.
pub fn body(bytes: impl AsRef<[u8]>) -> String {
    format!("body={}", BASE64.encode(bytes))
}

/// The argument that is a message's properties.
pub fn properties(properties: &Value) -> String {
    format!("properties={properties}")
}

/// A message's body, which is text.
pub fn body_of(event: &Event) -> String {
    String::from_utf8(event.bytes("value").unwrap()).unwrap()
}

/// The numbers from 0 as bodies, as `count=` publishes them.
pub fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}
