//! The resource that takes statements and gives them back.

use super::answer::{Answer, Outcome, Refusal, http_date};
use super::query::{How, Question, question};
use super::{Asked, Shared, method_not_allowed};
use crate::store::{self, Batch, Contents, Prepared, Query};
use axum::http::{Method, StatusCode, header};
use lyceum_xapi::format::{self, Format, Languages};
use lyceum_xapi::multipart::{self, Attachment};
use lyceum_xapi::validate::{self, Problem, SIGNATURE};
use lyceum_xapi::{Json, Timestamp, Uuid, Version, digest, index, signature};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bodies from this length on are looked at on a thread of their own.
const LONG: usize = 64 << 10;
/// Statements of one request, at most.
const MAX_BATCH: usize = 10_000;

pub(super) async fn serve(shared: &Arc<Shared>, asked: Asked) -> Outcome {
    match asked.request.method {
        Method::GET => get(shared, asked).await,
        Method::PUT | Method::POST => write(shared, asked).await,
        _ => Err(method_not_allowed()),
    }
}

async fn write(shared: &Arc<Shared>, mut asked: Asked) -> Outcome {
    if !asked.access.scopes.write_statements {
        return Err(Refusal::forbidden("statements/write"));
    }
    let id = match asked.request.method {
        Method::PUT => {
            let id = asked.request.params.uuid("statementId")?;
            Some(id.ok_or_else(|| Refusal::bad("the parameter statementId is missing"))?)
        }
        _ => None,
    };
    asked.request.params.nothing_else()?;
    let batch = if asked.request.body.len() < LONG {
        prepare(&asked, id)?
    } else {
        let prepared = tokio::task::spawn_blocking(move || prepare(&asked, id)).await;
        prepared
            .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the statements could not be looked at"))??
    };
    let ids: Vec<String> = batch.statements.iter().map(|one| format!("\"{}\"", one.id)).collect();
    if !batch.statements.is_empty() {
        shared.store.insert(batch).await?;
    }
    match id {
        Some(_) => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        None => Ok(Answer::json(format!("[{}]", ids.join(",")))),
    }
}

/// Statements as they are stored, from a request.
fn prepare(asked: &Asked, id: Option<Uuid>) -> Outcome<Batch> {
    let (body, attached) = take_apart(asked)?;
    let parsed = Json::parse(body).map_err(|error| Refusal::bad(format!("the statements are not JSON: {error}")))?;
    let mut statements = match parsed {
        Json::Array(_) if id.is_some() => return Err(Refusal::bad("PUT takes one statement, not a list")),
        Json::Array(statements) => statements,
        one => vec![one],
    };
    if statements.len() > MAX_BATCH {
        let message = format!("at most {MAX_BATCH} statements are taken at once");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    check(&statements, asked.version)?;
    if let (Some(id), Some(object)) = (id, statements.first_mut().and_then(Json::as_object_mut)) {
        match object.get("id").and_then(Json::as_str).map(Uuid::parse) {
            None => object.set("id", id.to_string().into()),
            Some(given) if given == Some(id) => {}
            Some(_) => return Err(Refusal::bad("the statement's id is not the one of the parameter statementId")),
        }
    }
    check_ids(&statements)?;
    let contents = check_attachments(&statements, attached.as_ref())?;
    let (tenant, authority) = (&asked.access.tenant, &asked.access.authority);
    let prepared = statements
        .into_iter()
        .map(|statement| Ok(Prepared::new(statement, new_id()?, tenant, authority, asked.version)))
        .collect::<Outcome<_>>()?;
    Ok(Batch { tenant: tenant.clone(), statements: prepared, contents, define: asked.access.scopes.define })
}

/// Attachments' octets by the SHA-2 that their part names.
type Attached<'a> = BTreeMap<String, &'a [u8]>;

/// The JSON of a body, and the attachments that come with it if it has parts.
fn take_apart(asked: &Asked) -> Outcome<(&[u8], Option<Attached<'_>>)> {
    let (body, content_type) = (&asked.request.body, asked.request.content_type());
    if store::is_json(content_type) {
        return Ok((body, None));
    }
    let boundary = multipart::boundary(content_type).ok_or_else(|| {
        Refusal::bad("the Content-Type must be application/json, or multipart/mixed with attachments")
    })?;
    let bad = |error: multipart::MultipartError| Refusal::bad(error.to_string());
    let parts = multipart::parse(body, &boundary.map_err(bad)?).map_err(bad)?;
    let mut parts = parts.into_iter();
    let first = parts.next().filter(|part| part.header("content-type").is_some_and(store::is_json));
    let first = first
        .ok_or_else(|| Refusal::bad("the first part must be the statements, with the Content-Type application/json"))?;
    let mut attached = Attached::new();
    for part in parts {
        if !part.header("content-transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("binary")) {
            return Err(Refusal::bad("each attachment's part must have the header Content-Transfer-Encoding: binary"));
        }
        let hash = part.header("x-experience-api-hash");
        let hash =
            hash.ok_or_else(|| Refusal::bad("each attachment's part must have the header X-Experience-API-Hash"))?;
        if !digest::is_sha2_of(hash, part.content) {
            return Err(Refusal::bad("the X-Experience-API-Hash of a part is not the SHA-2 of its content"));
        }
        attached.insert(hash.to_ascii_lowercase(), part.content);
    }
    Ok((first.content, Some(attached)))
}

fn check(statements: &[Json], version: Version) -> Outcome<()> {
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        if let Err(found) = validate::statement(statement, version) {
            problems.extend(found.into_iter().map(|problem| (index, problem)));
        }
        if problems.len() >= validate::MAX_PROBLEMS {
            problems.truncate(validate::MAX_PROBLEMS);
            break;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::statements(problems)) }
}

