//! Bodies with attachments.

use lyceum_xapi::multipart::{self, Attachment, MultipartError};
use proptest::prelude::*;

#[test]
fn the_boundary_comes_from_the_header() {
    let boundary = |header: &str| multipart::boundary(header);
    assert_eq!(boundary("multipart/mixed; boundary=abc"), Some(Ok("abc".to_owned())));
    assert_eq!(boundary("Multipart/Mixed;charset=x; Boundary=\"a b\""), Some(Ok("a b".to_owned())));
    assert_eq!(boundary("multipart/mixed"), Some(Err(MultipartError::Boundary)));
    assert_eq!(boundary("multipart/form-data; boundary=abc"), None);
    assert_eq!(boundary("application/json"), None);
}

#[test]
fn parts_have_headers_and_octets() {
    let body = b"preamble\r\n--abc\r\nContent-Type:application/json\r\n\r\n{}\r\n--abc\r\nX-Experience-API-Hash: 12\r\n\r\n\x00\r\n--ab\r\n--abc--\r\nepilogue";
    let parts = multipart::parse(body, "abc").unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!((parts[0].header("content-type"), parts[0].content), (Some("application/json"), &b"{}"[..]));
    assert_eq!((parts[1].header("x-experience-api-hash"), parts[1].content), (Some("12"), &b"\x00\r\n--ab"[..]));
}

#[test]
fn what_is_cut_off_is_refused() {
    let parse = |body: &str| multipart::parse(body.as_bytes(), "abc").unwrap_err();
    assert_eq!(parse(""), MultipartError::NoParts);
    assert_eq!(parse("--abc--"), MultipartError::NoParts);
    assert_eq!(parse("--abc\r\n\r\nx"), MultipartError::Unfinished);
    assert_eq!(parse("--abc"), MultipartError::Unfinished);
    assert_eq!(parse("--abc\r\nno header\r\n\r\nx\r\n--abc--"), MultipartError::Headers(0));
    let many = "--abc\r\n\r\n\r\n".repeat(multipart::MAX_PARTS + 1);
    assert_eq!(parse(&format!("{many}--abc--")), MultipartError::TooMany);
}

proptest! {
    #[test]
    fn what_is_written_is_read(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5)) {
        let attachments: Vec<_> =
            contents.iter().map(|content| Attachment { content_type: "text/plain", sha2: "12", content }).collect();
        let body = multipart::write("4f1c0d9e2b7a", b"[]", &attachments);
        let parts = multipart::parse(&body, "4f1c0d9e2b7a").unwrap();
        prop_assert_eq!(parts[0].content, b"[]");
        prop_assert_eq!(parts[1..].iter().map(|part| part.content.to_vec()).collect::<Vec<_>>(), contents);
    }

    #[test]
    fn no_body_is_too_strange(body in prop::collection::vec(prop_oneof![Just(b'-'), Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()], 0..200)) {
        let _ = multipart::parse(&body, "a");
    }
}
