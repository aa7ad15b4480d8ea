//! What a client says on the state socket, from text to types. A message that cannot be read is answered with a sentence that
//! names the field and what is expected there; nothing is guessed.

use super::json::{self, kind};
use super::quoted;
use lyceum_session::class::{ClassCommand, Epoch};
use lyceum_session::{CmdId, Seq, SessionId};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde_json::{Map, Number, Value};

/// Longest id of a command and longest name of a device, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The largest whole number that every reader of JSON keeps.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// Longer texts about a device are cut: they are for people to read.
const MAX_TEXT_CHARS: usize = 64;

/// Longest type of a command that is repeated in an answer, in characters.
const MAX_QUOTED_CHARS: usize = 64;

/// One message.
#[derive(Clone, PartialEq, Debug)]
pub enum Said {
    /// Who it is.
    Hello(Box<Hello>),
    /// What they want.
    Command(Box<Asked>),
    /// A command that is answered here: it has an id, and cannot be read.
    NoCommand(NoCommand),
    /// A question for the time.
    Ping(Ping),
    /// They have enough of this document.
    DocClose(String),
    /// A goodbye.
    Leave,
}

/// The first message.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// An access token or the token of an earlier welcome.
    pub token: String,
    /// The tab or device.
    pub device: Option<String>,
    /// What the client says of itself, for people to read.
    pub client: ClientInfo,
    /// The session and the place in its log up to which the client has everything.
    pub since: Option<(SessionId, Seq)>,
}

// By hand: a token is in no log.
impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token, device, client, since } = self;
        let mut hello = f.debug_struct("Hello");
        hello.field("token", &token.len()).field("device", device).field("client", client).field("since", since);
        hello.finish()
    }
}

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct ClientInfo {
    pub sdk: String,
    pub version: String,
    pub os: String,
    pub browser: String,
}

/// A command that can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The client's name for it; empty if REST may make one up.
    pub id: CmdId,
    /// Of type and payload, below 2^53 and never 0: the same id with another body is found out by it.
    pub digest: u64,
    /// What is wanted.
    pub command: ClassCommand,
    /// The revision of what it changes, as the client saw it last.
    pub expect: Option<Seq>,
    /// The version of their own grant that the client saw last.
    pub epoch: Option<Epoch>,
}

/// A command that cannot be read, and what its sender is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoCommand {
    /// The client's name for it.
    pub id: CmdId,
    /// `invalid`, or `unavailable` for a type that this server does not know.
    pub code: &'static str,
    /// Why.
    pub message: String,
}

/// A question for the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ping {
    /// Repeated in the answer.
    pub id: Number,
    /// The client's clock, repeated in the answer.
    pub at: Number,
}

/// A message that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// `invalid`, or `unavailable` for a `t` that this server does not know.
    pub code: &'static str,
    /// What is wrong, and what is expected.
    pub message: String,
}

impl Unreadable {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { code: "invalid", message: message.into() }
    }
}

type Read<T> = Result<T, Unreadable>;

/// Reads one message.
pub fn read(text: &str) -> Read<Said> {
    let mut fields = Fields::of_text("this message", text)?;
    let t = fields.required("t", "a text that says what the message is")?;
    let t = t.as_str().ok_or_else(|| Unreadable::invalid(format!("`t` must be a text, and is {}", kind(&t))))?;
    match t {
        "hello" => hello(fields.named("hello")).map(Box::new).map(Said::Hello),
        "cmd" => command(fields.named("cmd"), Id::Required),
        "ping" => ping(fields.named("ping")).map(Said::Ping),
        "doc_close" => doc_close(fields.named("doc_close")).map(Said::DocClose),
        "leave" => fields.named("leave").are_all(&[]).map(|()| Said::Leave),
        _ => Err(Unreadable {
            code: "unavailable",
            message: format!("`t` is {}; this server reads `hello`, `cmd`, `ping`, `doc_close` and `leave`", quoted(t)),
        }),
    }
}