fn check_ids(statements: &[Json]) -> Outcome<()> {
    let mut ids = BTreeSet::new();
    for (index, statement) in statements.iter().enumerate() {
        let id = statement.get_str("id").and_then(Uuid::parse);
        if id.is_some_and(|id| !ids.insert(id)) {
            let rule = "another statement of this request has the same id".to_owned();
            return Err(Refusal::statements(vec![(index, Problem { at: "/id".to_owned(), rule })]));
        }
    }
    Ok(())
}

/// Every attachment is there or somewhere else, every part belongs to an attachment, and signatures sign.
fn check_attachments(statements: &[Json], attached: Option<&Attached<'_>>) -> Outcome<Contents> {
    let mut contents = Contents::new();
    for (index, statement) in statements.iter().enumerate() {
        let refuse = |rule: String| Refusal::statements(vec![(index, Problem { at: "/attachments".to_owned(), rule })]);
        for attachment in index::attachments(statement) {
            let sum = attachment.get_str("sha2").unwrap_or_default().to_ascii_lowercase();
            let content = attached.and_then(|attached| attached.get(&sum));
            if content.is_none() && attachment.get("fileUrl").is_none() {
                return Err(refuse(
                    "an attachment without a fileUrl must come with the request, as a part whose hash is its sha2"
                        .to_owned(),
                ));
            }
            if attachment.get_str("usageType") == Some(SIGNATURE) {
                let content = content.ok_or_else(|| refuse("a signature must come with the request".to_owned()))?;
                signature::verify(statement, content).map_err(|error| refuse(error.to_string()))?;
            }
            if let Some(content) = content {
                // Its length is what the client says; the sum alone tells whether it is the right content.
                contents.entry(sum).or_insert_with(|| content.to_vec());
            }
        }
    }
    if attached.is_some_and(|attached| attached.len() > contents.len()) {
        return Err(Refusal::bad("a part of the request belongs to no attachment of its statements"));
    }
    Ok(contents)
}

fn new_id() -> Outcome<Uuid> {
    let mut bits = [0; 16];
    aws_lc_rs::rand::fill(&mut bits)
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this machine gives no random numbers"))?;
    Ok(Uuid::from_random(bits))
}

