//! One signalling socket, from the upgrade to its end: carries signals both ways, pings, and notices silence, floods of
//! garbage and slowness. When it returns, the client's seat is dropped and its class hears of it.

use super::frame::{self, Form};
use crate::control::{Client, Outbound};
use crate::http::listen::Peer;
use crate::http::ws::{Lost, MAX_MALFORMED, Rules, close};
use crate::metrics::Metrics;
use axum::extract::ws::{Message, WebSocket, close_code};
use livekit_protocol::request_response::Reason;
use livekit_protocol::{RequestResponse, SignalResponse, signal_response};
use std::sync::Arc;
use tokio::time::Instant;

/// Why a conversation is over.
enum Over {
    /// The class has nothing more to say.
    Done,
    /// The client closed its side, or the network did.
    Lost,
    /// The client is sent away with a close code and a reason.
    SentAway(u16, String),
}

/// Carries signals until one side has enough. `_peer` counts as a connection while this runs.
pub async fn converse(
    mut socket: WebSocket,
    mut client: Client,
    first: Box<SignalResponse>,
    rules: Rules,
    metrics: Arc<Metrics>,
    _peer: Peer,
) {
    let _task = metrics.tasks.enter();
    let mut conversation =
        Conversation { socket: &mut socket, form: Form::default(), malformed: 0, rules, metrics: &metrics };
    let over = match conversation.send_signal(&first).await {
        Ok(()) => conversation.carry(&mut client).await,
        Err(over) => over,
    };
    // The class hears of it now; a slow goodbye holds up nobody.
    let id = client.id();
    drop(client);
    tracing::debug!(client = id.0, "socket over");
    match over {
        Over::Lost => {}
        Over::Done => close(socket, close_code::NORMAL, String::new()).await,
        Over::SentAway(code, reason) => close(socket, code, reason).await,
    }
}

struct Conversation<'a> {
    socket: &'a mut WebSocket,
    form: Form,
    malformed: u32,
    rules: Rules,
    metrics: &'a Metrics,
}

impl Conversation<'_> {
    async fn carry(&mut self, client: &mut Client) -> Over {
        let mut ping = self.rules.pings();
        let mut heard_at = Instant::now();
        loop {
            let step = tokio::select! {
                biased;
                outbound = client.hear() => self.tell(outbound).await,
                frame = self.socket.recv() => {
                    heard_at = Instant::now();
                    client.is_seen();
                    self.listen(frame, client).await
                }
                _ = ping.tick() => self.send(Message::Ping(Default::default())).await,
                () = tokio::time::sleep_until(heard_at + self.rules.silence_timeout) => {
                    self.metrics.clients_silent.add(1);
                    Err(Over::SentAway(close_code::AWAY, "nothing was heard from you for too long".to_owned()))
                }
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    async fn tell(&mut self, outbound: Option<Outbound>) -> Result<(), Over> {
        match outbound {
            Some(Outbound::Signal(response)) => self.send_signal(&response).await,
            // Not for a socket of this kind.
            Some(Outbound::Text(_) | Outbound::Welcome { .. }) => Ok(()),
            Some(Outbound::Close | Outbound::Refused(_)) => Err(Over::Done),
            None => {
                let reason = "the class let you go because you do not keep up; connect again";
                Err(Over::SentAway(close_code::AGAIN, reason.to_owned()))
            }
        }
    }

    async fn listen(&mut self, frame: Option<Result<Message, axum::Error>>, client: &Client) -> Result<(), Over> {
        let (form, bytes) = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(Over::Lost),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(bytes))) => (Form::Binary, bytes),
            Some(Ok(Message::Text(text))) => (Form::Text, text.into()),
            Some(Err(error)) => return Err(self.unreadable(&error)),
        };
        self.form = form;
        self.metrics.signals_in.add(1);
        match frame::decode(form, &bytes) {
            Err(reason) => self.complain(reason).await,
            Ok(request) => match client.say(request).await {
                true => Ok(()),
                false => Err(Over::SentAway(close_code::RESTART, "the class is no more; connect again".to_owned())),
            },
        }
    }

    /// A message that is none changes nothing, and its sender is told.
    async fn complain(&mut self, reason: String) -> Result<(), Over> {
        self.metrics.signals_malformed.add(1);
        self.malformed += 1;
        if self.malformed >= MAX_MALFORMED {
            self.metrics.clients_malformed.add(1);
            return Err(Over::SentAway(
                close_code::INVALID,
                format!("too many messages that cannot be read; {reason}"),
            ));
        }
        let response = RequestResponse { reason: Reason::InvalidRequest.into(), message: reason, ..Default::default() };
        self.send_signal(&SignalResponse { message: Some(signal_response::Message::RequestResponse(response)) }).await
    }

    fn unreadable(&self, error: &axum::Error) -> Over {
        let Ok((code, reason)) = self.rules.unreadable(error) else { return Over::Lost };
        self.metrics.signals_malformed.add(1);
        self.metrics.clients_malformed.add(1);
        Over::SentAway(code, reason)
    }

    async fn send_signal(&mut self, response: &SignalResponse) -> Result<(), Over> {
        match frame::encode(self.form, response) {
            Ok(message) => self.send(message).await,
            Err(error) => {
                tracing::error!(%error, "a signal could not be written; this is a bug");
                Ok(())
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        Ok(self.rules.send(self.socket, message, self.metrics).await?)
    }
}

impl From<Lost> for Over {
    fn from(_: Lost) -> Self {
        Over::Lost
    }
}
