//! Slides over HTTP: what people bring is what they announced and what it says, or is refused with a sentence; whoever is in the
//! class reads it, and nobody else.

use crate::classroom::{Device, as_role, backend, get_with};
use crate::harness::*;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use flate2::{Compression, write::ZlibEncoder};
use lyceum::config::{ApiKey, Config};
use lyceum::token::{Claims, Keyring, LyceumClaims, VideoGrant};
use serde_json::json;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;

const PDF: &[u8] = include_bytes!("files/three-pages.pdf");
const PNG: &[u8] = include_bytes!("../../../fuzz/corpus/file/picture.png");
const JPEG: &[u8] = include_bytes!("../../../fuzz/corpus/file/picture.jpg");
const WEBP: &[u8] = include_bytes!("../../../fuzz/corpus/file/picture.webp");

#[tokio::test]
async fn a_pdf_and_pictures_become_slides_that_the_class_reads() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let ann = Device::enters(at, "maths", "ann", "learner").await;
    for (name, mime_type, bytes, pages) in [
        ("Größen.pdf", "application/pdf", PDF, 3),
        ("a", "image/png", PNG, 1),
        ("b", "image/jpeg", JPEG, 1),
        ("c", "image/webp", WEBP, 1),
    ] {
        let deck = teacher.announces(name, mime_type, bytes).await;
        assert_eq!(give(at, deck, &ann).await.status, StatusCode::NOT_FOUND, "it has not come yet");
        let taken = put(at, deck, &teacher.token(), bytes).await;
        assert_eq!((taken.status, taken.json()), (StatusCode::OK, json!({"deck": deck, "pages": pages})));
        teacher.sees("decks", &deck.to_string(), |deck| deck["status"] == json!({"ready": {"pages": pages}})).await;
        let read = give(at, deck, &ann).await;
        assert_eq!((read.status, read.header("content-type")), (StatusCode::OK, mime_type));
        assert!(read.bytes == bytes);
        assert_eq!((read.header("x-content-type-options"), read.header("accept-ranges")), ("nosniff", "bytes"));
        assert!(read.header("content-security-policy").contains("sandbox"));
        assert!(read.header("content-disposition").starts_with("attachment; "));
        if name == "Größen.pdf" {
            assert!(read.header("content-disposition").ends_with("filename*=UTF-8''Gr%C3%B6%C3%9Fen.pdf"));
        }
    }
    let deck = teacher.announces("again", "application/pdf", PDF).await;
    // The teacher's own access token does as well, and the same bytes twice are no error.
    for token in [as_role("maths", "teacher", "instructor"), teacher.token()] {
        assert_eq!(put(at, deck, &token, PDF).await.json()["pages"], 3);
    }
    let shown = teacher.commands("page.set", json!({"deck": deck, "page": 3})).await;
    assert_eq!(shown["status"], "accepted", "{shown}");
    assert_eq!(running.metric("lyceum_files_taken_total").await, 5.0);
    let stored = [PDF, PNG, JPEG, WEBP].iter().map(|file| file.len()).sum::<usize>();
    assert_eq!(running.metric("lyceum_files_bytes").await, stored as f64, "the same file is kept once");
}