async fn get(shared: &Arc<Shared>, mut asked: Asked) -> Outcome {
    let scopes = asked.access.scopes;
    let mine_only = !(scopes.read_statements || scopes.read_all);
    if mine_only && !scopes.read_mine {
        return Err(Refusal::forbidden("statements/read or statements/read/mine"));
    }
    let tenant = asked.access.tenant.clone();
    let question = question(shared, &mut asked.request.params, &tenant, asked.version)?;
    let languages = Languages::parse(asked.request.header("accept-language").unwrap_or_default());
    let mine = mine_only.then(|| asked.access.authority.to_text());
    match question {
        Question::One { id, voided, how } => {
            let found = {
                let tenant = tenant.clone();
                shared.store.read(move |conn| store::statement(conn, &tenant, id, voided)).await?
            };
            let readable = |text: &String| {
                mine.as_ref().is_none_or(|mine| {
                    let statement = Json::parse(text.as_bytes()).ok();
                    statement.and_then(|statement| statement.get("authority").map(Json::to_text)).as_ref() == Some(mine)
                })
            };
            let found = found.filter(|(_, text)| readable(text));
            let (seq, text) = found.ok_or_else(|| Refusal::not_found("there is no such statement"))?;
            let answer =
                give(shared, &tenant, vec![text], how, &languages, |mut texts| texts.pop().unwrap_or_default()).await?;
            Ok(answer.with(header::LAST_MODIFIED, http_date(Timestamp(seq).seconds())))
        }
        Question::Page { mut query, how, link } => {
            query.authority = mine;
            let known_bound = link.up_to();
            let (page, up_to) = shared
                .store
                .read(move |conn| {
                    // What is stored from here on is in none of the pages.
                    let up_to = known_bound.map_or_else(|| store::last(conn), Ok)?;
                    let until = Some(query.until.map_or(up_to, |until| until.min(up_to)));
                    Ok((store::page(conn, &Query { until, ..query })?, up_to))
                })
                .await?;
            let more = match page.statements.last() {
                Some((last, _)) if page.more => link.after(&shared.config.base_path, *last, up_to),
                _ => String::new(),
            };
            let texts = page.statements.into_iter().map(|(_, text)| text).collect();
            give(shared, &tenant, texts, how, &languages, |texts| {
                format!("{{\"statements\":[{}],\"more\":{}}}", texts.join(","), Json::from(more).to_text())
            })
            .await
        }
    }
}

/// Statements in the format that was asked for, with their attachments if that was asked for as well.
async fn give(
    shared: &Shared,
    tenant: &str,
    texts: Vec<String>,
    how: How,
    languages: &Languages,
    wrap: impl FnOnce(Vec<String>) -> String,
) -> Outcome {
    if how.format == Format::Exact && !how.attachments {
        return Ok(Answer::json(wrap(texts)));
    }
    let parsed = texts.iter().map(|text| Json::parse(text.as_bytes())).collect::<Result<Vec<_>, _>>();
    let mut statements = parsed
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a statement that is stored cannot be read"))?;
    let attachments = if how.attachments { attachments(shared, tenant, &statements).await? } else { Vec::new() };
    match how.format {
        Format::Exact => {}
        Format::Ids => statements.iter_mut().for_each(format::ids),
        Format::Canonical => canonical(shared, tenant, &mut statements, languages).await?,
    }
    let texts = if how.format == Format::Exact { texts } else { statements.iter().map(Json::to_text).collect() };
    let json = wrap(texts);
    if !how.attachments {
        return Ok(Answer::json(json));
    }
    let boundary = new_id()?.to_string();
    let parts: Vec<Attachment<'_>> =
        attachments.iter().map(|(sha2, content_type, content)| Attachment { content_type, sha2, content }).collect();
    let body = multipart::write(&boundary, json.as_bytes(), &parts);
    Ok(Answer::ok(&format!("multipart/mixed; boundary={boundary}"), body))
}

async fn canonical(shared: &Shared, tenant: &str, statements: &mut [Json], languages: &Languages) -> Outcome<()> {
    let mut ids = BTreeSet::new();
    for statement in statements.iter_mut() {
        format::for_each_activity(statement, &mut |activity| ids.extend(activity.get_str("id").map(str::to_owned)));
    }
    let tenant = tenant.to_owned();
    let known = shared.store.read(move |conn| store::definitions(conn, &tenant, &ids)).await?;
    for statement in statements {
        format::canonical(statement, languages, &|id| known.get(id).cloned());
    }
    Ok(())
}

/// The SHA-2, type and octets of every attachment that is stored here.
async fn attachments(shared: &Shared, tenant: &str, statements: &[Json]) -> Outcome<Vec<(String, String, Vec<u8>)>> {
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    for attachment in statements.iter().flat_map(index::attachments) {
        if let (Some(sum), Some(kind)) = (attachment.get_str("sha2"), attachment.get_str("contentType")) {
            types.entry(sum.to_ascii_lowercase()).or_insert_with(|| kind.to_owned());
        }
    }
    let sums: BTreeSet<String> = types.keys().cloned().collect();
    let tenant = tenant.to_owned();
    let contents = shared.store.read(move |conn| store::contents(conn, &tenant, &sums)).await?;
    let with_type = |(sum, content): (String, Vec<u8>)| {
        let kind = types.get(&sum).cloned().unwrap_or_default();
        (sum, kind, content)
    };
    Ok(contents.into_iter().map(with_type).collect())
}
