//! Signed statements: a JSON Web Signature (RFC 7515) in an attachment, whose payload is the statement before it was signed. The
//! signature itself can be checked only with a key: if the header brings a certificate (`x5c`), it is checked with that one's. Whether to
//! trust the certificate is another question, which nobody here answers.

use crate::compare;
use crate::json::Json;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;
use webpki::aws_lc_rs::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512};

/// Why a signature does not sign its statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not three parts of base64url with JSON in the first two.
    #[error("the signature is not a JSON Web Signature in compact form with JSON in its header and payload")]
    Malformed,
    /// None of the three.
    #[error("the signature must be made with RS256, RS384 or RS512")]
    Algorithm,
    /// Somebody signed something else.
    #[error("what was signed is not this statement")]
    OtherStatement,
    /// The header's certificate cannot be used.
    #[error("the first certificate in the signature's header (x5c) cannot be read")]
    Certificate,
    /// The certificate's key did not make this signature.
    #[error("the signature was not made with the key of the certificate in its header (x5c)")]
    Forged,
}

/// Checks that an attachment's content signs this statement.
pub fn verify(statement: &Json, signature: &[u8]) -> Result<(), SignatureError> {
    let text = std::str::from_utf8(signature).map_err(|_| SignatureError::Malformed)?.trim();
    let (signed, signature) = text.rsplit_once('.').ok_or(SignatureError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(SignatureError::Malformed)?;
    let header = decode_json(header)?;
    let payload = decode_json(payload)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignatureError::Malformed)?;
    let algorithm: &dyn SignatureVerificationAlgorithm = match header.get_str("alg") {
        Some("RS256") => RSA_PKCS1_2048_8192_SHA256,
        Some("RS384") => RSA_PKCS1_2048_8192_SHA384,
        Some("RS512") => RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(SignatureError::Algorithm),
    };
    if signature.is_empty() {
        return Err(SignatureError::Malformed);
    }
    if !compare::signed_statement(&payload, statement) {
        return Err(SignatureError::OtherStatement);
    }
    let Some(chain) = header.get("x5c") else { return Ok(()) };
    let first = chain.as_array().and_then(|chain| chain.first()).and_then(Json::as_str);
    let der = first.and_then(|first| STANDARD.decode(first).ok()).ok_or(SignatureError::Certificate)?;
    let der = CertificateDer::from(der);
    let certificate = EndEntityCert::try_from(&der).map_err(|_| SignatureError::Certificate)?;
    let verified = certificate.verify_signature(algorithm, signed.as_bytes(), &signature);
    verified.map_err(|_| SignatureError::Forged)
}

fn decode_json(part: &str) -> Result<Json, SignatureError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| SignatureError::Malformed)?;
    Json::parse(&text).map_err(|_| SignatureError::Malformed)
}
