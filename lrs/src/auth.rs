//! Who asks, and what they may do. How credentials are checked is the embedder's business: it gives an [`Authenticator`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_xapi::{Json, Object};

/// What a request brings to say who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// HTTP Basic.
    Basic {
        /// Before the colon.
        user: &'a str,
        /// Behind it.
        password: &'a str,
    },
    /// A bearer token (RFC 6750).
    Bearer(&'a str),
}

/// Tells who holds credentials.
pub trait Authenticator: Send + Sync + 'static {
    /// `None` if they are wrong or have run out.
    fn authenticate(&self, credentials: Credentials<'_>) -> Option<Access>;
}

/// Who asks: whose records they see, and what they may do with them.
#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    /// Whose records. Nothing crosses from one tenant to another.
    pub tenant: String,
    /// Who vouches for statements that come with these credentials: an Agent, or a Group of an application and a person.
    pub authority: Json,
    /// What they may do.
    pub scopes: Scopes,
}

impl Access {
    /// The authority of credentials by themselves: an account.
    pub fn account(home_page: &str, name: &str) -> Json {
        let mut account = Object::default();
        account.set("homePage", home_page.into());
        account.set("name", name.into());
        let mut agent = Object::default();
        agent.set("objectType", "Agent".into());
        agent.set("account", account.into());
        agent.into()
    }

    /// The authority of an application that acts for a person.
    pub fn on_behalf(application: Json, person: Json) -> Json {
        let mut group = Object::default();
        group.set("objectType", "Group".into());
        group.set("member", Json::Array(vec![application, person]));
        group.into()
    }
}

/// What credentials allow: the scopes of the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes {
    /// `statements/write`
    pub write_statements: bool,
    /// `statements/read/mine`: those with the same authority
    pub read_mine: bool,
    /// `statements/read`
    pub read_statements: bool,
    /// `state`
    pub state: bool,
    /// `define`: activities' definitions are taken from statements
    pub define: bool,
    /// `profile`
    pub profile: bool,
    /// `all/read`: everything may be read
    pub read_all: bool,
}

impl Scopes {
    /// `all`
    pub const ALL: Self = Self {
        write_statements: true,
        read_mine: true,
        read_statements: true,
        state: true,
        define: true,
        profile: true,
        read_all: true,
    };

    /// From names with spaces between them; names that are not known allow nothing.
    pub fn parse(names: &str) -> Self {
        let mut scopes = Self::default();
        for name in names.split_whitespace() {
            match name {
                "all" => return Self::ALL,
                "all/read" => scopes.read_all = true,
                "statements/write" => scopes.write_statements = true,
                "statements/read/mine" => scopes.read_mine = true,
                "statements/read" => scopes.read_statements = true,
                "state" => scopes.state = true,
                "define" => scopes.define = true,
                "profile" => scopes.profile = true,
                _ => {}
            }
        }
        scopes
    }
}

/// Looks at the value of an `Authorization` header.
pub(crate) fn authenticate(header: Option<&str>, authenticator: &dyn Authenticator) -> Option<Access> {
    let (scheme, value) = header?.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return authenticator.authenticate(Credentials::Bearer(value));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    authenticator.authenticate(Credentials::Basic { user, password })
}
