//! Who somebody is: the one identifier that an Agent or an identified Group has.

use crate::json::{Json, Object};

/// The identifier of an Agent or identified Group. Two actors with equal identifiers are the same one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Identifier {
    /// A `mailto:` IRI.
    Mbox(String),
    /// The SHA-1 of a `mailto:` IRI, in lower case.
    MboxSha1(String),
    /// An OpenID.
    OpenId(String),
    /// An account somewhere.
    Account {
        /// Where.
        home_page: String,
        /// Its name there.
        name: String,
    },
}

impl Identifier {
    /// Of a valid Agent or Group; an anonymous Group has none.
    pub fn of(actor: &Json) -> Option<Self> {
        if let Some(mbox) = actor.get_str("mbox") {
            return Some(Self::Mbox(mbox.to_owned()));
        }
        if let Some(sum) = actor.get_str("mbox_sha1sum") {
            return Some(Self::MboxSha1(sum.to_ascii_lowercase()));
        }
        if let Some(openid) = actor.get_str("openid") {
            return Some(Self::OpenId(openid.to_owned()));
        }
        let account = actor.get("account")?;
        let (home_page, name) = (account.get_str("homePage")?, account.get_str("name")?);
        Some(Self::Account { home_page: home_page.to_owned(), name: name.to_owned() })
    }

    /// One text for each identifier, and none for two.
    pub fn key(&self) -> String {
        match self {
            Self::Mbox(mbox) => format!("mbox {mbox}"),
            Self::MboxSha1(sum) => format!("mbox_sha1sum {sum}"),
            Self::OpenId(openid) => format!("openid {openid}"),
            // IRIs have no spaces, so nothing else reads the same.
            Self::Account { home_page, name } => format!("account {home_page} {name}"),
        }
    }

    /// The name of its property and its value there.
    pub fn property(&self) -> (&'static str, Json) {
        match self {
            Self::Mbox(mbox) => ("mbox", mbox.as_str().into()),
            Self::MboxSha1(sum) => ("mbox_sha1sum", sum.as_str().into()),
            Self::OpenId(openid) => ("openid", openid.as_str().into()),
            Self::Account { home_page, name } => {
                let mut account = Object::default();
                account.set("homePage", home_page.as_str().into());
                account.set("name", name.as_str().into());
                ("account", account.into())
            }
        }
    }

    /// The Agent that has this identifier and nothing else.
    pub fn agent(&self) -> Json {
        let mut agent = Object::default();
        agent.set("objectType", "Agent".into());
        let (name, value) = self.property();
        agent.set(name, value);
        agent.into()
    }
}

/// The Person that 1.0.3 and 2.0 answer for an Agent: each property a list.
pub fn person(identifier: &Identifier, names: &[String]) -> Json {
    let mut person = Object::default();
    person.set("objectType", "Person".into());
    if !names.is_empty() {
        person.set("name", Json::Array(names.iter().map(|name| name.as_str().into()).collect()));
    }
    let (name, value) = identifier.property();
    person.set(name, Json::Array(vec![value]));
    person.into()
}
