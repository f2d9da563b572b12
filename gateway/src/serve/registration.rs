//! Connections of this broker's own to the NameServers of other processes.

use super::endpoints::split_host_port;
use anyhow::Result;
use gantry_connection::Shutdown;
use gantry_remoting::registrar::{LinkError, Registrar};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The registrations of one broker, one task a NameServer.
#[derive(Debug)]
pub(crate) struct Registrations {
    shutdown: Shutdown,
    tasks: JoinSet<()>,
}

impl Registrations {
    /// Begins to register with each of `name_servers` (`host:port`), whether or not it is there
    /// already. Must be called inside the runtime.
    ///
    /// # Errors
    /// One is no `host:port`.
    pub(crate) fn start(registrar: &Arc<Registrar>, name_servers: &[String]) -> Result<Self> {
        let shutdown = Shutdown::new();
        let mut tasks = JoinSet::new();
        for name_server in name_servers {
            split_host_port("remoting.name_servers", name_server)?;
            let registrar = Arc::clone(registrar);
            tasks.spawn(register(registrar, name_server.clone(), shutdown.clone()));
        }
        Ok(Self { shutdown, tasks })
    }

    /// Unregisters everywhere, taking at most `patience`.
    pub(crate) async fn finish(mut self, patience: Duration) {
        self.shutdown.request();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(patience, all).await.is_err() {
            tracing::warn!("a name server was not told that this broker leaves");
        }
    }
}

/// Registers with one NameServer again and again, until `shutdown` is asked for.
async fn register(registrar: Arc<Registrar>, name_server: String, shutdown: Shutdown) {
    let mut complaint = String::new();
    while !shutdown.is_requested() {
        let registered = || tracing::info!(name_server, "registered");
        let ended = connect_and_run(&registrar, &name_server, &shutdown, registered).await;
        let Err(error) = ended else { return };
        // Once a reason is enough: a name server may be away for days.
        let reason = error.to_string();
        if reason == complaint {
            tracing::debug!(name_server, reason, "not registered");
        } else {
            tracing::warn!(name_server, reason, "not registered");
            complaint = reason;
        }
        tokio::select! {
            () = sleep(registrar.retry_interval()) => {}
            () = shutdown.requested() => return,
        }
    }
}

async fn connect_and_run(
    registrar: &Registrar,
    name_server: &str,
    shutdown: &Shutdown,
    registered: impl FnOnce(),
) -> Result<(), LinkError> {
    let connected = timeout(registrar.connect_timeout(), TcpStream::connect(name_server));
    let stream = connected
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    stream.set_nodelay(true)?;
    registrar.run(stream, shutdown, registered).await
}
