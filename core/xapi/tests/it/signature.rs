//! Signed statements.

use crate::{json, object, statement};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lyceum_xapi::signature::{SignatureError, verify};
use lyceum_xapi::{Json, validate};

struct Signer {
    key: KeyPair,
    certificate: String,
}

impl Signer {
    fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Vec<u8> = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).unwrap().as_ref().to_vec();
        let pair = rcgen::KeyPair::try_from(der).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["signer.example".to_owned()]).unwrap().self_signed(&pair).unwrap();
        Self { key, certificate: STANDARD.encode(certificate.der()) }
    }

    fn sign(&self, header: &str, payload: &str, padding: &'static dyn RsaEncoding) -> Vec<u8> {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
    }

    fn header(&self, algorithm: &str) -> String {
        format!(r#"{{"alg":"{algorithm}","x5c":["{}"]}}"#, self.certificate)
    }
}

fn signed_statement() -> Json {
    let mut signed = statement();
    let attachment = format!(
        r#"[{{"usageType":"{}","display":{{"en":"S"}},"contentType":"application/octet-stream","length":1,"sha2":"{}"}}]"#,
        validate::SIGNATURE,
        "0".repeat(64)
    );
    object(&mut signed).set("attachments", json(&attachment));
    signed
}

#[test]
fn all_three_algorithms_are_checked_with_the_certificate() {
    let signer = Signer::new();
    let paddings: [(&str, &'static dyn RsaEncoding); 3] =
        [("RS256", &RSA_PKCS1_SHA256), ("RS384", &RSA_PKCS1_SHA384), ("RS512", &RSA_PKCS1_SHA512)];
    for (algorithm, padding) in paddings {
        let signature = signer.sign(&signer.header(algorithm), &statement().to_text(), padding);
        assert_eq!(verify(&signed_statement(), &signature), Ok(()), "{algorithm}");
    }
}

#[test]
fn somebody_elses_signature_is_found() {
    let (signer, other) = (Signer::new(), Signer::new());
    let signature = signer.sign(&other.header("RS256"), &statement().to_text(), &RSA_PKCS1_SHA256);
    assert_eq!(verify(&signed_statement(), &signature), Err(SignatureError::Forged));
    // The header says one hash, and another was used.
    let signature = signer.sign(&signer.header("RS512"), &statement().to_text(), &RSA_PKCS1_SHA256);
    assert_eq!(verify(&signed_statement(), &signature), Err(SignatureError::Forged));
}

#[test]
fn what_does_not_sign_this_statement_is_refused() {
    let signer = Signer::new();
    let text = statement().to_text();
    let sign = |header: &str, payload: &str| signer.sign(header, payload, &RSA_PKCS1_SHA256);
    let plain = r#"{"alg":"RS256"}"#;
    assert_eq!(verify(&signed_statement(), &sign(plain, &text)), Ok(()));
    let other = text.replace("quiz/1", "quiz/2");
    assert_eq!(verify(&signed_statement(), &sign(plain, &other)), Err(SignatureError::OtherStatement));
    assert_eq!(verify(&signed_statement(), &sign(r#"{"alg":"HS256"}"#, &text)), Err(SignatureError::Algorithm));
    assert_eq!(verify(&signed_statement(), &sign(r#"{"alg":"none"}"#, &text)), Err(SignatureError::Algorithm));
    assert_eq!(verify(&signed_statement(), &sign(plain, "{'")), Err(SignatureError::Malformed));
    assert_eq!(verify(&signed_statement(), &sign("x", &text)), Err(SignatureError::Malformed));
    let bad = r#"{"alg":"RS256","x5c":["AAAA"]}"#;
    assert_eq!(verify(&signed_statement(), &sign(bad, &text)), Err(SignatureError::Certificate));
    for garbage in [&b"abc"[..], b"a.b", b"a.b.c.d", b"\xff.\xff.\xff", b"", b".."] {
        assert_eq!(verify(&signed_statement(), garbage), Err(SignatureError::Malformed));
    }
}
