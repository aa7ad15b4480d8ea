//! "This class was alive at this moment", in the store every few seconds: after a crash, the intervals of people who do not
//! come back close there.

use super::{Control, now};
use crate::metrics::Metrics;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(2);

/// Runs for ever.
pub async fn run(control: Control, store: Store, metrics: Arc<Metrics>) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let sessions = control.sessions();
        if sessions.is_empty() {
            continue;
        }
        if let Err(error) = store.heartbeat(sessions, now()).await {
            metrics.store_failures.add(1);
            tracing::error!(%error, "that classes are alive could not be stored");
        }
    }
}
