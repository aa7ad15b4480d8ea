//! How media flows. A [`Shard`] owns peers and their tracks and moves packets between them; it knows nothing of classes,
//! names or permissions, only opaque keys. Datagrams, commands and time come in; datagrams, events and the next wake-up
//! come out.

mod api;

pub use api::*;
