//! `multipart/mixed` (RFC 2046) as statements with attachments travel in it: the statements first, then the attachments as raw octets.

/// Parts of one body, at most.
pub const MAX_PARTS: usize = 1001;
/// Headers of one part, in bytes, at most.
const MAX_HEADERS: usize = 8192;

/// One part of a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The octets between the headers and the next delimiter.
    pub content: &'a [u8],
}

impl Part<'_> {
    /// The value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why a body is not `multipart/mixed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MultipartError {
    /// The header says nothing of how parts are delimited.
    #[error("the Content-Type header has no boundary, or one that is not allowed")]
    Boundary,
    /// Not a single delimiter.
    #[error("the body has no part: the boundary of the Content-Type header does not occur in it")]
    NoParts,
    /// The last delimiter, which has two more hyphens, is missing.
    #[error("the body ends before its last delimiter")]
    Unfinished,
    /// A part's headers cannot be read.
    #[error("the headers of part {0} (from 0) cannot be read")]
    Headers(usize),
    /// More than [`MAX_PARTS`].
    #[error("the body has too many parts")]
    TooMany,
}

/// The boundary that a `Content-Type` of `multipart/mixed` names; `None` if it is another type.
pub fn boundary(content_type: &str) -> Option<Result<String, MultipartError>> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !essence.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    });
    let allowed = |boundary: &String| {
        (1..=70).contains(&boundary.len()) && boundary.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    Some(boundary.filter(allowed).ok_or(MultipartError::Boundary))
}

/// Takes a body apart.
pub fn parse<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, MultipartError> {
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut rest = match body.strip_prefix(delimiter) {
        Some(rest) => rest,
        None => after_delimiter(body, delimiter).ok_or(MultipartError::NoParts)?.1,
    };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return if parts.is_empty() { Err(MultipartError::NoParts) } else { Ok(parts) };
        }
        if parts.len() >= MAX_PARTS {
            return Err(MultipartError::TooMany);
        }
        // White space may follow a delimiter on its line.
        let line_end = find(rest, b"\r\n").ok_or(MultipartError::Unfinished)?;
        let inside = rest.get(line_end + 2..).unwrap_or_default();
        let (part, after) = after_delimiter(inside, delimiter).ok_or(MultipartError::Unfinished)?;
        parts.push(read_part(part).ok_or(MultipartError::Headers(parts.len()))?);
        rest = after;
    }
}

/// What stands before the next delimiter at the beginning of a line, and what follows it.
fn after_delimiter<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        let at = from + find(text.get(from..)?, b"\r\n")?;
        let rest = text.get(at + 2..)?;
        if let Some(after) = rest.strip_prefix(delimiter) {
            return Some((text.get(..at)?, after));
        }
        from = at + 2;
    }
}

fn read_part(part: &[u8]) -> Option<Part<'_>> {
    let (head, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&[][..], content),
        None => {
            let end = find(part.get(..part.len().min(MAX_HEADERS))?, b"\r\n\r\n")?;
            (part.get(..end)?, part.get(end + 4..)?)
        }
    };
    let head = std::str::from_utf8(head).ok()?;
    let mut headers = Vec::new();
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Part { headers, content })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// One attachment to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment<'a> {
    /// Its media type.
    pub content_type: &'a str,
    /// Its SHA-2 in hexadecimal.
    pub sha2: &'a str,
    /// Its octets.
    pub content: &'a [u8],
}

/// Writes a body: the JSON first, then the attachments. The boundary must occur in none of them; one of random digits does not.
pub fn write(boundary: &str, json: &[u8], attachments: &[Attachment<'_>]) -> Vec<u8> {
    let size: usize = attachments.iter().map(|one| one.content.len() + 300).sum();
    let mut body = Vec::with_capacity(json.len() + size + 300);
    body.extend_from_slice(format!("--{boundary}\r\nContent-Type: application/json\r\n\r\n").as_bytes());
    body.extend_from_slice(json);
    for attachment in attachments {
        // A line break in a value would be the end of it.
        let kind: String = attachment.content_type.chars().filter(|c| !c.is_control()).collect();
        let headers = format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nX-Experience-API-Hash: {}\r\n\r\n",
            attachment.sha2
        );
        body.extend_from_slice(headers.as_bytes());
        body.extend_from_slice(attachment.content);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}
