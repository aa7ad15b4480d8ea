//! Verifying and signing with the configured API keys.

use super::Claims;
use crate::config::{ApiKey, ApiKeys};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lyceum_session::TenantId;

/// Clocks of application servers and of this server may differ by this much.
const LEEWAY_S: u64 = 60;

/// Longer tokens are refused unread; metadata and attributes in tokens fit well below.
const MAX_TOKEN_BYTES: usize = 65_536;

/// The API keys of this server.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: ApiKeys,
}

/// A token whose signature and times are right.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// The API key that signed it.
    pub key: String,
    /// Whose key it is.
    pub tenant: TenantId,
    /// What it says.
    pub claims: Claims,
}

/// Why a token is no good. The texts are for whoever made or sent it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokenError {
    #[error("no token: send it as `Authorization: Bearer …` or in the query parameter `access_token`")]
    Missing,
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    #[error("the token cannot be read: {0}")]
    Malformed(String),
    #[error("the token is not signed with HS256, the only algorithm that this server accepts")]
    WrongAlgorithm,
    #[error("the token's `iss` names no API key of this server")]
    UnknownKey,
    #[error("the token's signature does not match the secret of its API key")]
    BadSignature,
    #[error("the token has no `exp`; it must say when it ends")]
    NoExpiry,
    #[error("the token has expired; ask for a new one")]
    Expired,
    #[error("the token is not valid yet (`nbf`); check the clock of whoever made it")]
    NotYetValid,
    #[error("this token is for coming back to `/classroom/v1`; anything else needs an access token")]
    NoAccessToken,
    #[error("the token could not be signed")]
    Unsignable,
}

impl Keyring {
    /// From configuration.
    pub fn new(keys: ApiKeys) -> Self {
        Self { keys }
    }

    /// A key by name.
    pub fn key(&self, name: &str) -> Option<&ApiKey> {
        self.keys.get(name)
    }

    /// The first key of a tenant: signs what no person's token asked for.
    pub fn key_of_tenant(&self, tenant: &TenantId) -> Option<&str> {
        self.keys.iter().find(|(_, key)| key.tenant == tenant.0).map(|(name, _)| name.as_str())
    }

    /// Checks signature and times of an access token.
    pub fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        self.check(token, true).and_then(no_resume)
    }

    /// Checks the signature only: what an expired access token says was once true.
    pub fn verify_ignoring_expiry(&self, token: &str) -> Result<Verified, TokenError> {
        self.check(token, false).and_then(no_resume)
    }

    /// Checks signature and times of a token of any sort.
    pub(super) fn verify_any(&self, token: &str) -> Result<Verified, TokenError> {
        self.check(token, true)
    }

    fn check(&self, token: &str, times: bool) -> Result<Verified, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        // The key's name is needed to find the secret; nothing else of this first reading is used.
        let claimed = jsonwebtoken::dangerous::insecure_decode::<Claims>(token).map_err(refusal)?;
        let key_name = claimed.claims.iss;
        let key = self.keys.get(&key_name).ok_or(TokenError::UnknownKey)?;

        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = LEEWAY_S;
        rules.validate_exp = times;
        rules.validate_nbf = times;
        rules.validate_aud = false;
        let read = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(key.secret.as_bytes()), &rules)
            .map_err(refusal)?;
        Ok(Verified { key: key_name, tenant: TenantId(key.tenant.clone()), claims: read.claims })
    }

    /// Signs claims with their `iss` key.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let key = self.keys.get(&claims.iss).ok_or(TokenError::UnknownKey)?;
        let secret = EncodingKey::from_secret(key.secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &secret).map_err(|_| TokenError::Unsignable)
    }
}

fn no_resume(verified: Verified) -> Result<Verified, TokenError> {
    let resumes = verified.claims.lyceum.as_ref().is_some_and(|ours| ours.resume.is_some());
    if resumes { Err(TokenError::NoAccessToken) } else { Ok(verified) }
}

fn refusal(error: jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::MissingRequiredClaim(_) => TokenError::NoExpiry,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::WrongAlgorithm,
        // serde's message names a field and a type, never a value of a secret.
        ErrorKind::Json(error) => TokenError::Malformed(error.to_string()),
        _ => TokenError::Malformed("it is no JSON Web Token".to_owned()),
    }
}
