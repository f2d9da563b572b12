//! A client of one column before a server, with a topic of its own.

use crate::kafka_clients::by_command;
use crate::samples::{Member, named};
use compat_tests::clients::{ready, skip};
use compat_tests::gantry::Gantry;
use compat_tests::lines::{Event, Message};
use compat_tests::matrix::{CLIENTS, Column, GANTRY_SETTINGS, PEER_VARIABLE, ROWS};
use compat_tests::process;
use std::process::Command;

pub struct Scene {
    client: &'static Column,
    gantry: Gantry,
    /// Of the operation and the client: the checks may share a server.
    pub name: String,
}

/// Runs the check of an operation with a client.
pub fn play(operation: &str, client: &str, check: impl FnOnce(&Scene)) {
    let row = ROWS.iter().find(|row| row.name == operation).unwrap();
    let column = CLIENTS.iter().find(|column| column.name == client).unwrap();
    if !ready(&[column.installed]).unwrap() {
        return;
    }
    if let Some(difference) = row
        .peer
        .filter(|_| std::env::var_os(PEER_VARIABLE).is_some())
    {
        skip(&format!("{operation}: {difference}")).unwrap();
        return;
    }
    let gantry = Gantry::start(GANTRY_SETTINGS).unwrap();
    let name = format!("{operation}-{client}");
    check(&Scene {
        client: column,
        gantry,
        name,
    });
}

impl Scene {
    pub fn group(&self, role: &str) -> String {
        format!("group={}-{role}", self.name)
    }

    /// The client with `commands`, each a verb and its arguments; those without a topic get the
    /// scene's.
    fn command(&self, commands: &[&[&str]]) -> Command {
        let mut program = (self.client.command)();
        for (at, command) in commands.iter().enumerate() {
            if at > 0 {
                program.arg("--");
            }
            program.args(*command);
            program.arg(format!("namesrv={}", self.gantry.namesrv().unwrap()));
            if !command
                .iter()
                .any(|argument| argument.starts_with("topic="))
            {
                program.arg(format!("topic={}", self.name));
            }
        }
        program
    }

    /// Runs `commands` in turn, each of `inputs` for one that reads messages; what each said.
    pub fn run<const N: usize>(
        &self,
        commands: [&[&str]; N],
        inputs: &[&[Message]],
    ) -> [Vec<Event>; N] {
        let command = self.command(&commands);
        let mut client = process::Client::start(&self.name, command).unwrap();
        for messages in inputs {
            client.send(messages).unwrap();
        }
        by_command(client.finish().unwrap()).try_into().unwrap()
    }

    pub fn start(&self, verb: &str, arguments: &[&str]) -> Member {
        let command = [&[verb], arguments].concat();
        Member::start(&self.name, self.command(&[&command]))
    }

    /// A producer that sends when told to.
    pub fn producer(&self, arguments: &[&str]) -> Producer {
        Producer(self.start("stream", arguments))
    }
}

/// A producer that sends when told to, and knows that it was acknowledged.
pub struct Producer(pub Member);

impl Producer {
    pub fn send(&mut self, messages: &[Message]) -> &[Event] {
        let before = named(&self.0.events, "sent").count();
        for message in messages {
            self.0.client.write(&message.line()).unwrap();
        }
        self.0.until(|events| {
            assert_eq!(named(events, "lost").next(), None);
            named(events, "sent").count() == before + messages.len()
        });
        let said = self.0.events.len();
        &self.0.events[said - messages.len()..]
    }
}
