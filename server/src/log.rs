//! Log lines on standard error: pretty for people, JSON for machines. Nothing in this crate puts secrets, tokens or query
//! strings into one, and libraries that would, in their own details, are kept from it.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// These print whole messages and headers, tokens included, when asked for more than `info`; whatever the filter says, they are
/// not asked.
const CARRY_SECRETS: [&str; 7] = ["tungstenite", "tokio_tungstenite", "hyper", "h2", "axum", "tower", "ureq"];

/// Starts logging, once per process. The error says what is wrong with the filter.
pub fn start(settings: &Log) -> Result<(), String> {
    let wanted = EnvFilter::try_new(&settings.filter).map_err(|error| {
        format!("log.filter is {:?}, expected for example \"info,lyceum::rtc=debug\": {error}", settings.filter)
    })?;
    let harmless = filter_fn(|line| *line.level() <= tracing::Level::INFO || !carries_secrets(line.target()));
    let pretty = match settings.format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if pretty { lines.with_target(false).boxed() } else { lines.json().flatten_event(true).boxed() };
    let started = tracing_subscriber::registry().with(lines.with_filter(wanted.and(harmless))).try_init();
    started.map_err(|error| format!("logging cannot start: {error}"))?;
    // A panic is a line like others; what becomes of it is decided where it is caught.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        let payload = panic.payload();
        let what = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, what, %backtrace, "a bug: something panicked");
    }));
    Ok(())
}

/// `hyper` stands for `hyper_util` as well.
fn carries_secrets(target: &str) -> bool {
    CARRY_SECRETS.iter().any(|library| target.starts_with(library))
}
