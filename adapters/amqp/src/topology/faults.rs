//! What cannot be done to exchanges and queues, in RabbitMQ's words.

use crate::codec::ReplyCode;
use crate::fault::Fault;
use gantry_core::vhosts::{TopologyError, VirtualHost};

/// Something that has a name, as errors name it.
#[derive(Clone, Copy)]
pub(crate) enum Named<'a> {
    Exchange(&'a str),
    Queue(&'a str),
}

/// `queue 'q' in vhost '/'`
pub(crate) fn describe(host: &VirtualHost, named: Named<'_>) -> String {
    format!("{} in vhost '{}'", describe_name(named), host.name())
}

/// `queue 'q'`
fn describe_name(named: Named<'_>) -> String {
    match named {
        Named::Exchange(name) => format!("exchange '{name}'"),
        Named::Queue(name) => format!("queue '{name}'"),
    }
}

/// Why something could not be done to what is `named`.
pub(crate) fn fault(host: &VirtualHost, named: Named<'_>, error: TopologyError) -> Fault {
    let (code, text) = match error {
        TopologyError::NoVirtualHost(_) => {
            let text = format!("vhost {} not found", host.name());
            (ReplyCode::NotAllowed, text)
        }
        TopologyError::NoExchange(name) => {
            let what = describe(host, Named::Exchange(&name));
            (ReplyCode::NotFound, format!("no {what}"))
        }
        TopologyError::NoQueue(name) => {
            let what = describe(host, Named::Queue(&name));
            (ReplyCode::NotFound, format!("no {what}"))
        }
        TopologyError::Inequivalent(difference) if difference.argument == "exclusive" => {
            (ReplyCode::ResourceLocked, locked(&describe(host, named)))
        }
        TopologyError::Inequivalent(difference) => {
            let what = describe(host, named);
            let text = format!(
                "inequivalent arg '{}' for {what}: received {} but current is {}",
                difference.argument, difference.received, difference.current
            );
            (ReplyCode::PreconditionFailed, text)
        }
        TopologyError::Locked(name) => {
            let what = describe(host, Named::Queue(&name));
            (ReplyCode::ResourceLocked, locked(&what))
        }
        TopologyError::ExclusiveUse(name) => {
            let what = describe(host, Named::Queue(&name));
            (ReplyCode::AccessRefused, format!("{what} in exclusive use"))
        }
        TopologyError::IllegalBinding(illegal) => {
            (ReplyCode::PreconditionFailed, illegal.to_string())
        }
        TopologyError::InUse(_) => {
            let what = describe(host, named);
            (ReplyCode::PreconditionFailed, format!("{what} in use"))
        }
        TopologyError::NotEmpty(_) => {
            let what = describe(host, named);
            (ReplyCode::PreconditionFailed, format!("{what} not empty"))
        }
        TopologyError::QueueLimit(limit) => {
            let (what, host) = (describe_name(named), host.name());
            let text = format!(
                "cannot declare {what}: queue limit in vhost '{host}' ({limit}) is reached"
            );
            (ReplyCode::PreconditionFailed, text)
        }
        TopologyError::Pattern(why) => (ReplyCode::PreconditionFailed, why),
        TopologyError::Store(error) => return error.into(),
    };
    Fault::new(code, text)
}

fn locked(what: &str) -> String {
    format!(
        "cannot obtain exclusive access to locked {what}. It could be originally declared on \
         another connection or the exclusive property value does not match that of the original \
         declaration."
    )
}
