//! The small resources: about, agents, activities.

use super::answer::{Answer, Outcome, Refusal};
use super::request::Request;
use super::{Asked, Shared, method_not_allowed};
use crate::store::{self, Query};
use axum::http::Method;
use lyceum_xapi::actor::{self, Identifier};
use lyceum_xapi::index::Term;
use lyceum_xapi::{Json, Version, activity};
use std::collections::BTreeSet;

/// Statements in which names of an Agent are looked for.
const NAMES_FROM: usize = 50;

pub(super) fn about(mut request: Request) -> Outcome {
    if request.method != Method::GET {
        return Err(method_not_allowed());
    }
    request.params.take("method");
    request.params.nothing_else()?;
    let versions: Vec<String> = Version::ALL.iter().map(|version| format!("\"{version}\"")).collect();
    Ok(Answer::json(format!(r#"{{"version":[{}],"extensions":{{}}}}"#, versions.join(","))))
}

/// The Activity as it is known; one of which nothing is known has its id.
pub(super) async fn activity(shared: &Shared, mut asked: Asked) -> Outcome {
    if asked.request.method != Method::GET {
        return Err(method_not_allowed());
    }
    may_read(&asked)?;
    let id =
        asked.request.params.iri("activityId")?.ok_or_else(|| Refusal::bad("the parameter activityId is missing"))?;
    asked.request.params.nothing_else()?;
    let tenant = asked.access.tenant;
    let ids = BTreeSet::from([id.clone()]);
    let known = shared.store.read(move |conn| store::definitions(conn, &tenant, &ids)).await?;
    Ok(Answer::json(activity::activity(&id, known.get(&id)).to_text()))
}

/// The Person of an Agent, with the names under which statements speak of them.
pub(super) async fn agent(shared: &Shared, mut asked: Asked) -> Outcome {
    if asked.request.method != Method::GET {
        return Err(method_not_allowed());
    }
    may_read(&asked)?;
    let agent = asked.request.params.actor("agent", asked.version)?;
    let agent = agent.ok_or_else(|| Refusal::bad("the parameter agent is missing"))?;
    asked.request.params.nothing_else()?;
    let query = Query {
        tenant: asked.access.tenant,
        terms: vec![Term::Agent(agent.key())],
        limit: NAMES_FROM,
        page_bytes: shared.config.max_page_bytes,
        ..Query::default()
    };
    let page = shared.store.read(move |conn| store::page(conn, &query)).await?;
    let mut names = Vec::new();
    for (_, statement) in page.statements {
        let Ok(statement) = Json::parse(statement.as_bytes()) else { continue };
        for place in ["actor", "object"] {
            let actor = statement.get(place).filter(|actor| Identifier::of(actor).as_ref() == Some(&agent));
            if let Some(name) = actor.and_then(|actor| actor.get_str("name"))
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    }
    Ok(Answer::json(actor::person(&agent, &names).to_text()))
}

fn may_read(asked: &Asked) -> Outcome<()> {
    let scopes = asked.access.scopes;
    let may = scopes.read_statements || scopes.read_mine || scopes.read_all || scopes.profile || scopes.state;
    if may { Ok(()) } else { Err(Refusal::forbidden("statements/read")) }
}
