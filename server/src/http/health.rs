//! For whoever runs the server: is it alive, may it get traffic, and what has it counted.

use super::error::ApiError;
use crate::app::App;
use crate::media::{ShardStats, Stats};
use crate::metrics::{Text, open_files};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;
use std::time::Duration;

/// A store that has not answered by then is not ready.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// New people may be sent here: the store writes, media moves, and the server is not about to stop.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.control.is_closing() {
        return Err(ApiError::unavailable("the server is shutting down"));
    }
    if !app.media.is_alive() {
        return Err(ApiError::unavailable("a media thread has stopped; restart the server"));
    }
    match tokio::time::timeout(STORE_PATIENCE, app.store.probe()).await {
        Ok(Ok(())) => Ok("ok\n"),
        Ok(Err(error)) => Err(ApiError::unavailable(format!("the store cannot be written: {error}"))),
        Err(_) => Err(ApiError::unavailable("the store does not answer")),
    }
}

/// Everything that is counted, for Prometheus.
pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut out = Text::default();
    app.metrics.write(&mut out);
    let store = app.store.stats();
    out.counter("lyceum_store_commits_total", "Transactions committed.", store.commits);
    out.counter("lyceum_store_events_total", "Events stored.", store.events);
    out.counter("lyceum_store_commit_microseconds_total", "Time spent in commits.", store.commit_us);
    out.gauge("lyceum_store_waiting_bytes", "Memory of what waits to be stored.", store.waiting_bytes as f64);
    let records = app.records.stats();
    out.counter("lyceum_lrs_commits_total", "Transactions of learning records committed.", records.commits);
    out.counter("lyceum_lrs_statements_total", "Statements stored.", records.statements);
    out.gauge("lyceum_lrs_waiting_bytes", "Memory of what waits to be stored.", records.waiting_bytes as f64);
    out.gauge("lyceum_files_bytes", "What the files of slides take on disk.", app.files.bytes() as f64);
    write_media(&mut out, &app.media.stats());
    if let Some(files) = open_files() {
        out.gauge("process_open_fds", "Open file descriptors.", files as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out.finish())
}

type Field = (&'static str, &'static str, &'static str, fn(&ShardStats) -> u64);

/// What each shard counts and holds.
const SHARD_FIELDS: [Field; 24] = [
    ("counter", "lyceum_media_received_datagrams_total", "Datagrams received.", |shard| shard.core.datagrams_in),
    ("counter", "lyceum_media_received_bytes_total", "Bytes received in datagrams.", |shard| shard.core.bytes_in),
    ("counter", "lyceum_media_unknown_datagrams_total", "Datagrams of nobody.", |shard| shard.core.datagrams_unknown),
    ("counter", "lyceum_media_sent_datagrams_total", "Datagrams sent.", |shard| shard.core.datagrams_out),
    ("counter", "lyceum_media_sent_bytes_total", "Bytes sent in datagrams.", |shard| shard.core.bytes_out),
    ("counter", "lyceum_media_send_dropped_datagrams_total", "Datagrams that the network refused.", |shard| {
        shard.udp.send_dropped
    }),
    ("counter", "lyceum_media_receive_calls_total", "System calls that received.", |shard| shard.udp.receive_calls),
    ("counter", "lyceum_media_send_calls_total", "System calls that sent.", |shard| shard.udp.send_calls),
    ("counter", "lyceum_media_received_packets_total", "RTP packets of publishers.", |shard| shard.core.packets_in),
    ("counter", "lyceum_media_forwarded_packets_total", "RTP packets to subscribers.", |shard| {
        shard.core.packets_forwarded
    }),
    ("counter", "lyceum_media_keyframe_requests_total", "Key frames asked of publishers.", |shard| {
        shard.core.keyframe_requests
    }),
    ("counter", "lyceum_media_received_messages_total", "Data messages received.", |shard| shard.core.messages_in),
    ("counter", "lyceum_media_sent_messages_total", "Data messages sent.", |shard| shard.core.messages_out),
    ("counter", "lyceum_media_dropped_messages_total", "Reliable data messages that slow receivers lost.", |shard| {
        shard.core.messages_dropped
    }),
    (
        "counter",
        "lyceum_media_refused_descriptions_total",
        "Session descriptions and candidates that could not be used.",
        |shard| shard.core.refused,
    ),
    (
        "counter",
        "lyceum_media_events_lost_total",
        "Data and levels dropped because control did not keep up.",
        |shard| shard.events_dropped,
    ),
    ("counter", "lyceum_media_ticks_total", "Turns of the shard's loop.", |shard| shard.ticks),
    ("gauge", "lyceum_media_longest_tick_microseconds", "The longest turn of the shard's loop so far.", |shard| {
        shard.longest_tick_us
    }),
    ("gauge", "lyceum_media_connections", "Media connections.", |shard| shard.core.connections),
    ("gauge", "lyceum_media_tracks", "Published tracks.", |shard| shard.core.tracks),
    ("gauge", "lyceum_media_subscriptions", "Subscriptions.", |shard| shard.core.subscriptions),
    ("gauge", "lyceum_media_addresses", "Remote addresses known.", |shard| shard.core.addresses),
    ("gauge", "lyceum_media_timers", "Timers set.", |shard| shard.core.timers),
    ("gauge", "lyceum_media_shards", "Always 1: there is such a shard.", |_| 1),
];

fn write_media(out: &mut Text, stats: &Stats) {
    for (kind, name, help, field) in SHARD_FIELDS {
        out.per_shard(kind, name, help, stats.shards.iter().map(field));
    }
    out.gauge("lyceum_media_tcp_connections", "Open ICE-TCP connections.", stats.tcp_connections as f64);
    out.gauge("lyceum_media_routes", "Media connections and tracks that the routing table knows.", stats.routes as f64);
    out.counter(
        "lyceum_media_commands_dropped_total",
        "Commands dropped because a shard did not keep up; anything but 0 is a fault of the server.",
        stats.commands_dropped,
    );
}
