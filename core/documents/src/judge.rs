//! `board.draw_own`: somebody may add elements, and change or delete those that name them as their author. A board is a root map
//! `elements` of JSON values or nested types with an `author`, and a root map `files` of what elements show.

use crate::api::Refusal;
use crate::index::Fit;
use crate::replica::{Author, Replica};
use std::sync::Arc;

/// The root map of a board's elements.
pub(crate) const ELEMENTS: &str = "elements";
/// The root map of a board's pictures.
pub(crate) const FILES: &str = "files";

/// Whether an update touches nothing that belongs to others. Gives the elements that it touches.
pub(crate) fn before(replica: &Replica, fit: &Fit, person: &Arc<str>) -> Result<Vec<Arc<str>>, Refusal> {
    let mut elements = Vec::new();
    for place in &fit.touched {
        let key = place.key.as_ref().ok_or(Refusal::NotYours)?;
        let author = replica.author(&place.root, key).map_err(|_| Refusal::Malformed)?;
        match (&*place.root, author) {
            (ELEMENTS, Author::Absent) => {}
            (ELEMENTS, Author::Person(author)) if author == *person => {}
            (FILES, Author::Absent) if !fit.deletes_in.contains(place) => continue,
            _ => return Err(Refusal::NotYours),
        }
        elements.push(key.clone());
    }
    Ok(elements)
}

/// Whether these elements, after the update, name the person as their author, or are gone.
pub(crate) fn after(replica: &Replica, elements: &[Arc<str>], person: &Arc<str>) -> bool {
    elements.iter().all(|key| match replica.author(ELEMENTS, key) {
        Ok(Author::Absent) => true,
        Ok(Author::Person(author)) => author == *person,
        Ok(Author::Unknown) | Err(_) => false,
    })
}
