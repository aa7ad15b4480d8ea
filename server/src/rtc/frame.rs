//! One signal as one WebSocket message: protobuf in binary messages, proto3 JSON in text messages. A client is answered in
//! the form that it used last.

use axum::extract::ws::Message;
use livekit_protocol::{SignalRequest, SignalResponse};
use prost::Message as _;

/// How a client writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// Protobuf.
    #[default]
    Binary,
    /// Proto3 JSON.
    Text,
}

/// A signal of a client; the error is for the client to read.
pub fn decode(form: Form, bytes: &[u8]) -> Result<SignalRequest, String> {
    let request = match form {
        Form::Binary => {
            SignalRequest::decode(bytes).map_err(|error| format!("this is no SignalRequest in protobuf: {error}"))?
        }
        Form::Text => serde_json::from_slice(bytes)
            .map_err(|error| format!("this is no SignalRequest in proto3 JSON: {error}"))?,
    };
    Ok(request)
}

/// A signal for a client.
pub fn encode(form: Form, response: &SignalResponse) -> Result<Message, String> {
    match form {
        Form::Binary => Ok(Message::Binary(response.encode_to_vec().into())),
        Form::Text => {
            let json = serde_json::to_string(response).map_err(|error| format!("a signal is no JSON: {error}"))?;
            Ok(Message::Text(json.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::{signal_request, signal_response};
    use proptest::prelude::*;

    #[test]
    fn a_ping_reads_the_same_in_both_forms() {
        let ping = SignalRequest { message: Some(signal_request::Message::Ping(7)) };
        assert_eq!(decode(Form::Binary, &ping.encode_to_vec()).unwrap(), ping);
        assert_eq!(decode(Form::Text, br#"{"ping":"7"}"#).unwrap(), ping);
    }

    #[test]
    fn an_answer_takes_the_asked_form() {
        let pong = SignalResponse { message: Some(signal_response::Message::Pong(7)) };
        assert!(matches!(encode(Form::Binary, &pong).unwrap(), Message::Binary(_)));
        assert_eq!(encode(Form::Text, &pong).unwrap(), Message::Text(r#"{"pong":"7"}"#.into()));
    }

    proptest! {
        #[test]
        fn no_bytes_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<bool>()) {
            let form = if text { Form::Text } else { Form::Binary };
            if let Ok(request) = decode(form, &bytes) {
                // By bytes: a number that is none equals not even itself.
                let again = request.encode_to_vec();
                prop_assert_eq!(decode(Form::Binary, &again).unwrap().encode_to_vec(), again);
            }
        }
    }
}
