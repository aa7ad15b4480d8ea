//! Who asks: the token of a request, and the grants that an endpoint needs.

use super::error::ApiError;
use crate::token::{Keyring, Pass, TokenError, Verified, VideoGrant};
use axum::http::{HeaderMap, header};

/// The token of the `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Checks the token of a REST request.
pub fn authenticate(keyring: &Keyring, headers: &HeaderMap) -> Result<Verified, ApiError> {
    keyring.verify(token(headers)?).map_err(refuse)
}

/// Checks the token of a REST request, which may also be the one of a `welcome`.
pub fn authenticate_pass(keyring: &Keyring, headers: &HeaderMap) -> Result<Pass, ApiError> {
    keyring.verify_pass(token(headers)?).map_err(refuse)
}

fn token(headers: &HeaderMap) -> Result<&str, ApiError> {
    bearer(headers).ok_or_else(|| {
        ApiError::unauthorized("token_missing", "this needs an access token: send `Authorization: Bearer …`")
    })
}

fn refuse(error: TokenError) -> ApiError {
    match error {
        TokenError::Expired => ApiError::unauthorized("token_expired", error.to_string()),
        _ => ApiError::unauthorized("token_invalid", error.to_string()),
    }
}

/// Refuses unless the grant is there. `name` is the grant's name in the token.
pub fn require(who: &Verified, name: &str, has: impl Fn(&VideoGrant) -> bool) -> Result<(), ApiError> {
    if who.claims.video.as_ref().is_some_and(has) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!("the token does not grant `video.{name}`, which this needs")))
}

/// Refuses unless the token may administer this room.
pub fn require_admin(who: &Verified, room: &str) -> Result<(), ApiError> {
    require(who, "roomAdmin", |video| video.room_admin)?;
    let granted = who.claims.video.as_ref().map_or("", |video| video.room.as_str());
    if granted == room {
        return Ok(());
    }
    Err(ApiError::forbidden("the token's `video.room` names another room"))
}

/// Refuses unless the token may administer this room, or make rooms.
pub fn may_administer(who: &Verified, room: &str) -> Result<(), ApiError> {
    if who.claims.video.as_ref().is_some_and(|video| video.room_create) {
        return Ok(());
    }
    require_admin(who, room)
}
