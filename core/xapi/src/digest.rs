//! Sums of contents, in hexadecimal.

use aws_lc_rs::digest::{self, Algorithm};
use std::fmt::Write;

/// The SHA-1, as 1.0.3 wants it for entity tags.
pub fn sha1(content: &[u8]) -> String {
    sum(&digest::SHA1_FOR_LEGACY_USE_ONLY, content)
}

/// The SHA-256.
pub fn sha256(content: &[u8]) -> String {
    sum(&digest::SHA256, content)
}

/// Whether a text is the SHA-2 of a content: of 224, 256, 384 or 512 bits, by its length.
pub fn is_sha2_of(text: &str, content: &[u8]) -> bool {
    let algorithm = match text.len() {
        56 => &digest::SHA224,
        64 => &digest::SHA256,
        96 => &digest::SHA384,
        128 => &digest::SHA512,
        _ => return false,
    };
    text.eq_ignore_ascii_case(&sum(algorithm, content))
}

fn sum(algorithm: &'static Algorithm, content: &[u8]) -> String {
    digest::digest(algorithm, content).as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
