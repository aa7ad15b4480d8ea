//! What is counted, and the Prometheus text of it. Counters are plain atomics that anybody may add to; gauges that others
//! own are read when the text is made.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::watch;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    /// So far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number of things that exist now: each holds a [`Present`].
#[derive(Clone, Debug, Default)]
pub struct Gauge(watch::Sender<u64>);

/// Counted in its gauge until it is dropped.
#[derive(Debug)]
pub struct Present(watch::Sender<u64>);

impl Gauge {
    /// One more, until the result is dropped.
    pub fn enter(&self) -> Present {
        self.0.send_modify(|count| *count += 1);
        Present(self.0.clone())
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        *self.0.borrow()
    }

    /// Resolves when there are none.
    pub async fn is_empty(&self) {
        // An error would mean that no sender is left, but `self` is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

macro_rules! metrics {
    (
        counters { $($counter:ident: $counter_name:literal, $counter_help:literal;)* }
        gauges { $($gauge:ident: $gauge_name:literal, $gauge_help:literal;)* }
    ) => {
        /// What the shell counts.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $( #[doc = $counter_help] pub $counter: Counter, )*
            $( #[doc = $gauge_help] pub $gauge: Gauge, )*
        }

        impl Metrics {
            /// As Prometheus reads it.
            pub fn write(&self, out: &mut Text) {
                $( out.counter($counter_name, $counter_help, self.$counter.get()); )*
                $( out.gauge($gauge_name, $gauge_help, self.$gauge.get() as f64); )*
            }
        }
    };
}

metrics! {
    counters {
        connections: "lyceum_http_connections_total", "HTTP connections accepted.";
        connections_refused: "lyceum_http_connections_refused_total", "HTTP connections turned away because http.max_connections was reached.";
        accept_failures: "lyceum_http_accept_failures_total", "Connections that could not be accepted.";
        tls_failures: "lyceum_tls_handshake_failures_total", "TLS handshakes that failed or took too long.";
        tls_reloads: "lyceum_tls_reloads_total", "Times that the TLS files were read again.";
        tls_reload_failures: "lyceum_tls_reload_failures_total", "Times that changed TLS files could not be used.";
        handler_panics: "lyceum_http_handler_panics_total", "HTTP requests whose handling panicked.";
        joins: "lyceum_joins_total", "Signalling sockets opened.";
        joins_refused: "lyceum_joins_refused_total", "Joins refused before the upgrade.";
        joins_throttled: "lyceum_joins_throttled_total", "Joins refused because of signal.max_joins_per_min.";
        signals_in: "lyceum_signals_received_total", "Signalling messages from clients.";
        signals_out: "lyceum_signals_sent_total", "Signalling messages to clients.";
        signals_malformed: "lyceum_signals_malformed_total", "Signalling messages that could not be read.";
        clients_too_slow: "lyceum_clients_closed_too_slow_total", "Clients closed because signal.queue_messages were waiting for them.";
        clients_malformed: "lyceum_clients_closed_malformed_total", "Clients closed because they kept sending messages that could not be read, or one that was too long.";
        clients_silent: "lyceum_clients_closed_silent_total", "Clients closed because they were silent for signal.silence_timeout_s.";
        devices_welcomed: "lyceum_state_sockets_total", "State sockets welcomed.";
        devices_refused: "lyceum_state_sockets_refused_total", "State sockets closed with a goodbye instead of a welcome.";
        commands: "lyceum_commands_total", "Commands over state sockets.";
        commands_unreadable: "lyceum_commands_unreadable_total", "Commands over state sockets and REST that could not be read or are unknown.";
        commands_rest: "lyceum_commands_rest_total", "Commands over REST.";
        state_malformed: "lyceum_state_messages_malformed_total", "Messages over state sockets that could not be read.";
        media_events_dropped: "lyceum_media_events_dropped_total", "Media events dropped because a class had signal.session_queue_messages waiting.";
        media_events_stray: "lyceum_media_events_stray_total", "Media events of connections that were gone.";
        sessions_started: "lyceum_sessions_started_total", "Classes begun.";
        sessions_recovered: "lyceum_sessions_recovered_total", "Classes taken up again from their log.";
        session_panics: "lyceum_session_panics_total", "Classes stopped because their logic panicked.";
        joins_rejected: "lyceum_class_joins_rejected_total", "Joins that a class refused: limits and what a token asks too much.";
        signals_refused: "lyceum_signals_refused_total", "Signals that could not be used: not permitted, senseless, or naming something unknown.";
        signals_flooded: "lyceum_signals_flooded_total", "Signals above a client's limits.signals_per_s.";
        data_refused: "lyceum_data_messages_refused_total", "Data messages that could not be used.";
        data_flooded: "lyceum_data_messages_flooded_total", "Data messages above a client's limits.data_messages_per_s or limits.data_bytes_per_s.";
        data_dropped: "lyceum_data_messages_dropped_total", "Reliable data messages that slow receivers lost.";
        document_updates: "lyceum_document_updates_total", "Updates of documents taken.";
        document_refusals: "lyceum_document_updates_refused_total", "Updates of documents refused, or passed over from read-only connections.";
        document_compactions: "lyceum_document_compactions_total", "Documents written as a whole.";
        document_failures: "lyceum_document_store_failures_total", "Documents that could not be read or written.";
        document_panics: "lyceum_document_panics_total", "Documents stopped because their logic panicked.";
        files_taken: "lyceum_files_taken_total", "Files of slides taken.";
        files_refused: "lyceum_files_refused_total", "Files of slides refused: not permitted, not what was announced, not fit to be shown.";
        store_failures: "lyceum_store_failures_total", "Appends and heartbeats that the store refused.";
        projected_statements: "lyceum_records_statements_total", "Statements made of what happened in classes and stored.";
        projection_conflicts: "lyceum_records_conflicts_total", "Statements about classes that the record store had in other words, and kept as they were.";
        projection_failures: "lyceum_records_failures_total", "Times that statements about classes could not be made or stored; most are tried again.";
    }
    gauges {
        conversations: "lyceum_http_connections", "HTTP connections open; WebSockets are no longer among them.";
        sessions: "lyceum_sessions", "Classes running.";
        clients: "lyceum_clients", "Signalling and state sockets in classes.";
        devices: "lyceum_state_sockets", "State sockets open, those included that have not said hello yet.";
        documents: "lyceum_documents", "Documents in memory.";
        document_clients: "lyceum_document_clients", "Connections to documents.";
        uploads: "lyceum_files_uploads", "Files of slides on their way in.";
        tasks: "lyceum_tasks", "Tasks of classes, sockets and services.";
    }
}

/// A Prometheus text in the making.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// One counter.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
    }

    /// One gauge.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }

    /// One metric with a value for each media shard.
    pub fn per_shard(&mut self, kind: &str, name: &str, help: &str, values: impl Iterator<Item = u64>) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (shard, value) in values.enumerate() {
            let _ = writeln!(self.0, "{name}{{shard=\"{shard}\"}} {value}");
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Open file descriptors of this process.
pub fn open_files() -> Option<usize> {
    // The listing itself holds one descriptor.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}
