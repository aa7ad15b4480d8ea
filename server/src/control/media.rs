//! The way from the media shards back to the classes: which connection and which group belongs to whose mailbox.

use super::session::Mail;
use crate::metrics::Metrics;
use lyceum_sfu::{ConnKey, Event, GroupKey};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// What a media event is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Subject {
    Conn(ConnKey),
    Group(GroupKey),
}

/// Whose mailbox gets what.
#[derive(Clone, Debug, Default)]
pub struct Table(Arc<RwLock<HashMap<Subject, mpsc::Sender<Mail>>>>);

/// One class's entries in the table; they are gone when it is.
#[derive(Debug)]
pub struct Routes {
    table: Table,
    group: GroupKey,
    mailbox: mpsc::Sender<Mail>,
    conns: HashSet<ConnKey>,
}

impl Routes {
    pub fn new(table: Table, group: GroupKey, mailbox: mpsc::Sender<Mail>) -> Self {
        table.insert(Subject::Group(group), &mailbox);
        Self { table, group, mailbox, conns: HashSet::new() }
    }

    /// The connections of the class.
    pub fn conns(&self) -> impl Iterator<Item = ConnKey> {
        self.conns.iter().copied()
    }

    pub fn add(&mut self, conn: ConnKey) {
        self.table.insert(Subject::Conn(conn), &self.mailbox);
        self.conns.insert(conn);
    }

    pub fn remove(&mut self, conn: ConnKey) {
        self.table.remove(Subject::Conn(conn));
        self.conns.remove(&conn);
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        self.table.remove(Subject::Group(self.group));
        for conn in &self.conns {
            self.table.remove(Subject::Conn(*conn));
        }
    }
}

impl Table {
    fn insert(&self, subject: Subject, mailbox: &mpsc::Sender<Mail>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(subject, mailbox.clone());
    }

    fn remove(&self, subject: Subject) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&subject);
    }

    fn mailbox(&self, subject: Subject) -> Option<mpsc::Sender<Mail>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&subject).cloned()
    }
}

/// Brings events to their classes until the shards end. One class that does not read must not hold up the others, so what
/// finds its mailbox full is dropped and counted.
pub async fn route(mut events: mpsc::Receiver<Event>, table: &Table, metrics: &Metrics) {
    while let Some(event) = events.recv().await {
        let Some(mailbox) = table.mailbox(subject(&event)) else {
            metrics.media_events_stray.add(1);
            continue;
        };
        match mailbox.try_send(Mail::Media(event)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => metrics.media_events_dropped.add(1),
            Err(TrySendError::Closed(_)) => metrics.media_events_stray.add(1),
        }
    }
}

fn subject(event: &Event) -> Subject {
    match event {
        Event::PublisherAnswer { conn, .. }
        | Event::SubscriberOffer { conn, .. }
        | Event::Connected { conn, .. }
        | Event::Disconnected { conn, .. }
        | Event::TrackMatched { conn, .. }
        | Event::TrackEnded { conn, .. }
        | Event::Data { conn, .. }
        | Event::DataDropped { conn, .. }
        | Event::StreamPaused { conn, .. }
        | Event::LayersWanted { conn, .. }
        | Event::Network { conn, .. }
        | Event::Refused { conn, .. } => Subject::Conn(*conn),
        Event::Speakers { group, .. } | Event::Fenced { group, .. } => Subject::Group(*group),
    }
}
