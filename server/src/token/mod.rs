//! Tokens: LiveKit access tokens Lyceum invites, and tokens for coming back to the state socket: JWTs signed by HMAC-SHA256 with an API key's secret. This module
//! verifies and signs them and says what they mean for a class; it never logs one.

mod claims;
mod keyring;
mod meaning;
mod resume;

pub use claims::{Claims, Invite, LyceumClaims, RoomConfig, VideoGrant};
pub use keyring::{Keyring, TokenError, Verified};
pub use meaning::{grant_for, kind_name, kind_of, permission_of, profile_of, role_from_name, role_name};
pub use resume::{Pass, Resume};
