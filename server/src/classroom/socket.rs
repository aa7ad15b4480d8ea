//! One state socket, from the upgrade to its end: hears who it is, carries commands to the class and its messages back, likewise for
//! the documents that are open on it, answers pings, and notices silence, floods of garbage and slowness. When it returns, the
//! client's seats are dropped, and its class and documents hear of it.

use super::documents::{OpenDocuments, Pulse};
use super::door::{self, Bye};
use super::message::{self, NoCommand, Ping, Said, Unreadable};
use crate::app::App;
use crate::control::{Client, Outbound, now};
use crate::http::listen::Peer;
use crate::http::ws::{Lost, MAX_MALFORMED, Rules, close};
use crate::metrics::Metrics;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, close_code};
use lyceum_node::{Ack, CommandRequest};
use lyceum_session::UnixMs;
use serde::Serialize;
use serde_json::Number;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a client may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);

/// How long the pulse of the class waits for its documents.
const DOCUMENT_PULSE: Duration = Duration::from_millis(250);

/// Why a conversation is over.
enum Over {
    /// The class has said the last word.
    Done,
    /// The client closed its side, or the network did.
    Lost,
    /// The client is told why, and sent away.
    Told(Bye),
    /// The client is sent away with a close code and a reason: it does not speak the protocol.
    SentAway(u16, String),
}

/// A message that is not the class's.
#[derive(Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Own<'a> {
    Pong { id: &'a Number, at: &'a Number, received: UnixMs, sent: UnixMs },
    Error { code: &'a str, message: &'a str },
}

/// The answer to a command that cannot be read.
pub(crate) fn unread(no: NoCommand) -> Ack {
    Ack::refused(no.id, no.code, no.message)
}

/// Carries messages until one side has enough. `_peer` counts as a connection while this runs.
pub async fn converse(mut socket: WebSocket, app: Arc<App>, rules: Rules, _peer: Peer) {
    let metrics = app.metrics.clone();
    let (_task, _open) = (metrics.tasks.enter(), metrics.devices.enter());
    let mut conversation = Conversation { socket: &mut socket, malformed: 0, rules, metrics: &metrics };
    let over = match conversation.greet(&app).await {
        Ok((mut client, first, mut documents)) => {
            let over = match conversation.tell(Some(first), &client, &mut documents).await {
                Ok(()) => conversation.carry(&mut client, &mut documents).await,
                Err(over) => over,
            };
            // The class hears of it now; a slow goodbye holds up nobody.
            let id = client.id();
            drop((client, documents));
            tracing::debug!(client = id.0, "state socket over");
            over
        }
        Err(over) => {
            metrics.devices_refused.add(1);
            over
        }
    };
    let over = match over {
        Over::Told(bye) => conversation.say(&bye).await.err().unwrap_or(Over::Done),
        over => over,
    };
    match over {
        Over::Lost | Over::Told(_) => {}
        Over::Done => close(socket, close_code::NORMAL, String::new()).await,
        Over::SentAway(code, reason) => close(socket, code, reason).await,
    }
}

struct Conversation<'a> {
    socket: &'a mut WebSocket,
    malformed: u32,
    rules: Rules,
    metrics: &'a Metrics,
}