/// Reads the body of a REST request for a command: a `cmd` without `t`, whose id may be left out.
pub fn read_command(text: &str) -> Read<Said> {
    command(Fields::of_text("command", text)?, Id::Optional)
}

fn hello(mut fields: Fields) -> Read<Hello> {
    let token = fields.required("token", "an access token, or the `token` of an earlier `welcome`")?;
    let token = fields.text("token", token)?;
    if token.is_empty() {
        return Err(Unreadable::invalid("`hello.token` is empty"));
    }
    let device = match fields.optional("device") {
        Some(device) => Some(fields.name("device", device)?),
        None => None,
    };
    let client = match fields.optional("client") {
        Some(client) => client_info(Fields::of_value("hello.client", client)?)?,
        None => ClientInfo::default(),
    };
    let session = match fields.optional("session") {
        Some(session) => Some(SessionId(fields.text("session", session)?)),
        None => None,
    };
    let seq = match fields.optional("seq") {
        Some(seq) => Some(Seq(fields.count("seq", &seq)?)),
        None => None,
    };
    let since = match (session, seq) {
        (Some(session), Some(seq)) => Some((session, seq)),
        (None, None) => None,
        _ => return Err(Unreadable::invalid("`hello.session` and `hello.seq` belong together: both, or neither")),
    };
    fields.are_all(&["t", "token", "device", "client", "session", "seq"])?;
    Ok(Hello { token, device, client, since })
}

fn client_info(mut fields: Fields) -> Read<ClientInfo> {
    let mut said = |name| match fields.optional(name) {
        Some(text) => {
            let text = fields.text(name, text)?;
            Ok(text.chars().filter(|char| !char.is_control()).take(MAX_TEXT_CHARS).collect())
        }
        None => Ok(String::new()),
    };
    let client =
        ClientInfo { sdk: said("sdk")?, version: said("version")?, os: said("os")?, browser: said("browser")? };
    fields.are_all(&["sdk", "version", "os", "browser"])?;
    Ok(client)
}

fn ping(mut fields: Fields) -> Read<Ping> {
    let id = fields.required("id", "a number, repeated in the answer")?;
    let id = fields.number("id", id)?;
    let at = fields.required("at", "the client's clock in milliseconds")?;
    let at = fields.number("at", at)?;
    fields.are_all(&["t", "id", "at"])?;
    Ok(Ping { id, at })
}

