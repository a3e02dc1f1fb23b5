//! `msq-gate serve`: runs the proxy until it is told to stop

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::load::{Tell, load};
use super::{Exit, fail, say};
use crate::base::log;
use crate::server::{Server, StartError};

pub(super) fn run(file: &Path) -> Result<(), Exit> {
    let config = load(file, Tell::Everything)?;
    let faults = super::check::of_files(file, &config);
    if let Some(fault) = faults.first() {
        return Err(fail(Exit::Configuration, format_args!("{}: {fault}", file.display())));
    }
    log::begin().map_err(|error| fail(Exit::System, format_args!("there is no log: {error}")))?;
    let served = super::run_to_its_end(serve(config, file))?;
    match served.map_err(|error| fail(exit(&error), format_args!("{}: {error}", file.display())))? {
        0 => Ok(()),
        _ => Err(Exit::Cut),
    }
}

fn exit(error: &StartError) -> Exit {
    let is_the_systems = matches!(error, StartError::Bind { .. } | StartError::System(_));
    if is_the_systems { Exit::System } else { Exit::Configuration }
}

/// Serves until it is told to stop; how many requests had to be cut then
async fn serve(config: crate::config::Config, file: &Path) -> Result<usize, StartError> {
    let mut signals = Signals::new()?;
    let server = Server::start(config).await?;
    server.watch(file.to_owned());
    for address in &server.addresses {
        say(format_args!("listening on https://{address}"));
    }
    tracing::info!(addresses = ?server.addresses, admin = %server.admin_address, "listening");
    while let Told::Refresh = signals.next().await {
        server.refresh().await;
    }
    let cut = server.drain_unless(signals.stop()).await;
    if cut > 0 {
        tracing::warn!(cut, "requests were still in flight at the end, and are left");
    }
    Ok(cut)
}

/// What a signal asks for
pub(super) enum Told {
    Refresh,
    Stop,
}

/// The signals that end a command, or ask it to look again
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, StartError> {
        let on = |kind| signal(kind).map_err(|_| StartError::System("signals"));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody says, perhaps again, that it is to stop
    async fn stop(&mut self) {
        while let Told::Refresh = self.next().await {}
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Refresh,
        }
    }
}
