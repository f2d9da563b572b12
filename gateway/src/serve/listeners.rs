//! The sockets that are listened on, bound before the store opens: a port in use is found first.

use crate::config::{Config, Role};
use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, TcpListener};

/// Connections the kernel keeps while none is accepted.
const BACKLOG: i32 = 1_024;
/// Tries to find a free pair of ports two apart.
const PAIR_TRIES: u32 = 64;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    NameServer,
    Remoting,
    Vip,
    Kafka,
    Amqp,
    Management,
    OpenMessaging,
    Admin,
}

impl Bound {
    /// Its name in the ready file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NameServer => "namesrv",
            Self::Remoting => "remoting",
            Self::Vip => "vip",
            Self::Kafka => "kafka",
            Self::Amqp => "amqp",
            Self::Management => "management",
            Self::OpenMessaging => "openmessaging",
            Self::Admin => "admin",
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Listeners {
    sockets: Vec<(Bound, TcpListener)>,
}

impl Listeners {
    /// Binds every address that the roles of this process need.
    ///
    /// # Errors
    /// The address that cannot be bound.
    pub(crate) fn bind(config: &Config) -> Result<Self> {
        let mut sockets = Vec::new();
        if config.has(Role::Namesrv) {
            let namesrv = bind("namesrv.listen", config.namesrv.listen)?;
            sockets.push((Bound::NameServer, namesrv));
        }
        if config.has(Role::Broker) {
            let (remoting, vip) = bind_pair(config.remoting.listen, config.remoting.vip_listen)?;
            sockets.push((Bound::Remoting, remoting));
            sockets.push((Bound::Vip, vip));
            sockets.push((Bound::Kafka, bind("kafka.listen", config.kafka.listen)?));
            sockets.push((Bound::Amqp, bind("amqp.listen", config.amqp.listen)?));
            let management = bind("management.listen", config.management.listen)?;
            sockets.push((Bound::Management, management));
            let openmessaging = bind("openmessaging.listen", config.openmessaging.listen)?;
            sockets.push((Bound::OpenMessaging, openmessaging));
        }
        sockets.push((Bound::Admin, bind("admin.listen", config.admin.listen)?));
        Ok(Self { sockets })
    }

    /// The real address of one.
    pub(crate) fn address(&self, wanted: Bound) -> Result<SocketAddr> {
        let socket = self.sockets.iter().find(|(bound, _)| *bound == wanted);
        let (_, socket) = socket.ok_or_else(|| anyhow!("{} is not bound", wanted.name()))?;
        Ok(socket.local_addr()?)
    }

    /// All real addresses.
    pub(crate) fn bound(&self) -> Vec<(Bound, SocketAddr)> {
        let address = |(bound, socket): &(Bound, TcpListener)| {
            socket.local_addr().ok().map(|address| (*bound, address))
        };
        self.sockets.iter().filter_map(address).collect()
    }

    /// Hands them to the runtime.
    pub(crate) fn into_tokio(self) -> Result<Vec<(Bound, tokio::net::TcpListener)>> {
        let convert = |(bound, socket): (Bound, TcpListener)| {
            socket.set_nonblocking(true)?;
            Ok((bound, tokio::net::TcpListener::from_std(socket)?))
        };
        self.sockets.into_iter().map(convert).collect()
    }
}

fn bind(key: &str, address: SocketAddr) -> Result<TcpListener> {
    try_bind(address).with_context(|| format!("{key}: {address} cannot be bound"))
}

fn try_bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// RocketMQ clients look for the VIP channel two below the broker's port.
fn bind_pair(remoting: SocketAddr, vip: SocketAddr) -> Result<(TcpListener, TcpListener)> {
    if remoting.port() != 0 || vip.port() != 0 {
        return Ok((
            bind("remoting.listen", remoting)?,
            bind("remoting.vip_listen", vip)?,
        ));
    }
    for _ in 0..PAIR_TRIES {
        let broker = bind("remoting.listen", remoting)?;
        let port = broker.local_addr()?.port().saturating_sub(2);
        if let Ok(vip) = try_bind(SocketAddr::new(vip.ip(), port)) {
            return Ok((broker, vip));
        }
    }
    Err(anyhow!(
        "no two free ports two apart were found for the broker and its VIP channel"
    ))
}
