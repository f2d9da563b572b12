//! Step 38: what a user may configure, write and read, and what its tags show it.

use super::broker::Broker;
use super::client::{
    Client, Terms, close, consume, exchange_named, publish, queue_named, short, table, text,
};
use gantry_amqp::codec::method::{basic, channel, exchange, queue};
use gantry_amqp::codec::table::ArrayBuilder;
use gantry_amqp::codec::{ClientMethod, PropertyList, ServerMethod, Value};
use serde_json::{Value as Json, json};

/// The virtual host, as URLs have it.
const ROOT: &str = "%2F";
const PUBLISH: (u16, u16) = (60, 40);

/// A user of the test's own, whose password is its name.
struct User<'a> {
    broker: &'a Broker,
    name: String,
}

impl<'a> User<'a> {
    fn new(broker: &'a Broker, tags: &str) -> Self {
        let name = broker.name("user");
        let account = json!({ "password": name, "tags": tags });
        broker.manage("PUT", &format!("users/{name}"), &account);
        Self { broker, name }
    }

    /// One who may open the virtual host, and do nothing there.
    fn of_vhost(broker: &'a Broker) -> Self {
        let user = Self::new(broker, "");
        user.permit(&permission(&[]));
        user
    }

    /// Lets it configure, write and read what these expressions say.
    fn permit(&self, [configure, write, read]: &[String; 3]) {
        let permission = json!({ "configure": configure, "write": write, "read": read });
        let path = format!("permissions/{ROOT}/{}", self.name);
        self.broker.manage("PUT", &path, &permission);
    }

    fn permit_topics(&self, exchange: &str, [write, read]: [&str; 2]) {
        let limits = json!({ "exchange": exchange, "write": write, "read": read });
        let path = format!("topic-permissions/{ROOT}/{}", self.name);
        self.broker.manage("PUT", &path, &limits);
    }

    fn connect(&self) -> Client {
        let response = format!("\0{0}\0{0}", self.name);
        let terms = Terms {
            response: response.as_bytes(),
            ..Terms::default()
        };
        Client::connect_as(self.broker, &terms)
    }

    /// How it is told that it may not.
    fn refusal(&self, what: &str, method: (u16, u16)) -> channel::Close {
        let user = &self.name;
        let text = format!("ACCESS_REFUSED - access to {what} refused for user '{user}'");
        close(403, &text, method)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let path = format!("users/{}", self.name);
            self.broker.manage("DELETE", &path, &Json::Null);
        }
    }
}

/// What is asked of a channel.
enum Ask {
    Method(ClientMethod),
    Publish(basic::Publish),
}

impl<T: Into<ClientMethod>> From<T> for Ask {
    fn from(method: T) -> Self {
        Self::Method(method.into())
    }
}

impl Ask {
    fn id(&self) -> (u16, u16) {
        match self {
            Self::Method(method) => (method.id().class, method.id().method),
            Self::Publish(_) => PUBLISH,
        }
    }

    /// Asks on a channel of its own; why it is refused.
    fn ask(&self, client: &mut Client) -> Option<channel::Close> {
        client.open(1);
        match self {
            Self::Method(method) => client.send(1, method.clone()),
            Self::Publish(method) => {
                client.confirm_select(1);
                client.publish_with(1, method.clone(), PropertyList::default(), "message");
            }
        }
        match client.hear(1) {
            ServerMethod::ChannelClose(refused) => {
                client.send(1, channel::CloseOk {});
                Some(refused)
            }
            _ => {
                client.close_channel(1);
                None
            }
        }
    }
}

/// Of a permission: to configure, to write, to read.
#[derive(Clone, Copy)]
enum To {
    Configure,
    Write,
    Read,
}

/// What is needed, and of what: `exchange`, and its name.
type Need<'a> = (To, &'a str, &'a str);

