//! The methods of class 50.

use super::arguments::{arguments_of, type_name};
use super::{
    LIFE_MS_MAX, Named, RESERVED_PREFIX, Topology, made_up_name, on_default_exchange, stripped,
};
use crate::accounts::Right;
use crate::codec::method::queue;
use crate::codec::table::Value;
use crate::codec::{ReplyCode, ShortString, TableView};
use crate::fault::Fault;
use crate::ledger::{Asked, TRACE_EXCHANGE};
use gantry_core::routing::{Binding, Destination};
use gantry_core::vhosts::{DeleteOnly, QueueSpec, TopologyError, WorkQueue, millis_of_age};
use std::borrow::Cow;
use std::sync::Arc;

const TYPE: &str = "x-queue-type";
const SEGMENT_BYTES: &str = "x-stream-max-segment-size-bytes";
const FILTER_SIZE: &str = "x-stream-filter-size-bytes";
/// What names of queues begin with that their clients leave to the server.
const MADE_UP_PREFIX: &str = "amq.gen-";
/// Greatest `x-max-priority`.
const PRIORITY_MAX: i64 = 255;
const OVERFLOWS: [&str; 3] = ["drop-head", "reject-publish", "reject-publish-dlx"];
const TYPES: [&str; 3] = ["classic", "quorum", "stream"];
const LOCATORS: [&str; 4] = ["balanced", "client-local", "least-leaders", "random"];
/// Greatest `x-stream-max-segment-size-bytes`.
const SEGMENT_BYTES_MAX: i64 = 3_000_000_000;
/// Sizes of RabbitMQ's filters.
const FILTER_BYTES: std::ops::RangeInclusive<i64> = 16..=255;