fn doc_close(mut fields: Fields) -> Read<String> {
    let doc = fields.required("doc", "the name of a document")?;
    let doc = fields.text("doc", doc)?;
    fields.are_all(&["t", "doc"])?;
    Ok(doc)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Id {
    Required,
    Optional,
}

fn command(mut fields: Fields, id: Id) -> Read<Said> {
    let id = match (fields.optional("id"), id) {
        (Some(id), _) => CmdId(fields.name("id", id)?),
        (None, Id::Optional) => CmdId(String::new()),
        (None, Id::Required) => {
            return Err(Unreadable::invalid(
                "`cmd.id` is missing: a text of 1 to 64 bytes, another one for each command",
            ));
        }
    };
    // From here on there is a command to answer.
    Ok(match asked(fields, id.clone()) {
        Ok(asked) => Said::Command(Box::new(asked)),
        Err(Unreadable { code, message }) => Said::NoCommand(NoCommand { id, code, message }),
    })
}

fn asked(mut fields: Fields, id: CmdId) -> Read<Asked> {
    let kind = fields.required("type", "the command, such as `hand.raise`")?;
    let kind = fields.text("type", kind)?;
    let payload = match fields.optional("payload") {
        Some(payload @ Value::Object(_)) => payload,
        Some(other) => {
            return Err(Unreadable::invalid(format!("`payload` must be an object, and is {}", json::kind(&other))));
        }
        None => Value::Object(Map::new()),
    };
    let expect = match fields.optional("expect") {
        Some(expect) => Some(Seq(fields.count("expect", &expect)?)),
        None => None,
    };
    let epoch = match fields.optional("epoch") {
        Some(epoch) => Some(Epoch(fields.count("epoch", &epoch)?)),
        None => None,
    };
    fields.are_all(&["t", "id", "type", "payload", "expect", "epoch"])?;
    let digest = digest(&kind, &payload);
    let command = class_command(&kind, payload)?;
    Ok(Asked { id, digest, command, expect, epoch })
}

/// The command of this type with this payload.
fn class_command(kind: &str, payload: Value) -> Read<ClassCommand> {
    let given: Vec<String> = payload.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    // The type first, so that serde reads the payload knowing it, and can say where in it something is wrong.
    let parts = [("type", Value::from(kind)), ("payload", payload)].into_iter();
    let read =
        serde::de::value::MapDeserializer::<_, serde_json::Error>::new(parts.map(|(k, v)| (k, v.into_deserializer())));
    let mut track = serde_path_to_error::Track::new();
    let command =
        ClassCommand::deserialize(serde_path_to_error::Deserializer::new(read, &mut track)).map_err(|error| {
            let path = track.path().to_string();
            match path.as_str() {
                "type" => Unreadable {
                    code: "unavailable",
                    message: format!("this server knows no command {}", quoted(kind)),
                },
                _ => Unreadable::invalid(format!(
                    "{} cannot be read at `{}`: {}",
                    quoted(kind),
                    cut(&path),
                    cut(&error.to_string())
                )),
            }
        })?;
    // A misspelt optional field would else go unnoticed, and the command would do something else than was meant.
    let known = serde_json::to_value(&command).ok();
    let known = known.as_ref().and_then(|known| known.get("payload")).and_then(Value::as_object);
    let names: Vec<&str> = known.map(|known| known.keys().map(String::as_str).collect()).unwrap_or_default();
    match given.iter().find(|name| !names.contains(&name.as_str())) {
        None => Ok(command),
        Some(name) => {
            let has = if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) };
            Err(Unreadable::invalid(format!(
                "the payload of {} has no field {}; its fields: {has}",
                quoted(kind),
                quoted(name)
            )))
        }
    }
}

/// Below 2^53, so that every reader of JSON keeps it, and never 0, which is none.
fn digest(kind: &str, payload: &Value) -> u64 {
    let mut text = Value::from(kind).to_string();
    json::write_canonical(payload, &mut text);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let first = hash.as_ref().iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    (first >> (64 - 53)).max(1)
}

/// The fields of an object, taken one by one.
struct Fields {
    of: &'static str,
    map: Map<String, Value>,
}

impl Fields {
    fn of_text(of: &'static str, text: &str) -> Read<Self> {
        let value =
            json::read(text).map_err(|error| Unreadable::invalid(format!("{of} is no JSON: {}", cut(&error))))?;
        Self::of_value(of, value)
    }

