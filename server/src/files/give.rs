//! `GET /api/v1/rooms/{room}/decks/{deck}`: the file of a deck, whole or a range of it, for whoever is in the class. Browsers are told to
//! take it for nothing but what it was checked to be, and to run nothing in it.

use super::inspect::Kind;
use super::{Asked, blocking};
use crate::app::App;
use crate::http::error::ApiError;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use lyceum_session::class::{Deck, DeckStatus};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// Bytes that are read from the disk at a time.
const PART: u64 = 64 * 1024;

const FIXED: [(HeaderName, &str); 6] = [
    (header::ACCEPT_RANGES, "bytes"),
    (header::CACHE_CONTROL, "private, no-cache"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Pages of other origins read the file in parts, too.
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "accept-ranges, content-length, content-range, etag"),
];

/// `GET /api/v1/rooms/{room}/decks/{deck}`
pub async fn give(
    State(app): State<Arc<App>>,
    Path(address): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::new(&app, &headers, address)?;
    let deck = asked.deck(&app, false).await?;
    let kind = match (&deck.status, Kind::of(&deck.mime_type)) {
        (DeckStatus::Ready { .. }, Some(kind)) => kind,
        (DeckStatus::Failed { .. }, _) => return Err(ApiError::not_found("the file of this deck could not be shown")),
        _ => return Err(ApiError::not_found("the file of this deck has not come yet")),
    };
    let tag = format!("\"{}\"", deck.hash);
    if says(&headers, header::IF_NONE_MATCH).is_some_and(|tags| tags == "*" || tags.contains(&tag)) {
        return Ok(respond(StatusCode::NOT_MODIFIED, &tag, Body::empty()));
    }
    let (store, tenant, hash) = (app.files.store.clone(), asked.tenant.clone(), deck.hash.clone());
    let opened = blocking(move || {
        let Some(path) = store.find(&tenant, &hash) else { return Ok(None) };
        let file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Some((file, length)))
    });
    let Some((mut file, length)) = opened.await? else {
        tracing::error!(deck = %deck.hash, "the file of a deck is not in the data folder");
        return Err(ApiError::not_found(
            "the server has lost the file of this deck: announce it again and bring it anew",
        ));
    };
    let may_be_partial = says(&headers, header::IF_RANGE).is_none_or(|seen| seen == tag);
    let wanted =
        says(&headers, header::RANGE).filter(|_| may_be_partial).map_or(Wanted::Whole, |text| range(text, length));
    let (status, part) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0..length),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let mut answer = respond(StatusCode::RANGE_NOT_SATISFIABLE, &tag, Body::empty());
            set(&mut answer, header::CONTENT_RANGE, format!("bytes */{length}"));
            return Ok(answer);
        }
    };
    let start = part.start;
    let file = blocking(move || file.seek(SeekFrom::Start(start)).map(|_| file)).await?;
    let mut answer = respond(status, &tag, Body::from_stream(parts(file, part.end - part.start)));
    set(&mut answer, header::CONTENT_LENGTH, (part.end - part.start).to_string());
    set(&mut answer, header::CONTENT_TYPE, kind.mime_type().to_owned());
    set(&mut answer, header::CONTENT_DISPOSITION, disposition(&deck, kind));
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut answer, header::CONTENT_RANGE, format!("bytes {}-{}/{length}", part.start, part.end - 1));
    }
    Ok(answer)
}

fn says(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn respond(status: StatusCode, tag: &str, body: Body) -> Response {
    let mut answer = (status, body).into_response();
    for (name, value) in FIXED {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    set(&mut answer, header::ETAG, tag.to_owned());
    answer
}

fn set(answer: &mut Response, name: HeaderName, value: String) {
    // They are made of digits, of what was checked, and of what is percent-encoded.
    if let Ok(value) = HeaderValue::from_str(&value) {
        answer.headers_mut().insert(name, value);
    }
}

/// A file to save, under the name of its deck.
fn disposition(deck: &Deck, kind: Kind) -> String {
    let name = deck.name.0.trim();
    let dot_extension = format!(".{}", kind.extension());
    let ending = if name.to_lowercase().ends_with(&dot_extension) { "" } else { &dot_extension };
    let encoded = crate::cli::percent_encode(&format!("{name}{ending}"));
    format!("attachment; filename=\"slides{dot_extension}\"; filename*=UTF-8''{encoded}")
}

#[derive(PartialEq, Eq, Debug)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// One range of bytes (RFC 9110, section 14). Whoever asks for several, or for something else, gets the whole.
fn range(text: &str, length: u64) -> Wanted {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let part = match (from.trim(), to.trim()) {
        ("", last) => match number(last) {
            Some(last) => length.saturating_sub(last)..length,
            None => return Wanted::Whole,
        },
        (from, "") => match number(from) {
            Some(from) => from..length,
            None => return Wanted::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(length),
            _ => return Wanted::Whole,
        },
    };
    if part.start < part.end { Wanted::Part(part) } else { Wanted::Nothing }
}

/// So many bytes of a file, part by part as they are read.
fn parts(file: std::fs::File, left: u64) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut part = Vec::new();
            (&mut file).take(left.min(PART)).read_to_end(&mut part)?;
            Ok::<_, io::Error>((file, part))
        });
        let (file, part) = read.await.map_err(io::Error::other)??;
        if part.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let left = left - part.len() as u64;
        Ok(Some((Bytes::from(part), (file, left))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_the_rfc_says() {
        for (text, wanted) in [
            ("bytes=0-4", Wanted::Part(0..5)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=8-99", Wanted::Part(8..10)),
            ("bytes=0-18446744073709551615", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=4-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes", Wanted::Whole),
        ] {
            assert_eq!(range(text, 10), wanted, "{text}");
        }
    }
}
