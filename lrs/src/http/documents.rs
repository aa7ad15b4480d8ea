//! State, activity profiles and agent profiles: documents with entity tags.

use super::answer::{Answer, Outcome, Refusal, http_date};
use super::{Asked, Shared, method_not_allowed};
use crate::store::{self, Change, DocumentName, DocumentScope, Kind, Precondition, Unsaid};
use axum::http::{Method, StatusCode, header};
use lyceum_xapi::{Json, Timestamp, Version};

pub(super) async fn serve(shared: &Shared, path: &str, mut asked: Asked) -> Outcome {
    let kind = match path {
        "/activities/state" => Kind::State,
        "/activities/profile" => Kind::ActivityProfile,
        _ => Kind::AgentProfile,
    };
    let method = asked.request.method.clone();
    may(kind, &method, &asked)?;
    let (scope, name) = named(kind, &mut asked)?;
    match (method, name) {
        (Method::GET, Some(name)) => {
            asked.request.params.nothing_else()?;
            get(shared, DocumentName { scope, name }).await
        }
        (Method::GET, None) => {
            let since = asked.request.params.timestamp("since", asked.version)?;
            asked.request.params.nothing_else()?;
            names(shared, scope, since).await
        }
        (Method::PUT | Method::POST | Method::DELETE, Some(name)) => {
            asked.request.params.nothing_else()?;
            change(shared, asked, DocumentName { scope, name }).await
        }
        (Method::DELETE, None) if kind == Kind::State => {
            asked.request.params.nothing_else()?;
            shared.store.remove_all(scope).await?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        (Method::PUT | Method::POST | Method::DELETE, None) => {
            let parameter = if kind == Kind::State { "stateId" } else { "profileId" };
            Err(Refusal::bad(format!("the parameter {parameter} is missing")))
        }
        _ => Err(method_not_allowed()),
    }
}

fn may(kind: Kind, method: &Method, asked: &Asked) -> Outcome<()> {
    let scopes = asked.access.scopes;
    let (scope, has) = if kind == Kind::State { ("state", scopes.state) } else { ("profile", scopes.profile) };
    if has || (*method == Method::GET && scopes.read_all) { Ok(()) } else { Err(Refusal::forbidden(scope)) }
}

/// What the parameters say: what the document belongs to, and its name if it is one.
fn named(kind: Kind, asked: &mut Asked) -> Outcome<(DocumentScope, Option<String>)> {
    let (version, params) = (asked.version, &mut asked.request.params);
    let missing = |name: &str| Refusal::bad(format!("the parameter {name} is missing"));
    let activity = match kind {
        Kind::AgentProfile => None,
        _ => Some(params.iri("activityId")?.ok_or_else(|| missing("activityId"))?),
    };
    let agent = match kind {
        Kind::ActivityProfile => None,
        _ => Some(params.actor("agent", version)?.ok_or_else(|| missing("agent"))?.key()),
    };
    let registration = if kind == Kind::State { params.uuid("registration")? } else { None };
    let name = params.take(if kind == Kind::State { "stateId" } else { "profileId" });
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(Refusal::bad("the document's id is empty"));
    }
    let tenant = asked.access.tenant.clone();
    Ok((DocumentScope { tenant, kind, activity, agent, registration }, name))
}

async fn get(shared: &Shared, name: DocumentName) -> Outcome {
    let document = shared.store.read(move |conn| store::document(conn, &name)).await?;
    let document = document.ok_or_else(|| Refusal::not_found("there is no such document"))?;
    Ok(Answer::ok(&document.content_type, document.content)
        .with(header::ETAG, format!("\"{}\"", document.etag))
        .with(header::LAST_MODIFIED, http_date(Timestamp(document.updated).seconds())))
}

async fn names(shared: &Shared, scope: DocumentScope, since: Option<Timestamp>) -> Outcome {
    let since = since.map_or(i64::MIN, |since| since.0);
    let names = shared.store.read(move |conn| store::names(conn, &scope, since)).await?;
    Ok(Answer::json(Json::Array(names.into_iter().map(Json::from).collect()).to_text()))
}

async fn change(shared: &Shared, asked: Asked, name: DocumentName) -> Outcome {
    let Asked { request, version, .. } = asked;
    let content_type = match request.content_type() {
        "" => "application/octet-stream".to_owned(),
        given => given.to_owned(),
    };
    let is_json = store::is_json(&content_type);
    if request.method != Method::DELETE && is_json {
        Json::parse(&request.body)
            .map_err(|error| Refusal::bad(format!("the document says that it is JSON, and it is not: {error}")))?;
    }
    // A profile belongs to many, so nobody may replace it unseen; 1.0.3 wants that said even where there is none yet.
    let unsaid = match (&request.method, name.scope.kind, version) {
        (&Method::PUT, Kind::State, Version::V1) => Unsaid::Done,
        (&Method::PUT, _, Version::V1) => Unsaid::Refused,
        (&Method::PUT, _, Version::V2) => Unsaid::MustNotReplace,
        _ => Unsaid::Done,
    };
    let when =
        Precondition { if_match: request.tags("if-match"), if_none_match: request.tags("if-none-match"), unsaid };
    let content = request.body;
    let change = match request.method {
        Method::PUT => Change::Put { content_type, content },
        Method::POST => Change::Merge { content_type, content },
        _ => Change::Remove,
    };
    shared.store.change(name, change, when).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
