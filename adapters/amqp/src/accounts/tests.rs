use super::*;
use crate::codec::method::{exchange, queue};
use crate::codec::table::{TableBuilder, Value};
use crate::codec::{ShortString, Table};
use crate::fault::Fault;
use crate::topology::{Named, Topology};
use gantry_core::Broker;
use gantry_core::model::SystemClock;
use std::net::Ipv4Addr;
use std::path::Path;
use tempfile::TempDir;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

fn open(directory: &Path) -> (Broker, Accounts) {
    let mut config = gantry_core::Config::default();
    config.store.segment_bytes = 1 << 20;
    let broker = Broker::open(directory, config, Arc::new(SystemClock)).unwrap();
    let accounts = Accounts::open(broker.anonymous(), &Config::default());
    (broker, accounts)
}

fn world() -> (TempDir, Broker, Accounts) {
    let directory = tempfile::tempdir().unwrap();
    let (broker, accounts) = open(directory.path());
    (directory, broker, accounts)
}

fn permission(configure: &str, write: &str, read: &str) -> Permission {
    let [configure, write, read] = [configure, write, read].map(str::to_owned);
    Permission {
        configure,
        write,
        read,
    }
}

fn short(text: &str) -> ShortString {
    ShortString::cut(text)
}

fn texts(pairs: &[(&str, &str)]) -> Table {
    let mut table = TableBuilder::new();
    for (name, text) in pairs {
        table.put(name, Value::LongString(text.as_bytes()));
    }
    table.build()
}

fn queue(name: &str, arguments: &[(&str, &str)]) -> queue::Declare {
    queue::Declare {
        ticket: 0,
        queue: short(name),
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: texts(arguments),
    }
}

fn exchange(name: &str, kind: &str, arguments: &[(&str, &str)]) -> exchange::Declare {
    exchange::Declare {
        ticket: 0,
        exchange: short(name),
        kind: short(kind),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: texts(arguments),
    }
}