/// The permission for exactly `needs`.
fn permission(needs: &[Need<'_>]) -> [String; 3] {
    let mut parts: [Vec<String>; 3] = Default::default();
    for (to, _, name) in needs {
        parts[*to as usize].push(format!("^{}$", name.replace('.', "\\.")));
    }
    parts.map(|names| match names.join("|") {
        none if none.is_empty() => "^$".to_owned(),
        some => some,
    })
}

/// Whoever lacks any of what is needed is told of the first; whoever has exactly that may.
fn check(user: &User<'_>, client: &mut Client, ask: &Ask, needs: &[Need<'_>]) {
    for lacking in 0..needs.len() {
        let mut others = needs.to_vec();
        let (_, kind, name) = others.remove(lacking);
        user.permit(&permission(&others));
        let refused = ask.ask(client);
        let what = format!("{kind} '{name}' in vhost '/'");
        assert_eq!(refused, Some(user.refusal(&what, ask.id())));
    }
    user.permit(&permission(needs));
    assert_eq!(ask.ask(client), None, "{:?}", ask.id());
}

#[test]
fn step_38_exchanges_are_for_those_who_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let user = User::of_vhost(&broker);
    let (mut own, mut client) = (Client::with_channel(&broker), user.connect());
    let [from, to, new, alternate] =
        ["from", "to", "new", "alternate"].map(|role| broker.name(role));
    own.declare_exchange(1, &from, "fanout");
    own.declare_exchange(1, &to, "fanout");
    let need = |to, name| (to, "exchange", name);
    let with_alternate = exchange::Declare {
        arguments: table(&[("alternate-exchange", text(&to))]),
        ..exchange_named(&alternate, "direct")
    };
    let passive = exchange::Declare {
        passive: true,
        ..exchange_named(&new, "direct")
    };
    let bind = exchange::Bind {
        destination: short(&to),
        source: short(&from),
        ..exchange::Bind::default()
    };
    let unbind = exchange::Unbind {
        destination: short(&to),
        source: short(&from),
        ..exchange::Unbind::default()
    };
    let delete = exchange::Delete {
        exchange: short(&new),
        ..exchange::Delete::default()
    };
    let ends = [need(To::Write, &*to), need(To::Read, &*from)];
    let alternates = [
        need(To::Configure, &*alternate),
        need(To::Read, &*alternate),
        need(To::Write, &*to),
    ];
    let configure = [need(To::Configure, &*new)];
    let declare = exchange_named(&new, "direct");
    for (ask, needs) in [
        (Ask::from(declare), &configure[..]),
        (passive.into(), &[]),
        (with_alternate.into(), &alternates),
        (bind.into(), &ends),
        (Ask::Publish(publish(&from, "")), &[need(To::Write, &*from)]),
        (unbind.into(), &ends),
        (delete.into(), &configure),
    ] {
        check(&user, &mut client, &ask, needs);
    }
}

#[test]
fn step_38_queues_are_for_those_who_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let user = User::of_vhost(&broker);
    let (mut own, mut client) = (Client::with_channel(&broker), user.connect());
    let [exchange, there, new, letters] =
        ["exchange", "there", "new", "letters"].map(|role| broker.name(role));
    own.declare_exchange(1, &exchange, "fanout");
    own.declare(1, queue_named(&there));
    let passive = queue::Declare {
        passive: true,
        ..queue_named(&new)
    };
    let with_letters = queue::Declare {
        arguments: table(&[("x-dead-letter-exchange", text(&exchange))]),
        ..queue_named(&letters)
    };
    let bind = queue::Bind {
        queue: short(&there),
        exchange: short(&exchange),
        ..queue::Bind::default()
    };
    let unbind = queue::Unbind {
        queue: short(&there),
        exchange: short(&exchange),
        ..queue::Unbind::default()
    };
    let purge = queue::Purge {
        queue: short(&there),
        ..queue::Purge::default()
    };
    let get = basic::Get {
        queue: short(&there),
        ..basic::Get::default()
    };
    let delete = queue::Delete {
        queue: short(&new),
        ..queue::Delete::default()
    };
    let configure = [(To::Configure, "queue", &*new)];
    let read = [(To::Read, "queue", &*there)];
    let ends = [
        (To::Write, "queue", &*there),
        (To::Read, "exchange", &*exchange),
    ];
    let dying = [
        (To::Configure, "queue", &*letters),
        (To::Read, "queue", &*letters),
        (To::Write, "exchange", &*exchange),
    ];
    for (ask, needs) in [
        (Ask::from(queue_named(&new)), &configure[..]),
        (passive.into(), &[]),
        (with_letters.into(), &dying),
        (bind.into(), &ends),
        (unbind.into(), &ends),
        (purge.into(), &read),
        (get.into(), &read),
        (consume(&there, "tag").into(), &read),
        (delete.into(), &configure),
    ] {
        check(&user, &mut client, &ask, needs);
    }
}

