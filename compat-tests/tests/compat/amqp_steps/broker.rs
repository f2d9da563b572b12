//! The broker of a test, and names that no other test has.

use super::client::Client;
use compat_tests::amqp_steps::difference;
use compat_tests::clients::{ready, skip};
use compat_tests::gantry::Gantry;
use compat_tests::http::{Answer, Request};
use compat_tests::matrix::PEER_VARIABLE;
use compat_tests::rabbitmq_broker::RabbitmqBroker;
use gantry_amqp::codec::ShortString;
use gantry_amqp::codec::method::{exchange, queue};
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process, thread};

/// A gantry of the test's own, or the one RabbitMQ of all tests.
pub struct Broker {
    gantry: Gantry,
    /// In its place, where a test stops it.
    own: Option<RabbitmqBroker>,
    /// Given out, and to be deleted from a broker that others use as well.
    names: Mutex<Vec<String>>,
}

impl Broker {
    /// The broker, unless there is none.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// As [`Broker::start`]; a gantry has `settings`.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        if !ready(&[]).unwrap() {
            return None;
        }
        Some(Self {
            gantry: Gantry::start(settings).unwrap(),
            own: None,
            names: Mutex::new(Vec::new()),
        })
    }

    /// As [`Broker::start`], a broker that no other test uses: a gantry with `settings`, or a
    /// RabbitMQ with `peer_settings`.
    pub fn start_own(settings: &[&str], peer_settings: &[&str]) -> Option<Self> {
        let mut broker = Self::start_with(settings)?;
        if is_peer() {
            broker.own = Some(RabbitmqBroker::start(peer_settings).unwrap());
        }
        Some(broker)
    }

    /// As [`Broker::start`], for the test `test` of the table of differences: it does not run
    /// against RabbitMQ.
    pub fn start_unless_peer(test: &str) -> Option<Self> {
        Self::start_unless_peer_with(test, &[])
    }

    /// As [`Broker::start_unless_peer`], with settings.
    pub fn start_unless_peer_with(test: &str, settings: &[&str]) -> Option<Self> {
        let difference = difference(test).unwrap();
        if is_peer() {
            skip(&format!("{test}: {difference}")).unwrap();
            return None;
        }
        Self::start_with(settings)
    }

    pub fn address(&self) -> String {
        match &self.own {
            Some(own) => own.address(),
            None => self.gantry.amqp().unwrap(),
        }
    }

    /// Where its management API is.
    pub fn management(&self) -> String {
        match &self.own {
            Some(own) => own.management(),
            None => self.gantry.endpoint("management").unwrap(),
        }
    }

    /// What the management API answers the user `login`, whose password is its name.
    pub fn manage_as(&self, login: &str, method: &str, path: &str, body: &Value) -> Answer {
        managed(&self.management(), login, (method, path), body)
    }

    /// As [`Broker::manage_as`], for who may do everything; it is done.
    pub fn manage(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.manage_as("guest", method, path, body);
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// Asks it to stop, and waits.
    pub fn stop(&mut self) {
        match &mut self.own {
            Some(own) => own.stop().unwrap(),
            None => self.gantry.stop().unwrap(),
        }
    }

    /// Stops it and starts it again on the same data and the same address.
    pub fn restart(&mut self) {
        self.stop();
        match &mut self.own {
            Some(own) => own.restart().unwrap(),
            None => {
                self.gantry.restart().unwrap();
            }
        }
    }

    /// A name for a queue or an exchange; whatever is called so goes with the test.
    pub fn name(&self, role: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("steps-{}-{count}-{role}", process::id());
        self.names.lock().unwrap().push(name.clone());
        name
    }
}

/// Whether the tests run against RabbitMQ.
pub fn is_peer() -> bool {
    env::var_os(PEER_VARIABLE).is_some()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let names = std::mem::take(self.names.get_mut().unwrap());
        if !is_peer() || self.own.is_some() || thread::panicking() || names.is_empty() {
            return;
        }
        let mut client = Client::connect(self);
        for (name, channel) in names.iter().zip(1..) {
            let name = ShortString::try_from(name.as_str()).unwrap();
            client.open(channel);
            let exchange = exchange::Delete {
                exchange: name.clone(),
                no_wait: true,
                ..exchange::Delete::default()
            };
            client.send(channel, exchange);
            let queue = queue::Delete {
                queue: name,
                no_wait: true,
                ..queue::Delete::default()
            };
            client.send(channel, queue);
        }
        client.close();
    }
}

/// What the management API there answers the user `login`, whose password is its name.
pub fn managed(address: &str, login: &str, (method, path): (&str, &str), body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request {
        method,
        path: &format!("/api/{path}"),
        login: Some((login, login)),
        body: &body,
    };
    request.send(address).unwrap()
}
