//! A client's seat in a class: what it says goes into the class's mailbox, what it is told comes out of its own queue.
//! Whoever drops the seat, for whatever reason, the class hears that the socket is gone.

use super::now;
use super::session::Mail;
use crate::metrics::Present;
use livekit_protocol::{SignalRequest, SignalResponse};
use lyceum_node::{ClientId, CommandRequest};
use lyceum_session::{Reject, UnixMs};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// What a class has for one client.
#[derive(Debug)]
pub enum Outbound {
    /// A signal to send.
    Signal(Box<SignalResponse>),
    /// A message for a state socket.
    Text(Arc<str>),
    /// The welcome of a state socket: a JSON object that lacks its `token`.
    Welcome {
        /// The object.
        text: Arc<str>,
        /// The token to come back with.
        token: String,
    },
    /// The join is refused; nothing follows.
    Refused(Reject),
    /// Nothing follows: close the socket after what came before.
    Close,
}

/// A seat in a class.
pub struct Client {
    id: ClientId,
    mailbox: mpsc::Sender<Mail>,
    outbound: mpsc::Receiver<Outbound>,
    last_seen: UnixMs,
    _present: Present,
}

impl Client {
    pub(super) fn new(
        id: ClientId,
        mailbox: mpsc::Sender<Mail>,
        outbound: mpsc::Receiver<Outbound>,
        present: Present,
    ) -> Self {
        Self { id, mailbox, outbound, last_seen: now(), _present: present }
    }

    /// Its number in this server.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// The next that the class has for it. `None`: the class let it go, because its queue was full or the class is no more.
    pub async fn hear(&mut self) -> Option<Outbound> {
        self.outbound.recv().await
    }

    /// Brings what the client said to the class. Waits while the class is busy; false if the class is no more.
    pub async fn say(&self, request: SignalRequest) -> bool {
        self.mailbox.send(Mail::Signal { client: self.id, request: Box::new(request) }).await.is_ok()
    }

    /// Brings a command to the class. Waits while the class is busy; false if the class is no more.
    pub async fn commands(&self, command: Box<CommandRequest>) -> bool {
        self.mailbox.send(Mail::Command { client: self.id, command }).await.is_ok()
    }

    /// Brings a goodbye to the class; false if the class is no more.
    pub async fn says_goodbye(&self) -> bool {
        self.mailbox.send(Mail::Goodbye { client: self.id }).await.is_ok()
    }

    /// It gave a sign of life just now.
    pub fn is_seen(&mut self) {
        self.last_seen = now();
    }

    /// Whether the class is no more.
    pub fn is_class_over(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Waits until the class is no more.
    pub(super) async fn class_is_over(&self) {
        self.mailbox.closed().await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let gone = Mail::Gone { client: self.id, last_seen: self.last_seen };
        match self.mailbox.try_send(gone) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            // The news must not be lost, or the seat would stay taken; this ends as soon as the class has read one message.
            Err(TrySendError::Full(gone)) => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    let mailbox = self.mailbox.clone();
                    runtime.spawn(async move { mailbox.send(gone).await });
                }
            }
        }
    }
}
