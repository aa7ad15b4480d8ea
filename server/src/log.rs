//! Log lines on standard error: pretty for people, JSON for machines. Nothing in this crate puts secrets, tokens or query strings
//! into one.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging, once per process. The error says what is wrong with the filter.
pub fn start(settings: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| {
        format!("log.filter is {:?}, expected for example \"info,lyceum::rtc=debug\": {error}", settings.filter)
    })?;
    let pretty = match settings.format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started =
        if pretty { lines.with_target(false).try_init() } else { lines.json().flatten_event(true).try_init() };
    started.map_err(|error| format!("logging cannot start: {error}"))
}
