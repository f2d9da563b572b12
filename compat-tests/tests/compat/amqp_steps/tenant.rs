//! A virtual host of a test's own with a user of its own, and the management API for both.

use super::broker::{Broker, managed};
use super::client::{Client, Terms};
use serde_json::{Value, json};
use std::thread;

pub struct Tenant {
    management: String,
    /// Its name, and its user's and that user's password.
    pub name: String,
}

impl Tenant {
    /// One in a broker, with an open connection to it; nothing where no broker can be started.
    pub fn start() -> Option<(Broker, Self, Client)> {
        let broker = Broker::start()?;
        let tenant = Self::of(&broker);
        let client = tenant.connect(&broker);
        Some((broker, tenant, client))
    }

    pub fn of(broker: &Broker) -> Self {
        let tenant = Self {
            management: broker.management(),
            name: broker.name("tenant"),
        };
        let (name, all) = (&tenant.name, ".*");
        let user = json!({ "password": name, "tags": "" });
        let rights = json!({ "configure": all, "write": all, "read": all });
        tenant.put(&format!("vhosts/{name}"), &json!({}));
        tenant.put(&format!("users/{name}"), &user);
        tenant.put(&format!("permissions/{name}/{name}"), &rights);
        tenant.put(&format!("permissions/{name}/guest"), &rights);
        tenant
    }

    /// A request's status and its answer.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = managed(&self.management, "guest", (method, path), body);
        (answer.status, answer.json())
    }

    pub fn put(&self, path: &str, body: &Value) {
        let (status, answer) = self.ask("PUT", path, body);
        assert!(
            matches!(status, 201 | 204),
            "{path} {body}: {status} {answer}"
        );
    }

    pub fn delete(&self, path: &str) {
        let (status, answer) = self.ask("DELETE", path, &json!({}));
        assert_eq!(status, 204, "{path}: {answer}");
    }

    /// Sets a policy for all names that begin as the pattern says.
    pub fn rule(&self, policy: &str, pattern: &str, priority: i64, definition: &Value) {
        self.rule_as("policies", policy, (pattern, priority), definition);
    }

    /// The same of operators.
    pub fn cap(&self, policy: &str, pattern: &str, definition: &Value) {
        self.rule_as("operator-policies", policy, (pattern, 0), definition);
    }

    fn rule_as(
        &self,
        kind: &str,
        policy: &str,
        (pattern, priority): (&str, i64),
        definition: &Value,
    ) {
        let path = format!("{kind}/{}/{policy}", self.name);
        let body = json!({ "pattern": pattern, "priority": priority, "definition": definition });
        self.put(&path, &body);
    }

    /// Takes a policy back.
    pub fn free(&self, policy: &str) {
        self.delete(&format!("policies/{}/{policy}", self.name));
    }

    /// A user's limit, or the virtual host's.
    pub fn limit(&self, kind: &str, limit: &str, value: i64) {
        let path = format!("{kind}/{}/{limit}", self.name);
        self.put(&path, &json!({ "value": value }));
    }

    /// An open connection of `guest`'s.
    pub fn connect(&self, broker: &Broker) -> Client {
        let terms = Terms {
            virtual_host: &self.name,
            ..Terms::default()
        };
        let mut client = Client::connect_as(broker, &terms);
        client.open(1);
        client
    }

    /// How its own user introduces itself.
    pub fn response(&self) -> Vec<u8> {
        format!("\0{0}\0{0}", self.name).into_bytes()
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        if !thread::panicking() {
            let name = &self.name;
            self.delete(&format!("vhosts/{name}"));
            self.delete(&format!("users/{name}"));
        }
    }
}