#[tokio::test]
async fn a_file_is_read_in_parts_and_not_twice() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    put(at, deck, &teacher.token(), PDF).await;
    let ask_with = async |method: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(path(deck));
        for (name, value) in headers.iter().chain(&[("authorization", format!("Bearer {}", teacher.token()).as_str())])
        {
            request = request.header(*name, *value);
        }
        ask(at, request.body(Body::empty()).unwrap()).await
    };
    let whole = ask_with("GET", &[]).await;
    let tag = whole.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", hash(PDF)));
    let head = ask_with("HEAD", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.bytes.len()), (StatusCode::OK, "11214", 0));
    assert_eq!(ask_with("GET", &[("if-none-match", &tag)]).await.status, StatusCode::NOT_MODIFIED);

    let part = ask_with("GET", &[("range", "bytes=5-9")]).await;
    assert_eq!((part.status, part.header("content-range")), (StatusCode::PARTIAL_CONTENT, "bytes 5-9/11214"));
    assert!(part.bytes == PDF[5..10] && part.header("access-control-expose-headers").contains("content-range"));
    assert!(ask_with("GET", &[("range", "bytes=-7"), ("if-range", &tag)]).await.bytes == PDF[PDF.len() - 7..]);
    let changed = ask_with("GET", &[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await;
    assert_eq!((changed.status, changed.bytes.len()), (StatusCode::OK, PDF.len()));
    let beyond = ask_with("GET", &[("range", "bytes=20000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */11214"));
}

#[tokio::test]
async fn only_who_may_brings_and_only_who_is_there_reads() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut helper = Device::enters(at, "maths", "helper", "co_instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    let no = put(at, deck, &ann.token(), PDF).await;
    assert_eq!((no.status, no.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")));
    // Who was given the right brings their own decks, and nobody else's.
    let may = json!({"person": "ann", "set": {"deck.upload": true}});
    let rev = teacher.rev("participants", "ann");
    assert_eq!(
        teacher.commands_with("participant.override_caps", may, json!({"expect": rev})).await["status"],
        "accepted"
    );
    assert_eq!(put(at, deck, &ann.token(), PDF).await.status, StatusCode::FORBIDDEN);
    let own = ann.announces("mine", "image/png", PNG).await;
    assert_eq!(put(at, own, &ann.token(), PNG).await.status, StatusCode::OK);
    // Staff brings what others announced, and so does a backend.
    assert_eq!(put(at, deck, &helper.token(), PDF).await.status, StatusCode::OK);
    let other = helper.announces("b", "image/png", PNG).await;
    assert_eq!(put(at, other, &backend("maths"), PNG).await.status, StatusCode::OK);
    assert_eq!(get_with(at, &path(deck), &backend("maths")).await.status, StatusCode::OK);

    let nobody = ask(at, Request::get(path(deck)).body(Body::empty()).unwrap()).await;
    assert_eq!((nobody.status, nobody.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("token_missing")));
    let stranger = as_role("maths", "eve", "instructor");
    for answer in [get_with(at, &path(deck), &stranger).await, put(at, deck, &stranger, PDF).await] {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("not_admitted")));
    }
    let elsewhere = Device::enters(at, "physics", "eve", "instructor").await;
    for token in [elsewhere.token(), as_role("physics", "eve", "instructor")] {
        assert_eq!(get_with(at, &path(deck), &token).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(put(at, 99_999, &teacher.token(), PDF).await.status, StatusCode::NOT_FOUND);
    let senseless = get_with(at, "/api/v1/rooms/maths/decks/first", &teacher.token()).await;
    assert_eq!(senseless.status, StatusCode::NOT_FOUND);
    // Whoever is sent away reads nothing any more.
    let (token, before) = (ann.token(), give(at, deck, &ann).await.status);
    teacher.commands("participant.remove", json!({"person": "ann"})).await;
    let after = get_with(at, &path(deck), &token).await;
    assert_eq!((before, after.status), (StatusCode::OK, StatusCode::FORBIDDEN));
    // And nobody what was taken away.
    assert_eq!(teacher.commands("deck.remove", json!({"deck": deck})).await["status"], "accepted");
    assert_eq!(give(at, deck, &teacher).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_with_a_sentence() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut wide = PNG.to_vec();
    wide[16..20].copy_from_slice(&100_000u32.to_be_bytes());
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (mime_type, bytes, says) in [
        ("application/pdf", PNG.to_vec(), "the file is a PNG picture, and was announced as a PDF"),
        ("image/png", PDF.to_vec(), "the file is a PDF, and was announced as a PNG picture"),
        ("image/webp", JPEG.to_vec(), "the file is a JPEG picture, and was announced as a WebP picture"),
        ("application/pdf", b"<html><script>alert(1)</script>".to_vec(), "does not begin like one"),
        ("application/pdf", PDF[..PDF.len() / 2].to_vec(), "the PDF is cut off"),
        ("application/pdf", [PDF, zip].concat(), "the PDF is cut off, or something else follows its end"),
        ("application/pdf", pdf(&[b"<< /Type /Pages /Kids [] /Count 7 >>"], ""), "the PDF has no pages"),
        ("application/pdf", locked_pdf(), "protected by a password"),
        ("application/pdf", pdf_of(2_001), "more than 2000 pages"),
        ("application/pdf", b"%PDF-1.7\nnothing\n%%EOF".to_vec(), "the PDF cannot be read"),
        ("image/png", PNG[..PNG.len() - 20].to_vec(), "the PNG picture is cut off"),
        ("image/png", [PNG, zip].concat(), "something else is hidden behind the end of the PNG picture"),
        ("image/png", wide, "the picture is 100000 × 18 pixels"),
        ("image/jpeg", JPEG[..JPEG.len() - 20].to_vec(), "the JPEG picture is cut off"),
        ("image/jpeg", [JPEG, zip].concat(), "something else is hidden behind the end of the JPEG picture"),
        ("image/webp", [WEBP, zip].concat(), "something else is hidden behind the end of the WebP picture"),
        ("image/webp", WEBP[..WEBP.len() - 20].to_vec(), "the WebP picture is cut off"),
        ("image/svg+xml", b"<svg/>".to_vec(), "slides are PDF files, or pictures"),
    ] {
        let deck = teacher.announces("a", mime_type, &bytes).await;
        let refused = put(at, deck, &teacher.token(), &bytes).await;
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        let (status, code) = match mime_type {
            "image/svg+xml" => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "type_unsupported"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "file_invalid"),
        };
        assert_eq!((refused.status, refused.json()["code"].as_str()), (status, Some(code)), "{says}: {message}");
        assert!(message.contains(says), "{says}: {message}");
        // The class knows, and the file is not kept.
        teacher.sees("decks", &deck.to_string(), |deck| deck["status"]["failed"]["reason"] == message).await;
        assert_eq!(give(at, deck, &teacher).await.status, StatusCode::NOT_FOUND);
        assert_eq!(put(at, deck, &teacher.token(), &bytes).await.status, StatusCode::CONFLICT);
    }
    assert_eq!(running.metric("lyceum_files_bytes").await, 0.0);
}

#[tokio::test]
async fn a_hostile_pdf_costs_its_own_process_and_nobody_else() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let pages = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>";
    // A tree of pages that goes round in circles, one that is as deep as it is long, and values inside of each other.
    let circle = pdf(&[pages], "");
    let nested = pdf(&[&vec![b'['; 200_000]], "");
    // A stream that becomes 600 MB twice over; ten that become 60 MB.
    let twice = deflate(deflate(std::io::repeat(0).take(600 << 20)).as_slice());
    let bomb = pdf(&[&object_stream(&twice, "[/FlateDecode /FlateDecode]")], "");
    let once = object_stream(&deflate(std::io::repeat(b' ').take(60 << 20)), "/FlateDecode");
    let bombs = pdf(&[once.as_slice(); 10], "");
    for bytes in [circle, nested, bomb, bombs] {
        let deck = teacher.announces("a", "application/pdf", &bytes).await;
        let refused = put(at, deck, &teacher.token(), &bytes).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    assert_eq!(put(at, deck, &teacher.token(), PDF).await.status, StatusCode::OK);
}

#[tokio::test]
async fn other_bytes_than_announced_leave_the_deck_waiting() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    let mut other = PDF.to_vec();
    other[500] ^= 1;
    for (bytes, says) in [
        (other, "their SHA-256 is another"),
        ([PDF, b"x"].concat(), "and 11215 are sent"),
        (PDF[1..].to_vec(), "and 11213 are sent"),
    ] {
        let refused = put(at, deck, &teacher.token(), &bytes).await;
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("file_mismatch"))
        );
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    // Without a length said beforehand.
    let streamed = |bytes: Vec<u8>| {
        let parts = bytes.chunks(1_000).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect::<Vec<_>>();
        Body::from_stream(futures_util::stream::iter(parts))
    };
    for bytes in [[PDF, &[0; 300_000]].concat(), PDF[..9_000].to_vec()] {
        let refused = ask(at, request(deck, &teacher.token(), streamed(bytes))).await;
        assert_eq!(refused.json()["code"], "file_mismatch", "{}", refused.text);
    }
    assert_eq!(ask(at, request(deck, &teacher.token(), streamed(PDF.to_vec()))).await.json()["pages"], 3);
}

#[tokio::test]
async fn a_cut_connection_leaves_nothing_and_the_file_comes_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let at = server.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    let half = begin_to_send(at, deck, &teacher.token(), &PDF[..6_000]);
    metric_becomes(at, "lyceum_files_uploads", 1.0).await;
    drop(half);
    metric_becomes(at, "lyceum_files_uploads", 0.0).await;
    metric_becomes(at, "lyceum_files_bytes", 0.0).await;
    assert_eq!(files_in(&data.path().join("files/incoming")), 0);
    assert_eq!(put(at, deck, &teacher.token(), PDF).await.json()["pages"], 3);
}

#[tokio::test]
async fn a_crash_on_the_way_or_before_the_class_is_told_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let mut teacher = Device::enters(server.address, "maths", "teacher", "instructor").await;
    let session = teacher.welcome()["session"].as_str().unwrap().to_owned();
    let half = teacher.announces("a", "application/pdf", PDF).await;
    let stored = teacher.announces("b", "image/png", PNG).await;
    let sending = begin_to_send(server.address, half, &teacher.token(), &PDF[..6_000]);
    metric_becomes(server.address, "lyceum_files_uploads", 1.0).await;
    server.kill();
    drop(sending);
    assert_eq!(files_in(&data.path().join("files/incoming")), 1);
    // Where a crash between the file and its event leaves the file.
    let tenant: String = digest(&SHA256, b"default").as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = data.path().join("files").join(tenant);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(hash(PNG)), PNG).unwrap();

    let server = Process::start(data.path(), &[]);
    assert_eq!(files_in(&data.path().join("files/incoming")), 0);
    for (deck, bytes) in [(half, PDF), (stored, PNG), (stored, PNG)] {
        let taken = put(server.address, deck, &teacher.token(), bytes).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
    }
    assert_eq!(files_in(&folder), 2);
    server.kill();
    let server = Process::start(data.path(), &[]);
    assert!(get_with(server.address, &path(half), &teacher.token()).await.bytes == PDF);
    let log = server.log("maths", &session).await;
    assert_eq!(log.iter().filter(|event| event["type"] == "deck.ready").count(), 2, "each once");
}

