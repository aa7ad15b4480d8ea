//! Documents by what goes into a hub and what comes out of it, with real Yjs documents on the other side.

mod hostile;
mod invariants;
mod life;
mod schedules;
mod world;