fn bind(queue: &str, exchange: &str, key: &str) -> queue::Bind {
    queue::Bind {
        ticket: 0,
        queue: short(queue),
        exchange: short(exchange),
        routing_key: short(key),
        no_wait: false,
        arguments: Table::default(),
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn those_of_the_settings_count_until_one_is_kept() {
    let (directory, broker, accounts) = world();
    assert!(accounts.authenticate("guest", b"guest", HERE).is_some());
    assert!(accounts.authenticate("guest", b"wrong", HERE).is_none());
    assert!(
        accounts
            .authenticate("guest", b"guest", ELSEWHERE)
            .is_none()
    );
    let account = Account {
        password: accounts.hash(b"secret"),
        tags: vec!["management".to_owned()],
    };
    assert!(accounts.put_user("anna", account.clone()).unwrap());
    assert!(!accounts.put_user("anna", account.clone()).unwrap());
    assert!(
        accounts
            .permit("/", "anna", permission("^a", "", ""))
            .unwrap()
    );
    assert!(matches!(
        accounts.permit("/", "nobody", Permission::full()),
        Err(AccountError::NoUser(_))
    ));
    assert!(matches!(
        accounts.permit("nowhere", "anna", Permission::full()),
        Err(AccountError::NoVhost(_))
    ));
    assert!(
        accounts
            .permit("/", "anna", permission("(", "", ""))
            .is_err()
    );
    broker.shutdown().unwrap();
    drop((accounts, broker));

    let (broker, accounts) = open(directory.path());
    assert_eq!(accounts.user("anna"), Some(account));
    assert!(
        accounts
            .authenticate("anna", b"secret", ELSEWHERE)
            .is_some()
    );
    assert!(accounts.authenticate("guest", b"guest", HERE).is_some());
    assert_eq!(
        accounts.permission("/", "anna"),
        Some(permission("^a", "", ""))
    );
    assert_eq!(accounts.permissions().len(), 2);
    assert!(accounts.delete_user("guest").unwrap());
    assert!(accounts.delete_user("anna").unwrap());
    assert!(accounts.permissions().is_empty());
    broker.shutdown().unwrap();
    drop((accounts, broker));

    let (_broker, accounts) = open(directory.path());
    assert!(accounts.users().is_empty(), "guest does not come back");
}

#[test]
fn methods_are_checked_as_rabbitmq_checks_them() {
    let (_directory, broker, accounts) = world();
    let client = broker.anonymous();
    let host = client.virtual_host("/").unwrap();
    let user: Arc<str> = "u".into();
    accounts.put_user("u", Account::default()).unwrap();
    assert!(accounts.rights(host.name(), &user).is_none());
    let own = |write: &str, read: &str| {
        accounts
            .permit("/", "u", permission("^own", write, read))
            .unwrap()
    };
    own("^own", "^own");
    let rights = accounts.rights(host.name(), &user).unwrap();
    let hand = Topology::new(client.clone(), Arc::clone(&host), client.lease_session());
    let hand = hand.limited_to(rights);

    hand.declare_queue(&queue("own.q", &[]), &mut None).unwrap();
    assert_eq!(
        refusal(hand.declare_queue(&queue("q", &[]), &mut None)),
        "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"
    );
    let dead = queue("own.d", &[("x-dead-letter-exchange", "x")]);
    assert_eq!(
        refusal(hand.declare_queue(&dead, &mut None)),
        "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'"
    );
    hand.declare_exchange(&exchange("own.x", "topic", &[]))
        .unwrap();
    let other = exchange("own.y", "direct", &[("alternate-exchange", "")]);
    assert_eq!(
        refusal(hand.declare_exchange(&other)),
        "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user 'u'"
    );
    hand.bind_queue(&bind("own.q", "own.x", "a.b"), None)
        .unwrap();
    assert!(
        refusal(hand.bind_queue(&bind("own.q", "amq.topic", ""), None)).contains("'amq.topic'")
    );

    // What is taken back is gone at once.
    own("^$", "");
    assert!(refusal(hand.bind_queue(&bind("own.q", "own.x", "c"), None)).contains("queue 'own.q'"));
    let purge = queue::Purge {
        ticket: 0,
        queue: short("own.q"),
        no_wait: false,
    };
    assert!(refusal(hand.purge_queue(&purge, None)).contains("access to queue 'own.q'"));
    assert!(refusal(hand.queue_or_last(&short("nowhere"), None)).contains("refused"));
    accounts.forbid("/", "u").unwrap();
    assert!(hand.declare_queue(&queue("own.q", &[]), &mut None).is_err());
    assert!(accounts.rights(host.name(), &user).is_none());
}

#[test]
fn keys_of_topic_exchanges_are_limited() {
    let (_directory, broker, accounts) = world();
    let host = broker.anonymous().virtual_host("/").unwrap();
    let user: Arc<str> = "u".into();
    accounts.put_user("u", Account::default()).unwrap();
    accounts.permit("/", "u", Permission::full()).unwrap();
    let rights = accounts.rights(host.name(), &user).unwrap();
    let check = |right, exchange, key| rights.check_keys(&host, right, exchange, &[key]);
    check(Right::Write, "amq.topic", "anything").unwrap();
    let limits = TopicPermission {
        write: r"^{username}\.".to_owned(),
        read: String::new(),
    };
    let at = ("/", "u", "amq.topic");
    assert!(accounts.permit_topics(at, limits).unwrap());
    check(Right::Write, "amq.topic", "u.a").unwrap();
    check(Right::Write, "amq.direct", "anything").unwrap();
    assert_eq!(
        refusal(check(Right::Write, "amq.topic", "v.a")),
        "ACCESS_REFUSED - access to topic 'v.a' in exchange 'amq.topic' in vhost '/' refused for \
         user 'u'"
    );
    assert!(check(Right::Read, "amq.topic", "u.a").is_err());
    rights
        .check(&host, Right::Read, Named::Exchange("amq.topic"))
        .unwrap();
    assert!(accounts.free_topics("/", "u", None).unwrap());
    check(Right::Read, "amq.topic", "u.a").unwrap();
}

#[test]
fn a_virtual_host_goes_with_all_that_is_in_it() {
    let (directory, broker, accounts) = world();
    let client = broker.anonymous();
    let host = client.create_virtual_host("v").unwrap();
    let hand = Topology::new(client.clone(), Arc::clone(&host), client.lease_session());
    hand.declare_queue(&queue("q", &[]), &mut None).unwrap();
    hand.declare_exchange(&exchange("x", "fanout", &[]))
        .unwrap();
    hand.bind_queue(&bind("q", "x", ""), None).unwrap();
    accounts.permit("v", "guest", Permission::full()).unwrap();
    let topics = client.topics().len();
    assert!(client.delete_virtual_host("v").unwrap());
    assert!(!client.delete_virtual_host("v").unwrap());
    assert!(client.delete_virtual_host("/").is_err());
    accounts.forget_vhost("v").unwrap();
    assert_eq!(client.topics().len(), topics - 1);
    assert!(hand.declare_queue(&queue("q", &[]), &mut None).is_err());
    broker.shutdown().unwrap();
    drop((hand, host, client, accounts, broker));

    let (broker, accounts) = open(directory.path());
    assert!(broker.anonymous().virtual_host("v").is_none());
    assert_eq!(accounts.permissions().len(), 1);
}
