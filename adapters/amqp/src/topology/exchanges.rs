//! The methods of class 40.

use super::arguments::{arguments_of, type_name};
use super::{Named, RESERVED_PREFIX, Topology, on_default_exchange, stripped};
use crate::accounts::Right;
use crate::codec::method::exchange;
use crate::codec::table::Value;
use crate::codec::{ReplyCode, TableView};
use crate::fault::Fault;
use crate::ledger::Asked;
use gantry_core::routing::{Binding, Destination, ExchangeKind, ExchangeSpec, HashOn};
use gantry_core::vhosts::TopologyError;
use std::sync::Arc;

const ALTERNATE: &str = "alternate-exchange";
const DELAYED: &str = "x-delayed-message";

impl Topology {
    /// `exchange.declare`
    ///
    /// # Errors
    /// A channel's or a connection's fault.
    pub fn declare_exchange(&self, method: &exchange::Declare) -> Result<(), Fault> {
        let name = &*stripped(method.exchange.as_str());
        if name.is_empty() {
            return Err(on_default_exchange());
        }
        if method.passive {
            return self.check_exchange(name);
        }
        let spec = self.exchange_spec(name, method)?;
        self.check_right(Right::Configure, Named::Exchange(name))?;
        let is_new = self.host.exchange(name).is_none();
        if let Some(alternate) = spec.alternate.as_deref().filter(|_| is_new) {
            self.check_right(Right::Read, Named::Exchange(name))?;
            self.check_right(Right::Write, Named::Exchange(alternate))?;
        }
        if name.starts_with(RESERVED_PREFIX) && is_new {
            let text =
                format!("exchange name '{name}' contains reserved prefix '{RESERVED_PREFIX}*'");
            return Err(Fault::new(ReplyCode::AccessRefused, text));
        }
        let declared = self.client.declare_exchange(&self.host, name, spec);
        declared.map_err(|error| self.fault(Named::Exchange(name), error))?;
        let table = method.arguments.view();
        self.ledger.note_table(Asked::ExchangeArgument, table);
        Ok(())
    }

    fn exchange_spec(&self, name: &str, method: &exchange::Declare) -> Result<ExchangeSpec, Fault> {
        let table = method.arguments.view();
        let kind = method.kind.as_str();
        let is_delayed = kind == DELAYED;
        let kind = match (is_delayed, table.get("x-delayed-type")) {
            (false, _) => kind,
            (true, Some(Value::LongString(kind))) => std::str::from_utf8(kind).unwrap_or_default(),
            (true, _) => {
                let what = self.describe(Named::Exchange(name));
                let text = format!(
                    "Invalid argument, 'x-delayed-type' must be an existing exchange type in {what}"
                );
                return Err(Fault::new(ReplyCode::PreconditionFailed, text));
            }
        };
        let alternate = match table.get(ALTERNATE) {
            None => None,
            Some(value) => Some(value.text().map(Arc::from).ok_or_else(|| {
                let what = self.describe(Named::Exchange(name));
                let kind = type_name(value);
                let text = format!("invalid type '{kind}' for arg '{ALTERNATE}' in {what}");
                Fault::new(ReplyCode::PreconditionFailed, text)
            })?),
        };
        Ok(ExchangeSpec {
            kind: kind_of(kind, table)?,
            is_delayed,
            is_durable: method.durable,
            is_auto_delete: method.auto_delete,
            is_internal: method.internal,
            alternate,
            arguments: arguments_of(table),
        })
    }

    /// `exchange.delete`; one that is not there is deleted.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn delete_exchange(&self, method: &exchange::Delete) -> Result<(), Fault> {
        let name = &*stripped(method.exchange.as_str());
        if name.is_empty() {
            return Err(on_default_exchange());
        }
        if name.starts_with(RESERVED_PREFIX) {
            let what = self.describe(Named::Exchange(name));
            let text = format!("deletion of system {what} not allowed");
            return Err(Fault::new(ReplyCode::AccessRefused, text));
        }
        self.check_right(Right::Configure, Named::Exchange(name))?;
        let deleted = self
            .client
            .delete_exchange(&self.host, name, method.if_unused);
        deleted.map_err(|error| self.fault(Named::Exchange(name), error))?;
        Ok(())
    }

    /// `exchange.bind`
    ///
    /// # Errors
    /// A channel's fault.
    pub fn bind_exchange(&self, method: &exchange::Bind) -> Result<(), Fault> {
        let (source, to) = (method.source.as_str(), method.destination.as_str());
        let binding = self.between_exchanges(
            source,
            to,
            method.routing_key.as_str(),
            method.arguments.view(),
        )?;
        let bound = self.client.bind(&self.host, &binding, None);
        bound.map_err(|error| self.fault(Named::Exchange(source), error))?;
        Ok(())
    }

    /// `exchange.unbind`; a binding that is not there is none.
    ///
    /// # Errors
    /// A channel's fault.
    pub fn unbind_exchange(&self, method: &exchange::Unbind) -> Result<(), Fault> {
        let (source, to) = (method.source.as_str(), method.destination.as_str());
        let binding = self.between_exchanges(
            source,
            to,
            method.routing_key.as_str(),
            method.arguments.view(),
        );
        let Some(binding) = Fault::unless_missing(binding)? else {
            return Ok(());
        };
        let unbound = self.client.unbind(&self.host, &binding, None);
        unbound.map_err(|error| self.fault(Named::Exchange(source), error))
    }

    fn between_exchanges(
        &self,
        source: &str,
        destination: &str,
        key: &str,
        arguments: TableView<'_>,
    ) -> Result<Binding, Fault> {
        let (source, destination) = (stripped(source), stripped(destination));
        self.check_right(Right::Write, Named::Exchange(&destination))?;
        if source.is_empty() || destination.is_empty() {
            return Err(on_default_exchange());
        }
        self.check_right(Right::Read, Named::Exchange(&source))?;
        self.check_exchange(&source)?;
        self.check_exchange(&destination)?;
        self.check_bound_key(&source, key)?;
        Ok(Binding {
            source: source.as_ref().into(),
            destination: Destination::Exchange(destination.as_ref().into()),
            key: key.into(),
            arguments: arguments_of(arguments),
        })
    }

    /// # Errors
    /// The user may not bind anything to the exchange with that key.
    pub(super) fn check_bound_key(&self, exchange: &str, key: &str) -> Result<(), Fault> {
        let rights = &self.rights;
        rights.check_keys(&self.host, Right::Read, exchange, &[key])
    }

    /// # Errors
    /// There is no such exchange.
    pub(super) fn check_exchange(&self, name: &str) -> Result<(), Fault> {
        match self.client.find_exchange(&self.host, name) {
            Some(_) => Ok(()),
            None => {
                let missing = TopologyError::NoExchange(name.into());
                Err(self.fault(Named::Exchange(name), missing))
            }
        }
    }
}

fn kind_of(kind: &str, arguments: TableView<'_>) -> Result<ExchangeKind, Fault> {
    let text = |name| arguments.get(name).and_then(Value::text);
    Ok(match kind {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "topic" => ExchangeKind::Topic,
        "headers" => ExchangeKind::Headers,
        "x-consistent-hash" => {
            ExchangeKind::ConsistentHash(match (text("hash-header"), text("hash-property")) {
                (Some(header), _) => HashOn::Header(header.into()),
                (None, Some(property)) => HashOn::Property(property.into()),
                (None, None) => HashOn::Key,
            })
        }
        unknown => {
            let text = format!("unknown exchange type '{unknown}'");
            return Err(Fault::new(ReplyCode::CommandInvalid, text));
        }
    })
}