#[tokio::test]
async fn what_is_too_large_or_too_much_is_refused_before_it_is_kept() {
    let running = start_with(|config| {
        config.settings.files.max_bytes = 12_000;
        config.settings.files.tenant_bytes = 11_500;
    })
    .await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    // Whoever sends all of a file that is too large still reads why.
    let large = [PDF, &[b' '; 4_000_000]].concat();
    let deck = teacher.announces("large", "application/pdf", &large).await;
    let refused = put(at, deck, &teacher.token(), &large).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, Some("file_too_large"))
    );
    teacher.sees("decks", &deck.to_string(), |deck| deck["status"]["failed"].is_object()).await;

    let first = teacher.announces("first", "application/pdf", PDF).await;
    assert_eq!(put(at, first, &teacher.token(), PDF).await.status, StatusCode::OK);
    let second = teacher.announces("second", "image/jpeg", JPEG).await;
    let refused = put(at, second, &teacher.token(), JPEG).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (StatusCode::INSUFFICIENT_STORAGE, Some("quota")));
    let third = teacher.announces("third", "image/png", PNG).await;
    assert_eq!(put(at, third, &teacher.token(), PNG).await.status, StatusCode::OK, "what still fits is taken");
    teacher.sees("decks", &second.to_string(), |deck| deck["status"] == "pending").await;
}