impl Conversation<'_> {
    /// Hears who it is, and asks the class for them.
    async fn greet(&mut self, app: &App) -> Result<(Client, Outbound, OpenDocuments), Over> {
        let hello = match tokio::time::timeout(HELLO, self.first_message()).await {
            Err(_) => return Err(Over::Told(Bye::for_now("slow", "no `hello` came within ten seconds"))),
            Ok(Err(over)) => return Err(over),
            Ok(Ok(text)) => match message::read(&text) {
                Ok(Said::Hello(hello)) => *hello,
                Ok(_) => return Err(Over::Told(Bye::for_good("invalid", "the first message must be a `hello`"))),
                Err(Unreadable { message, .. }) => {
                    self.metrics.state_malformed.add(1);
                    return Err(Over::Told(Bye::for_good("invalid", message)));
                }
            },
        };
        let entered = match door::visitor(app, hello) {
            Ok(visitor) => {
                let (tenant, room) = (visitor.tenant.clone(), visitor.room.clone());
                let documents = OpenDocuments::new(app.documents.clone(), tenant, room, visitor.enter.person.clone());
                let entered = app.control.enter(visitor).await.map_err(Bye::from);
                entered.map(|(client, first)| (client, first, documents))
            }
            Err(bye) => Err(bye),
        };
        let (client, first, documents) = entered.map_err(|bye| {
            // The details may quote the token, for whoever sent it.
            tracing::info!(code = bye.code, "state socket refused");
            Over::Told(bye)
        })?;
        let welcomed = matches!(first, Outbound::Welcome { .. });
        if welcomed { &self.metrics.devices_welcomed } else { &self.metrics.devices_refused }.add(1);
        Ok((client, first, documents))
    }

    async fn first_message(&mut self) -> Result<Utf8Bytes, Over> {
        loop {
            match self.socket.recv().await {
                None | Some(Ok(Message::Close(_))) => return Err(Over::Lost),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => return self.short_enough(text),
                Some(Ok(Message::Binary(_))) => {
                    self.metrics.state_malformed.add(1);
                    return Err(Over::Told(Bye::for_good("invalid", NOT_BINARY)));
                }
                Some(Err(error)) => return Err(self.unreadable(&error)),
            }
        }
    }

    async fn carry(&mut self, client: &mut Client, documents: &mut OpenDocuments) -> Over {
        let mut ping = self.rules.pings();
        let mut heard_at = Instant::now();
        loop {
            let step = tokio::select! {
                biased;
                outbound = client.hear() => self.tell(outbound, client, documents).await,
                frame = self.socket.recv() => {
                    heard_at = Instant::now();
                    client.is_seen();
                    self.listen(frame, client, documents).await
                }
                message = documents.hear() => match message {
                    Some(message) => self.send(message).await,
                    None => Ok(()),
                },
                _ = ping.tick() => self.send(Message::Ping(Default::default())).await,
                () = tokio::time::sleep_until(heard_at + self.rules.silence_timeout) => {
                    self.metrics.clients_silent.add(1);
                    Err(Over::Told(Bye::for_now("slow", "nothing was heard from you for too long")))
                }
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    async fn tell(
        &mut self,
        outbound: Option<Outbound>,
        client: &Client,
        documents: &mut OpenDocuments,
    ) -> Result<(), Over> {
        match outbound {
            Some(Outbound::Text(text)) if text.starts_with(PULSE) => self.pulse(&text, documents).await,
            Some(Outbound::Text(text)) => self.send(Message::Text(Utf8Bytes::from(&*text))).await,
            Some(Outbound::Welcome { text, token }) => self.send(Message::Text(with_token(&text, &token).into())).await,
            // A class tells a state socket nothing else.
            Some(Outbound::Signal(_)) => Ok(()),
            Some(Outbound::Close | Outbound::Refused(_)) => Err(Over::Done),
            None if client.is_class_over() => Err(Over::Told(class_is_gone())),
            None => {
                let message = "you do not keep up with what the class tells you; connect again";
                Err(Over::Told(Bye::for_now("slow", message)))
            }
        }
    }

    /// The pulse of the class, with how its documents are that are open here.
    async fn pulse(&mut self, text: &str, documents: &mut OpenDocuments) -> Result<(), Over> {
        let mut asked = documents.ask_for_pulses();
        let until = Instant::now() + DOCUMENT_PULSE;
        while let Ok(Some(message)) = tokio::time::timeout_at(until, documents.hear_before_pulse(&mut asked)).await {
            self.send(message).await?;
        }
        self.send(Message::Text(with_documents(text, &asked.pulses).into())).await
    }

    async fn listen(
        &mut self,
        frame: Option<Result<Message, axum::Error>>,
        client: &Client,
        documents: &mut OpenDocuments,
    ) -> Result<(), Over> {
        let received = now();
        let text = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(Over::Lost),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(bytes))) => {
                return match documents.take(&bytes).await {
                    Ok(None) => Ok(()),
                    Ok(Some(closed)) => self.say(&closed).await,
                    Err(_) => self.complain("invalid", NO_DOCUMENT).await,
                };
            }
            Some(Ok(Message::Text(text))) => self.short_enough(text)?,
            Some(Err(error)) => return Err(self.unreadable(&error)),
        };
        let known = match message::read(&text) {
            Err(Unreadable { code, message }) => return self.complain(code, &message).await,
            Ok(Said::Hello(_)) => return self.complain("conflict", "you have said `hello` already").await,
            Ok(Said::NoCommand(no)) => {
                self.metrics.commands_unreadable.add(1);
                return self.say(&unread(no)).await;
            }
            Ok(Said::Ping(Ping { id, at })) => {
                return self.say(&Own::Pong { id: &id, at: &at, received, sent: now() }).await;
            }
            Ok(Said::DocClose(name)) => {
                documents.let_go(&name);
                return Ok(());
            }
            Ok(Said::Leave) => client.says_goodbye().await,
            Ok(Said::Command(asked)) => {
                self.metrics.commands.add(1);
                client.commands(Box::new(request(*asked, received))).await
            }
        };
        if known { Ok(()) } else { Err(Over::Told(class_is_gone())) }
    }

    /// A message that is none changes nothing, and its sender is told.
    async fn complain(&mut self, code: &str, message: &str) -> Result<(), Over> {
        self.metrics.state_malformed.add(1);
        self.malformed += 1;
        self.say(&Own::Error { code, message }).await?;
        if self.malformed < MAX_MALFORMED {
            return Ok(());
        }
        self.metrics.clients_malformed.add(1);
        Err(Over::SentAway(close_code::INVALID, "too many messages that cannot be read".to_owned()))
    }

    /// The socket lets larger messages in than texts may be, for documents.
    fn short_enough(&self, text: Utf8Bytes) -> Result<Utf8Bytes, Over> {
        if text.len() <= self.rules.max_message_bytes {
            return Ok(text);
        }
        self.metrics.state_malformed.add(1);
        self.metrics.clients_malformed.add(1);
        let (code, reason) = self.rules.too_large();
        Err(Over::SentAway(code, reason))
    }

    fn unreadable(&self, error: &axum::Error) -> Over {
        let Ok((code, reason)) = self.rules.unreadable(error) else { return Over::Lost };
        self.metrics.state_malformed.add(1);
        self.metrics.clients_malformed.add(1);
        Over::SentAway(code, reason)
    }

    async fn say(&mut self, message: &impl Serialize) -> Result<(), Over> {
        match serde_json::to_string(message) {
            Ok(text) => self.send(Message::Text(text.into())).await,
            Err(error) => {
                tracing::error!(%error, "a message could not be written; this is a bug");
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

const NOT_BINARY: &str = "the first message is a JSON object in a text message, and this was a binary one";
const NO_DOCUMENT: &str =
    "a binary message is the name of a document and a message of y-protocols, and this one is not";
/// How the class's pulses begin, and nothing else does.
const PULSE: &str = r#"{"t":"pulse","#;

fn class_is_gone() -> Bye {
    Bye::for_now("restart", "the class was interrupted; connect again")
}

/// A command for the class.
pub(crate) fn request(asked: message::Asked, received_at: UnixMs) -> CommandRequest {
    let message::Asked { id, digest, command, expect, epoch } = asked;
    CommandRequest { id, digest, command, expect, epoch, received_at }
}

/// Puts the token into the object of a welcome.
fn with_token(welcome: &str, token: &str) -> String {
    let token = serde_json::Value::from(token);
    let open = welcome.trim_end().strip_suffix('}').unwrap_or(welcome);
    format!("{open},\"token\":{token}}}")
}

/// Puts the documents into the object of a pulse.
fn with_documents(pulse: &str, documents: &BTreeMap<String, Pulse>) -> String {
    let open = pulse.trim_end().strip_suffix('}').unwrap_or(pulse);
    match serde_json::to_string(documents) {
        Ok(text) if !documents.is_empty() => format!("{open},\"docs\":{text}}}"),
        _ => pulse.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_session::CmdId;
    use serde_json::json;

    #[test]
    fn a_welcome_gets_its_token() {
        let text = with_token(r#"{"t":"welcome","snapshot":{}}"#, "e.y.J");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, json!({"t": "welcome", "snapshot": {}, "token": "e.y.J"}));
    }

    #[test]
    fn our_own_messages_have_the_documented_form() {
        let written = |message: &Own<'_>| serde_json::to_value(message).unwrap();
        let (id, at) = (Number::from(7), Number::from_f64(1.5).unwrap());
        let pong = Own::Pong { id: &id, at: &at, received: UnixMs(2), sent: UnixMs(3) };
        assert_eq!(written(&pong), json!({"t": "pong", "id": 7, "at": 1.5, "received": 2, "sent": 3}));
        let no = NoCommand { id: CmdId("c".to_owned()), code: "invalid", message: "why".to_owned() };
        let ack = json!({
            "t": "ack", "id": "c", "status": "rejected", "code": "invalid", "message": "why", "enforced": true,
        });
        assert_eq!(serde_json::to_value(unread(no)).unwrap(), ack);
        let bye = serde_json::to_value(Bye::for_now("slow", "why")).unwrap();
        assert_eq!(bye, json!({"t": "bye", "code": "slow", "message": "why", "retry": true}));
    }
}