    fn of_value(of: &'static str, value: Value) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self { of, map }),
            other => Err(Unreadable::invalid(format!("{of} must be an object, and is {}", kind(&other)))),
        }
    }

    fn named(self, of: &'static str) -> Self {
        Self { of, ..self }
    }

    /// `null` counts as left out.
    fn optional(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    fn required(&mut self, name: &str, what: &str) -> Read<Value> {
        let value = self.optional(name);
        value.ok_or_else(|| Unreadable::invalid(format!("`{}` is missing: {what}", self.path(name))))
    }

    fn text(&self, name: &str, value: Value) -> Read<String> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.is_no(name, "a text", &other)),
        }
    }

    fn name(&self, name: &str, value: Value) -> Read<String> {
        let text = self.text(name, value)?;
        if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
            let rule = format!(
                "`{}` must have 1 to {MAX_NAME_BYTES} bytes, none of them a control character",
                self.path(name)
            );
            return Err(Unreadable::invalid(rule));
        }
        Ok(text)
    }

    fn number(&self, name: &str, value: Value) -> Read<Number> {
        match value {
            Value::Number(number) => Ok(number),
            other => Err(self.is_no(name, "a number", &other)),
        }
    }

    fn count(&self, name: &str, value: &Value) -> Read<u64> {
        value.as_u64().filter(|count| *count <= MAX_COUNT).ok_or_else(|| match value {
            Value::Number(number) => {
                Unreadable::invalid(format!("`{}` must be a whole number from 0, and is {number}", self.path(name)))
            }
            other => self.is_no(name, "a whole number", other),
        })
    }

    fn is_no(&self, name: &str, wanted: &str, value: &Value) -> Unreadable {
        Unreadable::invalid(format!("`{}` must be {wanted}, and is {}", self.path(name), kind(value)))
    }

    /// Refuses what is left: a misspelt field would else go unnoticed.
    fn are_all(&self, known: &[&str]) -> Read<()> {
        let Some(name) = self.map.keys().next() else { return Ok(()) };
        let known: Vec<_> = known.iter().filter(|known| **known != "t").copied().collect();
        let has = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
        Err(Unreadable::invalid(format!("`{}` has no field {}; its fields: {has}", self.of, quoted(name))))
    }

    fn path(&self, name: &str) -> String {
        match self.of {
            "this message" | "command" => name.to_owned(),
            of => format!("{of}.{name}"),
        }
    }
}