#[test]
fn step_38_the_default_exchange_has_a_name_to_those_who_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let user = User::of_vhost(&broker);
    let (mut own, mut client) = (Client::with_channel(&broker), user.connect());
    let queue = broker.name("queue");
    own.declare(1, queue_named(&queue));
    let write = [(To::Write, "exchange", "amq.default")];
    let to_queue = Ask::Publish(publish("", &queue));
    check(&user, &mut client, &to_queue, &write);
    // Nobody may bind anything to it, and who may not touch the queue does not get to hear that.
    let bind = Ask::from(queue::Bind {
        queue: short(&queue),
        ..queue::Bind::default()
    });
    user.permit(&permission(&write));
    let what = format!("queue '{queue}' in vhost '/'");
    assert_eq!(bind.ask(&mut client), Some(user.refusal(&what, bind.id())));
    user.permit(&permission(&[(To::Write, "queue", &*queue)]));
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    assert_eq!(bind.ask(&mut client), Some(close(403, text, bind.id())));
}

#[test]
fn step_38_an_expression_is_found_anywhere_in_a_name() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let user = User::of_vhost(&broker);
    let queue = broker.name("a-queue-b");
    user.permit(&["a-queue", "^$", ""].map(str::to_owned));
    let mut client = user.connect();
    let declare = Ask::from(queue::Declare {
        exclusive: true,
        ..queue_named(&queue)
    });
    assert_eq!(declare.ask(&mut client), None);
    // Without any permission nobody gets in.
    let path = format!("permissions/{ROOT}/{}", user.name);
    broker.manage("DELETE", &path, &Json::Null);
    let name = &user.name;
    let response = format!("\0{name}\0{name}");
    let terms = Terms {
        response: response.as_bytes(),
        ..Terms::default()
    };
    let refused = Client::tuned(&broker, &terms).connection_close();
    let text = format!("NOT_ALLOWED - access to vhost '/' refused for user '{name}'");
    assert_eq!(refused, close(530, &text, (10, 40)));
}

#[test]
fn step_38_keys_of_topics_are_for_those_who_may() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let user = User::of_vhost(&broker);
    user.permit(&[".*", ".*", ".*"].map(str::to_owned));
    let (mut own, mut client) = (Client::with_channel(&broker), user.connect());
    let [topic, other, direct, queue] =
        ["topic", "other", "direct", "queue"].map(|role| broker.name(role));
    own.declare_exchange(1, &topic, "topic");
    own.declare_exchange(1, &other, "topic");
    own.declare_exchange(1, &direct, "direct");
    own.declare(1, queue_named(&queue));
    user.permit_topics(&topic, [r"^w\.{username}\.", r"^r\.{vhost}\."]);
    user.permit_topics(&direct, ["^$", "^$"]);
    let name = &user.name;
    let may_write = format!("w.{name}.x");
    let bind = |exchange: &str, key: &str| {
        Ask::from(queue::Bind {
            queue: short(&queue),
            exchange: short(exchange),
            routing_key: short(key),
            ..queue::Bind::default()
        })
    };
    let unbind = Ask::from(queue::Unbind {
        queue: short(&queue),
        exchange: short(&topic),
        routing_key: short("w.x"),
        ..queue::Unbind::default()
    });
    let between = Ask::from(exchange::Bind {
        destination: short(&other),
        source: short(&topic),
        routing_key: short("w.x"),
        ..exchange::Bind::default()
    });
    for ask in [
        Ask::Publish(publish(&topic, &may_write)),
        Ask::Publish(publish(&other, "w.x")),
        Ask::Publish(publish(&direct, "w.x")),
        bind(&topic, "r./.x"),
        bind(&other, "w.x"),
    ] {
        assert_eq!(ask.ask(&mut client), None);
    }
    let what = format!("topic 'w.x' in exchange '{topic}' in vhost '/'");
    for ask in [
        Ask::Publish(publish(&topic, "w.x")),
        bind(&topic, "w.x"),
        unbind,
        between,
    ] {
        let refused = ask.ask(&mut client);
        assert_eq!(refused, Some(user.refusal(&what, ask.id())));
    }
}