impl Topology {
    /// `queue.declare`; `last` is the channel's last declared queue.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn declare_queue(
        &self,
        method: &queue::Declare,
        last: &mut Option<ShortString>,
    ) -> Result<queue::DeclareOk, Fault> {
        let name = &*stripped(method.queue.as_str());
        let queue = if method.passive {
            let queue = self.queue(name)?;
            self.client.note_use(&queue);
            queue
        } else if name.is_empty() {
            self.make_queue(&made_up_name(&self.client, MADE_UP_PREFIX), method)?
        } else {
            self.make_queue(name, method)?
        };
        // What is over by now does not count.
        self.client.dispatch(&queue)?;
        let counts = self.client.queue_counts(&queue)?;
        let name = ShortString::cut(queue.name());
        *last = Some(name.clone());
        Ok(queue::DeclareOk {
            queue: name,
            message_count: u32::try_from(counts.ready).unwrap_or(u32::MAX),
            consumer_count: u32::try_from(queue.consumer_count()).unwrap_or(u32::MAX),
        })
    }

    fn make_queue(&self, name: &str, method: &queue::Declare) -> Result<Arc<WorkQueue>, Fault> {
        let table = method.arguments.view();
        if name.starts_with(RESERVED_PREFIX) && !method.queue.as_str().is_empty() {
            let text = format!("queue name '{name}' contains reserved prefix '{RESERVED_PREFIX}*'");
            return Err(Fault::new(ReplyCode::AccessRefused, text));
        }
        self.check_right(Right::Configure, Named::Queue(name))?;
        self.check_argument(name, TYPE, table.get(TYPE))?;
        self.check_kind(name, method)?;
        self.check_arguments(name, table)?;
        self.check_flags(name, method)?;
        let dead_letters = table.get("x-dead-letter-exchange").and_then(Value::text);
        if let Some(exchange) = dead_letters
            && self.host.queue(name).is_none()
        {
            self.check_right(Right::Read, Named::Queue(name))?;
            self.check_right(Right::Write, Named::Exchange(exchange))?;
        }
        let spec = QueueSpec {
            // What goes with its connection does not outlive a restart.
            is_durable: method.durable && !method.exclusive,
            is_exclusive: method.exclusive,
            is_auto_delete: method.auto_delete,
            arguments: arguments_of(table),
        };
        let asking = Some(self.connection);
        let declared = self.client.declare_queue(&self.host, name, spec, asking);
        let (queue, is_new) = declared.map_err(|error| self.fault(Named::Queue(name), error))?;
        self.churn.note(is_new);
        self.ledger.note_table(Asked::QueueArgument, table);
        Ok(queue)
    }

    /// A queue this connection may use.
    ///
    /// # Errors
    /// There is none of that name, or it is another connection's.
    pub fn queue(&self, name: &str) -> Result<Arc<WorkQueue>, Fault> {
        let queue = self.host.queue(name);
        let missing = || TopologyError::NoQueue(name.into());
        let queue = queue.ok_or_else(|| self.fault(Named::Queue(name), missing()))?;
        if queue.owner().is_some_and(|owner| owner != self.connection) {
            let locked = TopologyError::Locked(Arc::clone(queue.name()));
            return Err(self.fault(Named::Queue(name), locked));
        }
        Ok(queue)
    }

    /// The queue of a method that names it, or leaves it to the last declared one, to take
    /// messages out of.
    ///
    /// # Errors
    /// As [`Topology::queue`], none was declared, or the user may not read it.
    pub fn queue_or_last(
        &self,
        name: &ShortString,
        last: Option<&ShortString>,
    ) -> Result<Arc<WorkQueue>, Fault> {
        let name = name_or_last(name, last)?;
        self.check_right(Right::Read, Named::Queue(&name))?;
        self.queue(&name)
    }

    /// The queue at one end of a binding, and its name.
    ///
    /// # Errors
    /// What is missing, or the user may not.
    fn queue_to_bind(
        &self,
        name: &str,
        (exchange, key): (&str, &str),
    ) -> Result<Arc<WorkQueue>, Fault> {
        self.check_right(Right::Write, Named::Queue(name))?;
        if exchange.is_empty() {
            return Err(on_default_exchange());
        }
        self.check_right(Right::Read, Named::Exchange(exchange))?;
        self.check_exchange(exchange)?;
        self.check_bound_key(exchange, key)?;
        self.queue(name)
    }

    /// `queue.delete`; one that is not there is deleted. How many messages were ready.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn delete_queue(
        &self,
        method: &queue::Delete,
        last: Option<&ShortString>,
    ) -> Result<u32, Fault> {
        let name = name_or_last(&method.queue, last)?;
        self.check_right(Right::Configure, Named::Queue(&name))?;
        let only = DeleteOnly {
            if_unused: method.if_unused,
            if_empty: method.if_empty,
        };
        let asking = Some(self.connection);
        match self.client.delete_queue(&self.host, &name, asking, only) {
            Ok(ready) => Ok(u32::try_from(ready).unwrap_or(u32::MAX)),
            Err(TopologyError::NoQueue(_)) => Ok(0),
            Err(error) => Err(self.fault(Named::Queue(&name), error)),
        }
    }

    /// `queue.purge`; how many messages were ready.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn purge_queue(
        &self,
        method: &queue::Purge,
        last: Option<&ShortString>,
    ) -> Result<u32, Fault> {
        let queue = self.queue_or_last(&method.queue, last)?;
        self.check_not_stream(&queue, "queue.purge")?;
        let purged = self.client.purge_queue(&queue)?;
        Ok(u32::try_from(purged).unwrap_or(u32::MAX))
    }

    /// `queue.bind`
    ///
    /// # Errors
    /// A channel's fault.
    pub fn bind_queue(
        &self,
        method: &queue::Bind,
        last: Option<&ShortString>,
    ) -> Result<(), Fault> {
        let exchange = &*stripped(method.exchange.as_str());
        let name = name_or_last(&method.queue, last)?;
        let is_short = method.queue.as_str().is_empty() && method.routing_key.as_str().is_empty();
        let key = if is_short {
            &*name
        } else {
            method.routing_key.as_str()
        };
        let queue = self.queue_to_bind(&name, (exchange, key))?;
        let binding = to_queue(exchange, &queue, key, method.arguments.view());
        let bound = self
            .client
            .bind(&self.host, &binding, Some(self.connection));
        bound.map_err(|error| self.fault(Named::Queue(queue.name()), error))?;
        if exchange == TRACE_EXCHANGE {
            self.ledger.note(Asked::Binding, exchange);
        }
        Ok(())
    }

    /// `queue.unbind`; a binding that is not there is none.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn unbind_queue(
        &self,
        method: &queue::Unbind,
        last: Option<&ShortString>,
    ) -> Result<(), Fault> {
        let exchange = &*stripped(method.exchange.as_str());
        let name = name_or_last(&method.queue, last)?;
        let key = method.routing_key.as_str();
        let queue = self.queue_to_bind(&name, (exchange, key));
        let Some(queue) = Fault::unless_missing(queue)? else {
            return Ok(());
        };
        let binding = to_queue(exchange, &queue, key, method.arguments.view());
        let unbound = self
            .client
            .unbind(&self.host, &binding, Some(self.connection));
        unbound.map_err(|error| self.fault(Named::Queue(queue.name()), error))
    }

    /// # Errors
    /// The argument cannot have the value.
    fn check_argument(
        &self,
        name: &str,
        argument: &str,
        value: Option<Value<'_>>,
    ) -> Result<(), Fault> {
        let refuse = |text: String| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        let Some(value) = value else {
            return Ok(());
        };
        if let Err(reason) = check(argument, value) {
            let what = self.describe(Named::Queue(name));
            return refuse(format!("invalid arg '{argument}' for {what}: {reason}"));
        }
        // RabbitMQ says no more of these.
        let number = value.integer().unwrap_or_default();
        match argument {
            SEGMENT_BYTES if number > SEGMENT_BYTES_MAX => {
                refuse(format!("Exceeded max value for {SEGMENT_BYTES}"))
            }
            FILTER_SIZE if !FILTER_BYTES.contains(&number) => {
                refuse(format!("Invalid value for {FILTER_SIZE}"))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// An argument that a queue cannot have.
    fn check_arguments(&self, name: &str, arguments: TableView<'_>) -> Result<(), Fault> {
        let what = self.describe(Named::Queue(name));
        let refuse = |text: String| Err(Fault::new(ReplyCode::PreconditionFailed, text));
        for field in arguments.iter() {
            let Ok(argument) = std::str::from_utf8(field.name) else {
                continue;
            };
            self.check_argument(name, argument, Some(field.value))?;
            let is_name = matches!(
                argument,
                "x-dead-letter-exchange" | "x-dead-letter-routing-key"
            );
            if is_name && field.value.text().is_none() {
                let kind = type_name(field.value);
                return refuse(format!(
                    "invalid type '{kind}' for arg '{argument}' in {what}"
                ));
            }
        }
        let has = |name| arguments.get(name).is_some();
        if has("x-dead-letter-routing-key") && !has("x-dead-letter-exchange") {
            return refuse(format!(
                "invalid arg 'x-dead-letter-routing-key' for {what}: \
                 routing_key_but_no_dlx_defined"
            ));
        }
        Ok(())
    }
}

/// # Errors
/// It is left to the last declared queue, and none was.
fn name_or_last<'a>(
    name: &'a ShortString,
    last: Option<&'a ShortString>,
) -> Result<Cow<'a, str>, Fault> {
    match (name.as_str(), last) {
        ("", None) => {
            let text = "no previously declared queue";
            Err(Fault::new(ReplyCode::NotFound, text))
        }
        ("", Some(last)) => Ok(last.as_str().into()),
        (name, _) => Ok(stripped(name)),
    }
}

