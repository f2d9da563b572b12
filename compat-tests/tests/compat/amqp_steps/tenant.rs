//! A virtual host of a test's own with a user of its own, and the management API for both.

use super::broker::Broker;
use super::client::{Client, Terms};
use super::wire::PATIENCE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

pub struct Tenant {
    management: String,
    /// Its name, and its user's and that user's password.
    pub name: String,
}

impl Tenant {
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
        let mut stream = TcpStream::connect(&self.management).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (login, body) = (STANDARD.encode("guest:guest"), body.to_string());
        let length = body.len();
        let request = format!(
            "{method} /api/{path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\
             Authorization: Basic {login}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
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