#[test]
fn step_38_copies_are_of_topics_as_well() {
    let test = "step_38_copies_are_of_topics_as_well";
    let Some(broker) = Broker::start_unless_peer(test) else {
        return;
    };
    let user = User::of_vhost(&broker);
    user.permit(&[".*", ".*", ".*"].map(str::to_owned));
    let (mut own, mut client) = (Client::with_channel(&broker), user.connect());
    let topic = broker.name("topic");
    own.declare_exchange(1, &topic, "topic");
    user.permit_topics(&topic, ["^mine$", "^$"]);
    client.open(1);
    let mut copies = ArrayBuilder::new();
    copies.push(text("not-mine"));
    let headers = table(&[("CC", Value::Array(copies.view()))]);
    let properties = PropertyList {
        headers: Some(headers.view()),
        ..PropertyList::default()
    };
    client.publish_with(1, publish(&topic, "mine"), properties, "message");
    let what = format!("topic 'not-mine' in exchange '{topic}' in vhost '/'");
    assert_eq!(client.channel_close(1), user.refusal(&what, PUBLISH));
}

#[test]
fn step_38_tags_say_what_of_the_management_api_is_for_whom() {
    let Some(broker) = Broker::start() else {
        return;
    };
    /// Who is missing to see something.
    const ANYBODY: &str = "Not management user";
    const MONITOR: &str = "Not monitor user";
    const ADMINISTRATOR: &str = "Not administrator user";
    const VHOST: &str = "User not authorised to access virtual host";
    let all = [
        "whoami",
        "overview",
        "queues",
        "vhosts",
        "connections",
        "exchanges",
    ];
    let monitors = ["nodes"];
    let administrators = [
        "users",
        "permissions",
        "definitions",
        "vhosts/%2F",
        "feature-flags",
    ];
    let of_vhost = ["queues/%2F", "exchanges/%2F"];
    for (tags, lacks) in [
        ("", &[ANYBODY, ANYBODY, ANYBODY, ANYBODY][..]),
        ("impersonator", &[ANYBODY, ANYBODY, ANYBODY, ANYBODY]),
        ("management", &["", MONITOR, ADMINISTRATOR, VHOST]),
        ("policymaker", &["", MONITOR, ADMINISTRATOR, VHOST]),
        ("monitoring", &["", "", ADMINISTRATOR, VHOST]),
        ("administrator", &["", "", "", ""]),
        ("custom,management", &["", MONITOR, ADMINISTRATOR, VHOST]),
    ] {
        let user = User::new(&broker, tags);
        let groups = [&all[..], &monitors, &administrators, &of_vhost];
        for (paths, lacks) in groups.iter().zip(lacks) {
            for path in *paths {
                let answer = broker.manage_as(&user.name, "GET", path, &Json::Null);
                let expected = if lacks.is_empty() { 200 } else { 401 };
                assert_eq!(answer.status, expected, "{tags} {path} {answer:?}");
                if !lacks.is_empty() {
                    let told = json!({ "error": "not_authorised", "reason": lacks });
                    assert_eq!(answer.json(), told, "{tags} {path}");
                }
            }
        }
    }
    let user = User::new(&broker, "management");
    user.permit(&["", "", ""].map(str::to_owned));
    let answer = broker.manage_as(&user.name, "GET", "queues/%2F", &Json::Null);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = broker.manage_as(&user.name, "PUT", "queues/%2F/q", &json!({}));
    let told = json!({ "error": "not_authorised", "reason": "Access refused." });
    assert_eq!((answer.status, answer.json()), (401, told));
}