fn to_queue(exchange: &str, queue: &WorkQueue, key: &str, arguments: TableView<'_>) -> Binding {
    Binding {
        source: exchange.into(),
        destination: Destination::Queue(Arc::clone(queue.name())),
        key: key.into(),
        arguments: arguments_of(arguments),
    }
}

/// Whether an argument can have the value; why not, as RabbitMQ says it.
fn check(argument: &str, value: Value<'_>) -> Result<(), String> {
    match argument {
        "x-message-ttl" => millis(value),
        "x-expires" if value.integer() == Some(0) => Err("{value_zero,0}".to_owned()),
        "x-expires" => millis(value),
        "x-max-length" | "x-max-length-bytes" | "x-consumer-timeout" | SEGMENT_BYTES
        | FILTER_SIZE => integer(value).and_then(not_negative),
        "x-initial-cluster-size" if value.integer() == Some(0) => Err("{value_zero,0}".to_owned()),
        "x-initial-cluster-size" => integer(value).and_then(not_negative),
        "x-max-age" | "x-queue-leader-locator" | "x-overflow" | TYPE | "x-queue-mode" => {
            check_text(argument, value)
        }
        "x-max-priority" => match integer(value).and_then(not_negative) {
            Ok(()) if value.integer().is_some_and(|number| number > PRIORITY_MAX) => {
                let number = value.integer().unwrap_or_default();
                Err(format!("{{max_value_exceeded,{number}}}"))
            }
            outcome => outcome,
        },
        "x-single-active-consumer" => match value {
            Value::Bool(_) => Ok(()),
            _ => Err(format!("\"expected boolean, got {}\"", type_name(value))),
        },
        _ => Ok(()),
    }
}

/// The same of arguments that are one of some texts.
fn check_text(argument: &str, value: Value<'_>) -> Result<(), String> {
    let Some(text) = value.text() else {
        return Err(format!("{{unacceptable_type,{}}}", type_name(value)));
    };
    match argument {
        "x-max-age" if millis_of_age(text).is_none() => Err("invalid_max_age".to_owned()),
        "x-queue-leader-locator" if !LOCATORS.contains(&text) => {
            Err("invalid_queue_locator_arg".to_owned())
        }
        "x-overflow" if !OVERFLOWS.contains(&text) => Err("invalid_overflow".to_owned()),
        TYPE if !TYPES.contains(&text) => Err(format!("\"unsupported queue type '{text}'\"")),
        "x-queue-mode" if !matches!(text, "default" | "lazy") => {
            Err(format!("\"unsupported queue mode '{text}'\""))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// It is none, as RabbitMQ says it.
pub(crate) fn integer(value: Value<'_>) -> Result<i64, String> {
    let wrong = || format!("\"expected integer, got {}\"", type_name(value));
    value.integer().ok_or_else(wrong)
}

fn not_negative(number: i64) -> Result<(), String> {
    if number < 0 {
        return Err(format!("{{value_negative,{number}}}"));
    }
    Ok(())
}

fn millis(value: Value<'_>) -> Result<(), String> {
    let number = integer(value)?;
    not_negative(number)?;
    if number.unsigned_abs() > LIFE_MS_MAX {
        return Err(format!("{{value_too_large,{number}}}"));
    }
    Ok(())
}