#[tokio::test]
async fn tenants_have_nothing_in_common() {
    let secret = "0123456789abcdef0123456789abcdef";
    let college = ApiKey { secret: secret.to_owned(), tenant: "college".to_owned() };
    let with_college = |config: &mut Config| drop(config.keys.insert("college-key".to_owned(), college));
    let running = start_with(with_college).await;
    let at = running.address;
    let keyring = Keyring::new(running.server.app.config.keys.clone());
    let theirs = keyring.sign(&Claims {
        iss: "college-key".to_owned(),
        sub: "teacher".to_owned(),
        video: Some(VideoGrant { room_join: true, room: "maths".to_owned(), ..VideoGrant::default() }),
        lyceum: Some(LyceumClaims { role: Some("instructor".to_owned()), ..LyceumClaims::default() }),
        ..claims()
    });
    let theirs = theirs.unwrap();
    let mut ours = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut other = Device::enters_with(at, &theirs).await;
    let deck = ours.announces("a", "application/pdf", PDF).await;
    let same = other.announces("a", "application/pdf", PDF).await;
    assert_eq!(put(at, deck, &ours.token(), PDF).await.status, StatusCode::OK);
    // The same room, the same deck, the same file: and still nothing of ours.
    assert_eq!(deck, same);
    assert_eq!(give(at, same, &other).await.status, StatusCode::NOT_FOUND);
    assert_eq!(put(at, same, &theirs, PDF).await.status, StatusCode::OK);
    assert_eq!(running.metric("lyceum_files_bytes").await, 2.0 * PDF.len() as f64);
}

