//! Messages that OpenMessaging's consumers are sent, on a thread of their own: TLS and slow
//! receivers are nothing that connections wait for.

use anyhow::{Result, anyhow};
use gantry_openmessaging::OpenMessaging;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The thread.
#[derive(Debug)]
pub(crate) struct Callbacks {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Callbacks {
    /// Begins to send; what is under way at the end has `patience`.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn start(server: Arc<OpenMessaging>, patience: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            let stopped = async { drop(stopped.await) };
            runtime.block_on(server.run_callbacks(stopped, patience));
            // A name that is being resolved may take longer than anybody waits.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("gantry-callbacks".to_owned());
        let thread = thread.spawn(body)?;
        Ok(Self { stop, thread })
    }

    /// Has it begin no more requests.
    pub(crate) fn stop(self) -> Stopping {
        drop(self.stop);
        Stopping(self.thread)
    }
}

/// A thread that is on its way to its end.
#[derive(Debug)]
pub(crate) struct Stopping(JoinHandle<()>);

impl Stopping {
    /// Waits for it.
    ///
    /// # Errors
    /// It panicked.
    pub(crate) fn finish(self) -> Result<()> {
        let ended = self.0.join();
        ended.map_err(|_| anyhow!("the thread of callbacks panicked"))
    }
}
