//! Statements with attachments.

use crate::on_both;
use crate::world::{World, statement};
use lyceum_xapi::multipart::{self, Attachment};
use lyceum_xapi::{digest, validate};

const MIXED: [(&str, &str); 1] = [("content-type", "multipart/mixed; boundary=abc")];

fn with_attachment(content: &[u8], usage: &str) -> String {
    let sha2 = digest::sha256(content);
    statement(
        "a",
        "met",
        "x",
        &format!(
            r#","attachments":[{{"usageType":"{usage}","display":{{"en":"A"}},"contentType":"application/octet-stream","length":{},"sha2":"{sha2}"}}]"#,
            content.len()
        ),
    )
}

fn body(statement: &str, contents: &[&[u8]]) -> Vec<u8> {
    let sums: Vec<String> = contents.iter().map(|content| digest::sha256(content)).collect();
    let parts: Vec<Attachment<'_>> = contents
        .iter()
        .zip(&sums)
        .map(|(content, sha2)| Attachment { content_type: "application/octet-stream", sha2, content })
        .collect();
    multipart::write("abc", statement.as_bytes(), &parts)
}

async fn send(world: &World, body: Vec<u8>) -> (u16, String) {
    let reply = world.send("POST", "/statements", &MIXED, body).await;
    (reply.status.as_u16(), reply.text())
}

on_both! {
    async fn octets_come_back_as_they_were_sent(world) {
        let content = b"\x00\r\n--ab\xff";
        assert_eq!(send(world, body(&with_attachment(content, "https://example.org/u"), &[content])).await.0, 200);
        // The same content with another statement is kept once.
        assert_eq!(send(world, body(&with_attachment(content, "https://example.org/v"), &[content])).await.0, 200);
        let reply = world.get("/statements?attachments=true").await;
        let boundary = multipart::boundary(reply.header("content-type")).unwrap().unwrap();
        let parts = multipart::parse(&reply.body, &boundary).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1].content, content);
        assert_eq!(parts[1].header("x-experience-api-hash"), Some(digest::sha256(content).as_str()));
        assert_eq!(world.get("/statements").await.header("content-type"), "application/json");
    }

    async fn parts_and_attachments_belong_to_each_other(world) {
        let with = with_attachment(b"one", "https://example.org/u");
        let json = [("content-type", "application/json")];
        for (statement, contents, problem) in [
            (with.as_str(), vec![], "without a fileUrl"),
            (with.as_str(), vec![&b"two"[..]], "without a fileUrl"),
            (with.as_str(), vec![&b"one"[..], b"two"], "belongs to no attachment"),
        ] {
            let (status, text) = send(world, body(statement, &contents)).await;
            assert!(status == 400 && text.contains(problem), "{text}");
        }
        assert_eq!(world.send("POST", "/statements", &json, with.clone()).await.status, 400);
        let elsewhere = with.replace(r#","sha2""#, r#","fileUrl":"https://example.org/f","sha2""#);
        assert_eq!(world.send("POST", "/statements", &json, elsewhere).await.status, 200);
        let lie = String::from_utf8(body(&with, &[b"one"])).unwrap().replace("\r\n\r\none", "\r\n\r\ntwo");
        let (status, text) = send(world, lie.into_bytes()).await;
        assert!(status == 400 && text.contains("is not the SHA-2"), "{text}");
        let (status, text) = send(world, b"--abc\r\n\r\nx".to_vec()).await;
        assert!(status == 400 && text.contains("last delimiter"), "{text}");
        let none = body(&statement("a", "met", "x", ""), &[]);
        assert_eq!(send(world, none).await.0, 200);
    }

    async fn a_signature_must_sign_its_statement(world) {
        let (status, text) = send(world, body(&with_attachment(b"no.jws", validate::SIGNATURE), &[b"no.jws"])).await;
        assert!(status == 400 && text.contains("JSON Web Signature"), "{text}");
        assert_eq!(world.get("/statements").await.ids().len(), 0);
    }
}
