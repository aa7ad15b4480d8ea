//! What a GET of statements asks for, and the link to the page after it. A link holds the same parameters and the place where the next page
//! begins; what was stored after the first page was read is not in any page, so that none is missed and none comes twice.

use super::Shared;
use super::answer::{Outcome, Refusal};
use super::request::{Params, encode};
use crate::store::Query;
use lyceum_xapi::format::Format;
use lyceum_xapi::index::Term;
use lyceum_xapi::{Uuid, Version};

/// One statement, or pages of them.
pub(super) enum Question {
    One { id: Uuid, voided: bool, how: How },
    Page { query: Query, how: How, link: Link },
}

/// How statements are given.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub format: Format,
    pub attachments: bool,
}

/// What the link to the next page is made of.
pub(super) struct Link {
    /// The parameters, but for the cursor.
    parameters: String,
    cursor: Option<Cursor>,
    ascending: bool,
}

/// Where the next page begins, and up to where statements were stored when the first page was read.
#[derive(Clone, Copy)]
struct Cursor {
    at: i64,
    up_to: i64,
}

const PARAMETERS: [&str; 13] = [
    "agent",
    "verb",
    "activity",
    "registration",
    "related_activities",
    "related_agents",
    "since",
    "until",
    "limit",
    "format",
    "attachments",
    "ascending",
    "statementId",
];

pub(super) fn question(shared: &Shared, params: &mut Params, tenant: &str, version: Version) -> Outcome<Question> {
    let ids = (params.has("statementId"), params.has("voidedStatementId"));
    if ids == (true, true) {
        return Err(Refusal::bad("statementId and voidedStatementId exclude each other"));
    }
    if ids != (false, false) {
        let voided = ids.1;
        let id = params.uuid(if voided { "voidedStatementId" } else { "statementId" })?;
        let how = how(params)?;
        if let Some(other) = PARAMETERS.iter().find(|name| params.has(name)) {
            return Err(Refusal::bad(format!(
                "the parameter {other} cannot be asked together with the id of a statement"
            )));
        }
        params.nothing_else()?;
        let id = id.ok_or_else(|| Refusal::bad("the statement's id is missing"))?;
        return Ok(Question::One { id, voided, how });
    }
    let mut link = Link {
        parameters: String::new(),
        cursor: params.read("cursor", "one of this record store's", cursor)?,
        ascending: false,
    };
    for name in PARAMETERS {
        if let Some(value) = params.peek(name) {
            link.parameters.push_str(&format!("{name}={}&", encode(value)));
        }
    }
    let how = how(params)?;
    let related_activities = params.boolean("related_activities")?;
    let related_agents = params.boolean("related_agents")?;
    link.ascending = params.boolean("ascending")?;
    // The rarest first: that one is walked, the others are looked up.
    let mut terms = Vec::new();
    terms.extend(params.uuid("registration")?.map(Term::Registration));
    let activity = params.iri("activity")?;
    terms.extend(activity.map(if related_activities { Term::RelatedActivity } else { Term::Activity }));
    let agent = params.actor("agent", version)?.map(|agent| agent.key());
    terms.extend(agent.map(if related_agents { Term::RelatedAgent } else { Term::Agent }));
    terms.extend(params.iri("verb")?.map(Term::Verb));
    let since = params.timestamp("since", version)?.map(|since| since.0);
    let until = params.timestamp("until", version)?.map(|until| until.0);
    let limit = params.read("limit", "a whole number from 0", |limit| limit.parse::<u32>().ok())?;
    params.nothing_else()?;

    let limit = match limit {
        None | Some(0) => shared.config.max_page,
        Some(limit) => (limit as usize).min(shared.config.max_page),
    };
    let mut query = Query {
        tenant: tenant.to_owned(),
        terms,
        authority: None,
        after: since,
        until,
        ascending: link.ascending,
        limit,
        page_bytes: shared.config.max_page_bytes,
    };
    if let Some(cursor) = link.cursor {
        query.until = Some(query.until.map_or(cursor.up_to, |until| until.min(cursor.up_to)));
        if link.ascending {
            query.after = Some(query.after.map_or(cursor.at, |after| after.max(cursor.at)));
        } else {
            query.until = Some(query.until.map_or(cursor.at - 1, |until| until.min(cursor.at - 1)));
        }
    }
    Ok(Question::Page { query, how, link })
}

impl Link {
    /// The highest place that may be in these pages, if an earlier page has said so.
    pub fn up_to(&self) -> Option<i64> {
        self.cursor.map(|cursor| cursor.up_to)
    }

    /// The address of the page after the one that ends at this place.
    pub fn after(&self, base_path: &str, last: i64, up_to: i64) -> String {
        format!("{base_path}/statements?{}cursor={last}.{up_to}", self.parameters)
    }
}

fn how(params: &mut Params) -> Outcome<How> {
    let format = params.read("format", "ids, exact or canonical", Format::parse)?.unwrap_or_default();
    Ok(How { format, attachments: params.boolean("attachments")? })
}

fn cursor(text: &str) -> Option<Cursor> {
    let (at, up_to) = text.split_once('.')?;
    let cursor = Cursor { at: at.parse().ok()?, up_to: up_to.parse().ok()? };
    (cursor.at > 0 && cursor.up_to > 0).then_some(cursor)
}
