//! The state socket, `/classroom/v1`: everything that people do in a class beside media, as JSON over a WebSocket. This module
//! reads what clients say and carries what the class tells them; it decides nothing.

pub mod json;
pub mod message;

/// A name that somebody sent, for a sentence to them: in quotes, and cut if it is long.
fn quoted(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut cut: String = name.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_CHARS).collect();
    if name.chars().nth(MAX_CHARS).is_some() {
        cut.push('…');
    }
    format!("`{cut}`")
}
