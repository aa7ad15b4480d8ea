//! What every request can reach.

use crate::api::Folds;
use crate::config::Config;
use crate::control::Control;
use crate::documents::Documents;
use crate::files::Files;
use crate::media::Handle as Media;
use crate::metrics::Metrics;
use crate::rtc::Throttle;
use crate::store::Store;
use crate::token::Keyring;
use std::sync::Arc;

/// The server, as its requests see it.
pub struct App {
    /// How it is configured.
    pub config: Arc<Config>,
    /// Its API keys.
    pub keyring: Arc<Keyring>,
    /// What survives a crash.
    pub store: Store,
    /// Learning records.
    pub records: lyceum_lrs::Store,
    /// The running classes.
    pub control: Control,
    /// Boards and notes of the running classes.
    pub documents: Documents,
    /// Files of slides.
    pub files: Files,
    /// The media shards.
    pub media: Media,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Joins by address.
    pub throttle: Throttle,
    /// Turns at folding logs.
    pub folds: Folds,
}