#[tokio::test]
async fn without_a_reader_the_deck_waits() {
    let running = start_with(|config| config.program = "/nowhere/lyceum".into()).await;
    let mut teacher = Device::enters(running.address, "maths", "teacher", "instructor").await;
    let deck = teacher.announces("a", "application/pdf", PDF).await;
    let refused = put(running.address, deck, &teacher.token(), PDF).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    teacher.sees("decks", &deck.to_string(), |deck| deck["status"] == "pending").await;
}

// ---- helpers -------------------------------------------------------------------------------------------------------

impl Device {
    async fn announces(&mut self, name: &str, mime_type: &str, bytes: &[u8]) -> u64 {
        let deck = json!({"name": name, "hash": hash(bytes), "mime_type": mime_type, "bytes": bytes.len()});
        let added = self.commands("deck.add", deck).await;
        added["first"].as_u64().unwrap_or_else(|| panic!("{added}"))
    }

    fn token(&self) -> String {
        self.welcome()["token"].as_str().unwrap().to_owned()
    }
}

fn path(deck: u64) -> String {
    format!("/api/v1/rooms/maths/decks/{deck}")
}

fn request(deck: u64, token: &str, body: Body) -> Request<Body> {
    Request::put(path(deck)).header("authorization", format!("Bearer {token}")).body(body).unwrap()
}

async fn put(at: SocketAddr, deck: u64, token: &str, bytes: &[u8]) -> Answer {
    ask(at, request(deck, token, Body::from(bytes.to_vec()))).await
}

async fn give(at: SocketAddr, deck: u64, who: &Device) -> Answer {
    get_with(at, &path(deck), &who.token()).await
}

/// A connection on which a part of a file has been sent.
fn begin_to_send(at: SocketAddr, deck: u64, token: &str, part: &[u8]) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(at).unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: school.test\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
        path(deck),
        PDF.len()
    );
    stream.write_all(&[head.as_bytes(), part].concat()).unwrap();
    stream
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn hash(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn deflate(mut bytes: impl Read) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut bytes, &mut out).unwrap();
    out.finish().unwrap()
}

fn object_stream(data: &[u8], filter: &str) -> Vec<u8> {
    let head = format!("<< /Type /ObjStm /N 1 /First 4 /Filter {filter} /Length {} >>\nstream\n", data.len());
    [head.as_bytes(), data, b"\nendstream"].concat()
}

/// A PDF of a catalogue (1) and these objects (from 2, which holds the pages).
fn pdf(objects: &[&[u8]], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    let catalogue: &[u8] = b"<< /Type /Catalog /Pages 2 0 R >>";
    for (index, object) in [catalogue].iter().chain(objects).enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n", index + 1).bytes().chain(object.iter().copied()).chain(*b"\nendobj\n"));
    }
    let start = out.len();
    let count = places.len() + 1;
    out.extend(format!("xref\n0 {count}\n0000000000 65535 f \n").bytes());
    out.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
    let end = format!("trailer\n<< /Size {count} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n");
    out.extend(end.bytes());
    out
}

fn pdf_of(pages: usize) -> Vec<u8> {
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", page + 3)).collect();
    let tree = format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>").into_bytes();
    let page: &[u8] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>";
    let objects: Vec<&[u8]> = std::iter::once(tree.as_slice()).chain(std::iter::repeat_n(page, pages)).collect();
    pdf(&objects, "")
}

fn locked_pdf() -> Vec<u8> {
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let lock = format!("<< /Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >>");
    let tree: &[u8] = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
    let page: &[u8] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>";
    pdf(&[tree, page, lock.as_bytes()], &format!("/Encrypt 4 0 R /ID [<{key}> <{key}>]"))
}

#[test]
fn the_pdfs_of_these_tests_are_good_but_for_what_is_wrong_with_them() {
    assert_eq!(lopdf::Document::load_mem(&pdf_of(2_000)).unwrap().get_pages().len(), 2_000);
}
