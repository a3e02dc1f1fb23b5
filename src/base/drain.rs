//! The sign that the gate is to stop

use tokio::sync::watch;

/// Waits until the gate is to stop, or nobody is left who could say so
pub async fn begins(draining: &mut watch::Receiver<bool>) {
    // The guard must not live on; an error says that the sender is gone, which ends everything too.
    drop(draining.wait_for(|draining| *draining).await);
}
