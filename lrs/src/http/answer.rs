//! Answers, and refusals that say what was wrong and where.

use crate::store::StoreError;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use lyceum_xapi::validate::Problem;
use lyceum_xapi::{Json, Number, Object};

/// An answer that is under way: status, headers, body.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::ok("application/json", body.into())
    }

    pub fn ok(content_type: &str, body: Vec<u8>) -> Self {
        Self::empty(StatusCode::OK).with(header::CONTENT_TYPE, content_type).with_body(body)
    }

    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// The response; of a HEAD request, without its body.
    pub fn into_response(self, head: bool) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            // What a client once sent, such as a media type, may be no header value.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        if !head {
            *response.body_mut() = Body::from(self.body);
        }
        response
    }
}

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    message: String,
    /// Breaches of rules, with the place of the statement in the request.
    problems: Vec<(usize, Problem)>,
}

pub(super) type Outcome<T = Answer> = Result<T, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), problems: Vec::new() }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn forbidden(scope: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("these credentials lack the scope {scope}"))
    }

    pub fn statements(problems: Vec<(usize, Problem)>) -> Self {
        let message = match problems.first() {
            Some((index, problem)) => format!("statement {index}: {problem}"),
            None => "a statement breaks the rules".to_owned(),
        };
        Self { status: StatusCode::BAD_REQUEST, message, problems }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Conflict { .. } | StoreError::Exists => StatusCode::CONFLICT,
            StoreError::Precondition(_) => StatusCode::PRECONDITION_FAILED,
            StoreError::CannotMerge(_) | StoreError::Unsaid => StatusCode::BAD_REQUEST,
            StoreError::Full => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Overloaded | StoreError::Unavailable(_) | StoreError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Invalid { .. } | StoreError::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match &error {
            // The database's own words are for the operator.
            StoreError::Unavailable(_) | StoreError::Bug(_) => {
                tracing::error!(%error, "the record store failed");
                Self::new(status, "the record store cannot be used at the moment: try again later")
            }
            _ => Self::new(status, error.to_string()),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut body = Object::default();
        body.set("error", refusal.message.as_str().into());
        if !refusal.problems.is_empty() {
            let problems = refusal.problems.into_iter().map(|(index, problem)| {
                let mut entry = Object::default();
                entry.set("statement", Json::Number(Number::whole(index as u64)));
                entry.set("at", problem.at.into());
                entry.set("rule", problem.rule.into());
                Json::from(entry)
            });
            body.set("problems", Json::Array(problems.collect()));
        }
        let mut answer = Self::empty(refusal.status)
            .with(header::CONTENT_TYPE, "application/json")
            .with_body(Json::from(body).to_text().into_bytes());
        match refusal.status {
            StatusCode::UNAUTHORIZED => {
                answer = answer.with(header::WWW_AUTHENTICATE, "Basic realm=\"xAPI\", charset=\"UTF-8\"")
            }
            StatusCode::SERVICE_UNAVAILABLE => answer = answer.with(header::RETRY_AFTER, "2"),
            StatusCode::INSUFFICIENT_STORAGE => answer = answer.with(header::RETRY_AFTER, "60"),
            _ => {}
        }
        answer
    }
}

/// A moment as HTTP writes it (RFC 9110), from seconds since 1970.
pub(super) fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = lyceum_xapi::Timestamp(seconds.saturating_mul(1_000_000)).to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let week_day = DAYS.get(seconds.div_euclid(86_400).rem_euclid(7) as usize).copied().unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))).copied();
    format!("{week_day}, {} {} {} {} GMT", part(8..10), month.unwrap_or_default(), part(0..4), part(11..19))
}