/// A path or an error of a parser quotes what was sent, which may be long.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(4 * MAX_QUOTED_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_session::PersonId;
    use lyceum_session::class::HandIntent;
    use proptest::prelude::*;
    use serde_json::json;

    fn said(message: Value) -> Said {
        read(&message.to_string()).unwrap()
    }

    fn refused(message: Value) -> String {
        read(&message.to_string()).unwrap_err().message
    }

    fn asked(message: Value) -> Asked {
        match said(message) {
            Said::Command(asked) => *asked,
            other => panic!("no command: {other:?}"),
        }
    }

    fn no_command(message: Value) -> (&'static str, String) {
        match said(message) {
            Said::NoCommand(no) => (no.code, no.message),
            other => panic!("not refused: {other:?}"),
        }
    }

    fn cmd(kind: &str, payload: Value) -> Value {
        json!({"t": "cmd", "id": "c1", "type": kind, "payload": payload})
    }

    #[test]
    fn a_hello_says_who_and_what_they_have() {
        let hello = said(json!({
            "t": "hello", "token": "eyJ", "device": "tab-1", "session": "RM_x", "seq": 4711,
            "client": {"sdk": "lyceum-js", "version": "0.1.0\n", "os": null, "browser": "x".repeat(1_000)},
        }));
        let Said::Hello(hello) = hello else { panic!("{hello:?}") };
        assert_eq!((hello.token.as_str(), hello.device.as_deref()), ("eyJ", Some("tab-1")));
        assert_eq!(hello.since, Some(("RM_x".into(), Seq(4711))));
        assert_eq!((hello.client.sdk.as_str(), hello.client.version.as_str()), ("lyceum-js", "0.1.0"));
        assert_eq!(hello.client.browser.len(), MAX_TEXT_CHARS);
        assert!(!format!("{hello:?}").contains("eyJ"), "a token is in no log");

        let bare = Hello { token: "eyJ".to_owned(), ..Hello::default() };
        assert_eq!(said(json!({"t": "hello", "token": "eyJ"})), Said::Hello(Box::new(bare)));
    }

    #[test]
    fn each_refusal_names_the_field_and_what_is_expected() {
        for (message, wanted) in [
            (json!([]), "this message must be an object, and is a list"),
            (json!({}), "`t` is missing"),
            (json!({"t": 7}), "`t` must be a text, and is a number"),
            (json!({"t": "helo"}), "`t` is `helo`; this server reads `hello`, `cmd`, `ping`, `doc_close` and `leave`"),
            (json!({"t": "hello"}), "`hello.token` is missing"),
            (json!({"t": "hello", "token": ""}), "`hello.token` is empty"),
            (json!({"t": "hello", "token": ["x"]}), "`hello.token` must be a text, and is a list"),
            (json!({"t": "hello", "token": "x", "device": ""}), "`hello.device` must have 1 to 64 bytes"),
            (json!({"t": "hello", "token": "x", "device": "ü".repeat(33)}), "`hello.device` must have 1 to 64 bytes"),
            (json!({"t": "hello", "token": "x", "seq": 1}), "`hello.session` and `hello.seq` belong together"),
            (
                json!({"t": "hello", "token": "x", "session": "RM_x", "seq": -1}),
                "`hello.seq` must be a whole number from 0, and is -1",
            ),
            (
                json!({"t": "hello", "token": "x", "session": "RM_x", "seq": u64::MAX}),
                "`hello.seq` must be a whole number from 0, and is 18446744073709551615",
            ),
            (
                json!({"t": "hello", "token": "x", "session": "RM_x", "seq": 1e30}),
                "`hello.seq` must be a whole number from 0, and is 1e+30",
            ),
            (json!({"t": "hello", "token": "x", "tokn": "y"}), "`hello` has no field `tokn`; its fields: `token`, "),
            (json!({"t": "hello", "token": "x", "client": "js"}), "hello.client must be an object, and is a text"),
            (json!({"t": "hello", "token": "x", "client": {"sdk": 1}}), "`hello.client.sdk` must be a text"),
            (json!({"t": "hello", "token": "x", "client": {"name": ""}}), "`hello.client` has no field `name`"),
            (json!({"t": "leave", "why": "home"}), "`leave` has no field `why`; its fields: none"),
            (json!({"t": "ping", "at": 1}), "`ping.id` is missing"),
            (json!({"t": "ping", "id": "1", "at": 1}), "`ping.id` must be a number, and is a text"),
            (json!({"t": "cmd", "type": "hand.raise"}), "`cmd.id` is missing"),
            (json!({"t": "cmd", "id": 7, "type": "hand.raise"}), "`cmd.id` must be a text, and is a number"),
            (json!({"t": "cmd", "id": "x".repeat(65)}), "`cmd.id` must have 1 to 64 bytes"),
        ] {
            let why = refused(message);
            assert!(why.contains(wanted), "{why} does not say: {wanted}");
        }
        assert_eq!(read(r#"{"t":"helo"}"#).unwrap_err().code, "unavailable");
        assert!(read("{").unwrap_err().message.contains("this message is no JSON: EOF"));
    }

    #[test]
    fn a_command_says_what_is_wanted_and_what_was_seen() {
        let raise = asked(json!({
            "t": "cmd", "id": "c1", "type": "hand.raise", "payload": {"intent": "question"}, "expect": 4690, "epoch": 9,
        }));
        assert_eq!(raise.command, ClassCommand::HandRaise { intent: HandIntent::Question });
        assert_eq!((raise.id, raise.expect, raise.epoch), (CmdId("c1".to_owned()), Some(Seq(4690)), Some(Epoch(9))));
        let bare = asked(json!({"t": "cmd", "id": "c1", "type": "hand.lower", "expect": null}));
        assert_eq!((bare.command, bare.expect), (ClassCommand::HandLower {}, None));
    }

    #[test]
    fn a_command_that_cannot_be_read_is_still_answered() {
        for (message, code, wanted) in [
            (cmd("hand.wave", json!({})), "unavailable", "this server knows no command `hand.wave`"),
            (cmd(&"x".repeat(9_000), json!({})), "unavailable", "…`"),
            (json!({"t": "cmd", "id": "c1"}), "invalid", "`cmd.type` is missing"),
            (cmd("hand.raise", json!([])), "invalid", "`payload` must be an object, and is a list"),
            (cmd("hand.call", json!({})), "invalid", "`hand.call` cannot be read at `payload`: missing field `person`"),
            (
                cmd("hand.call", json!({"person": 7})),
                "invalid",
                "at `payload.person`: invalid type: integer `7`, expected a string",
            ),
            (cmd("poll.open", json!({"poll": 1e30})), "invalid", "at `payload.poll`: invalid type: floating point"),
            (
                cmd("poll.respond", json!({"poll": 4, "answers": [null, {"kind": "nothing"}]})),
                "invalid",
                "at `payload.answers[1]",
            ),
            (
                cmd("poll.open", json!({"poll": 4, "duration": 60_000})),
                "invalid",
                "the payload of `poll.open` has no field `duration`; its fields: `duration_ms`, `poll`, `target`",
            ),
            (cmd("hand.lower", json!({"now": true})), "invalid", "has no field `now`; its fields: none"),
            (
                json!({"t": "cmd", "id": "c1", "type": "hand.lower", "payload": {}, "expct": 4}),
                "invalid",
                "`cmd` has no field `expct`",
            ),
            (
                json!({"t": "cmd", "id": "c1", "type": "hand.lower", "expect": "4"}),
                "invalid",
                "`cmd.expect` must be a whole number, and is a text",
            ),
        ] {
            let (said, why) = no_command(message);
            assert!(said == code && why.contains(wanted), "{said}: {why} does not say: {wanted}");
            assert!(why.len() < 2_000, "an answer is not as long as what was sent");
        }
    }

    #[test]
    fn hostile_texts_are_refused_in_a_sentence() {
        let deep = format!(r#"{{"t":"cmd","id":"c","type":"hand.lower","payload":{}"#, r#"{"a":"#.repeat(100_000));
        for text in [
            deep.as_str(),
            r#"{"t":"cmd","t":"leave","id":"c"}"#,
            r#"{"t":"cmd","id":"c","type":"chat.send","payload":{"body":"a","body":"b"}}"#,
            r#"{"t":"ping","id":1e999,"at":1}"#,
            r#"{"t":"hello","token":"\ud800"}"#,
            "\u{0}",
        ] {
            let no = read(text).unwrap_err();
            assert_eq!(no.code, "invalid");
            assert!(no.message.len() < 1_200, "{}", no.message);
        }
    }

    #[test]
    fn a_digest_is_of_what_was_sent_and_not_of_how_it_was_written() {
        let one = |text: &str| match read(text).unwrap() {
            Said::Command(asked) => asked.digest,
            other => panic!("{other:?}"),
        };
        let digest = one(r#"{"t":"cmd","id":"a","type":"hand.dismiss","payload":{"all":true,"persons":["x"]}}"#);
        assert!(digest > 0 && digest < 1 << 53);
        let same = r#"{ "payload" : {"persons":["\u0078"], "all": true}, "type":"hand.dismiss", "id":"b", "t":"cmd"}"#;
        assert_eq!(one(same), digest);
        for other in [
            r#"{"t":"cmd","id":"a","type":"hand.dismiss","payload":{"all":true,"persons":["y"]}}"#,
            r#"{"t":"cmd","id":"a","type":"lobby.admit","payload":{"all":true,"persons":["x"]}}"#,
        ] {
            assert_ne!(one(other), digest);
        }
        let lower = one(r#"{"t":"cmd","id":"a","type":"hand.lower"}"#);
        assert_eq!(one(r#"{"t":"cmd","id":"a","type":"hand.lower","payload":{}}"#), lower);
        // Stays the same in every version: commands are sent again to a server that was upgraded meanwhile.
        assert_eq!(lower, 3_844_138_814_360_219);
    }

    #[test]
    fn rest_may_leave_the_id_out() {
        let Said::Command(asked) = read_command(r#"{"type":"hand.call","payload":{"person":"ann"}}"#).unwrap() else {
            panic!("no command")
        };
        assert_eq!(
            (asked.id.0.as_str(), asked.command),
            ("", ClassCommand::HandCall { person: PersonId::from("ann") })
        );
        assert!(read_command("[]").unwrap_err().message.contains("command must be an object"));
    }

    proptest! {
        #[test]
        fn no_text_crashes_the_reader(text in ".{0,200}") {
            let _ = read(&text);
        }
    }
}
