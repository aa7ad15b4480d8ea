//! The Experience API over HTTP. Every request goes the same way: headers and parameters, the version, who asks, the resource.

mod answer;
mod documents;
mod others;
mod query;
mod request;
mod statements;

use crate::auth::{self, Access, Authenticator};
use crate::store::Store;
use answer::{Answer, Outcome, Refusal};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use lyceum_xapi::{Timestamp, Version};
use request::Request;
use std::sync::Arc;

/// How the store is served.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the router is mounted, for links to further pages; begins with a slash and does not end with one.
    pub base_path: String,
    /// Longest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// Statements of a page at most.
    pub max_page: usize,
    /// A page ends after so many bytes of statements.
    pub max_page_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_path: "/xapi".to_owned(), max_body_bytes: 16 << 20, max_page: 500, max_page_bytes: 8 << 20 }
    }
}

const API_VERSION: HeaderName = HeaderName::from_static("x-experience-api-version");
const CONSISTENT_THROUGH: HeaderName = HeaderName::from_static("x-experience-api-consistent-through");

/// What the resources share.
pub(super) struct Shared {
    store: Store,
    authenticator: Arc<dyn Authenticator>,
    config: Config,
}

/// A request whose sender and version are known.
pub(super) struct Asked {
    request: Request,
    version: Version,
    access: Access,
}

/// The resources, to be nested where [`Config::base_path`] says.
pub fn router(store: Store, authenticator: Arc<dyn Authenticator>, config: Config) -> Router {
    Router::new().fallback(serve).with_state(Arc::new(Shared { store, authenticator, config }))
}

async fn serve(State(shared): State<Arc<Shared>>, http: HttpRequest) -> Response<Body> {
    let path = http.uri().path().to_owned();
    let head = http.method() == Method::HEAD;
    if http.method() == Method::OPTIONS {
        return with_cors(Answer::empty(StatusCode::NO_CONTENT).into_response(false));
    }
    let (version, outcome) = answer(&shared, &path, http).await;
    let mut answer = outcome.unwrap_or_else(Answer::from).with(API_VERSION, version);
    if path == "/statements" {
        let through = Timestamp(shared.store.consistent_through()).to_string();
        answer = answer.with(CONSISTENT_THROUGH, through);
    }
    with_cors(answer.into_response(head))
}

/// What is answered, and the version that the answer names.
async fn answer(shared: &Arc<Shared>, path: &str, http: HttpRequest) -> (&'static str, Outcome) {
    let (parts, body) = http.into_parts();
    let asked = parts.headers.get(request::VERSION).and_then(|value| value.to_str().ok()).and_then(Version::of_header);
    // Whoever sends no version speaks what was before there was one; both batteries of ADL's tests take this.
    let named = |version: Option<Version>, is_there: bool| match version {
        Some(version) => version.latest(),
        None if is_there => Version::V2.latest(),
        None => BEFORE_VERSIONS,
    };
    let named_early = named(asked, parts.headers.contains_key(request::VERSION));
    let body = match to_bytes(body, shared.config.max_body_bytes).await {
        Ok(body) => body,
        Err(error) => return (named_early, Err(unreadable(&error, shared.config.max_body_bytes))),
    };
    let mut request = match Request::new(parts.method, &parts.uri, &parts.headers, body.into()) {
        Ok(request) => request,
        Err(refusal) => return (named_early, Err(refusal)),
    };
    if request.method == Method::HEAD {
        request.method = Method::GET;
    }
    let version = request.version_header().map(Version::of_header);
    if path == "/about" {
        let version = version.flatten().unwrap_or(Version::V2);
        return (version.latest(), others::about(request));
    }
    let named = named(version.flatten(), version.is_some());
    let Some(version) = version.flatten() else {
        let message =
            "the header X-Experience-API-Version is missing or names a version that is not spoken; 1.0.x and 2.0.x are";
        return (named, Err(Refusal::bad(message)));
    };
    let Some(access) = auth::authenticate(request.header("authorization"), shared.authenticator.as_ref()) else {
        let message = "the credentials are missing or wrong: send Basic or Bearer ones that this record store knows";
        return (named, Err(Refusal::new(StatusCode::UNAUTHORIZED, message)));
    };
    let asked = Asked { request, version, access };
    (named, resource(shared, path, asked).await)
}

/// What a request without a version is answered with.
const BEFORE_VERSIONS: &str = "0.95";

async fn resource(shared: &Arc<Shared>, path: &str, asked: Asked) -> Outcome {
    match path {
        "/statements" => statements::serve(shared, asked).await,
        "/activities/state" | "/activities/profile" | "/agents/profile" => documents::serve(shared, path, asked).await,
        "/activities" => others::activity(shared, asked).await,
        "/agents" => others::agent(shared, asked).await,
        _ => Err(Refusal::not_found("there is no such resource in the Experience API")),
    }
}

fn unreadable(error: &axum::Error, limit: usize) -> Refusal {
    let too_large = std::error::Error::source(error).is_some_and(|cause| cause.is::<LengthLimitError>());
    if too_large {
        let message =
            format!("the body is longer than the {limit} bytes that are taken: send fewer statements at once");
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message);
    }
    Refusal::bad("the body could not be read to its end")
}

type LengthLimitError = http_body_util::LengthLimitError;

fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this resource does not take this method")
}

/// Any page may ask, since it has to bring credentials of its own.
fn with_cors(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let allowed = "Authorization, Content-Type, If-Match, If-None-Match, Accept-Language, X-Experience-API-Version, X-Experience-API-Hash";
    let exposed = "ETag, Last-Modified, X-Experience-API-Version, X-Experience-API-Consistent-Through";
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, PUT, POST, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, allowed),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
