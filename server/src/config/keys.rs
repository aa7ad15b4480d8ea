//! API keys: whose they are, their secrets, and which secrets are too weak to run with.

use std::collections::BTreeMap;
use std::fmt;

/// The tenant of keys that name none.
pub const DEFAULT_TENANT: &str = "default";

/// The key of `--dev`, as the LiveKit quick-starts expect it.
pub const DEV_KEY: &str = "devkey";

/// Its secret.
pub const DEV_SECRET: &str = "secret";

/// An HMAC-SHA256 key shorter than the hash weakens it (RFC 7518 section 3.2 asks for 256 bits).
const MIN_SECRET_CHARS: usize = 32;

/// The API keys by name.
pub type ApiKeys = BTreeMap<String, ApiKey>;

/// One API key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Signs and verifies tokens.
    pub secret: String,
    /// The organisation it belongs to; nothing crosses.
    pub tenant: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey {{ tenant: {:?}, secret: … }}", self.tenant)
    }
}

/// The keys of `--dev`.
pub fn dev_keys() -> ApiKeys {
    let key = ApiKey { secret: DEV_SECRET.to_owned(), tenant: DEFAULT_TENANT.to_owned() };
    BTreeMap::from([(DEV_KEY.to_owned(), key)])
}

/// What is wrong with a secret, if anything.
pub fn weakness(secret: &str) -> Option<String> {
    let chars = secret.chars().count();
    let distinct = secret.chars().collect::<std::collections::BTreeSet<_>>().len();
    if secret == DEV_SECRET {
        return Some("is the secret of --dev, which everybody knows".to_owned());
    }
    if chars < MIN_SECRET_CHARS {
        return Some(format!("has {chars} characters, but needs at least {MIN_SECRET_CHARS}"));
    }
    (distinct < 10).then(|| format!("uses only {distinct} different characters, so it can be guessed"))
}

/// Reads `name: secret, name: secret`, the form of `LYCEUM_KEYS`.
pub fn parse_list(text: &str) -> Result<ApiKeys, String> {
    let mut keys = ApiKeys::new();
    for pair in text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, secret)) = pair.split_once(':') else {
            return Err("expected \"name: secret\", separated by commas".to_owned());
        };
        let (name, secret) = (name.trim(), secret.trim());
        if name.is_empty() || secret.is_empty() {
            return Err("a key has an empty name or secret".to_owned());
        }
        keys.insert(name.to_owned(), ApiKey { secret: secret.to_owned(), tenant: DEFAULT_TENANT.to_owned() });
    }
    Ok(keys)
}
