//! How much the store takes in on this machine's disk: each session appends one event after another, as fast as they are
//! acknowledged. `cargo run --release --example store_bench [SESSIONS [SECONDS [DIRECTORY]]]`; the directory is to be on the disk
//! that counts, and is left behind.

use lyceum::store::{Store, StoreError};
use lyceum_session::{Event, Fact, PersonId, Policy, Seq, SessionId, TenantId, TrackId, UnixMs};
use std::error::Error;
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let sessions: usize = args.next().as_deref().unwrap_or("200").parse()?;
    let seconds: u64 = args.next().as_deref().unwrap_or("5").parse()?;
    let directory = args.next().unwrap_or_else(|| format!("./store-bench-{}", std::process::id()));

    let store = Store::open(&directory)?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..sessions {
        running.spawn(hold_class(store.clone(), SessionId(format!("RM_{}_{n}", std::process::id())), end));
    }
    let mut waits = Vec::new();
    while let Some(class) = running.join_next().await {
        waits.append(&mut class??);
    }
    let elapsed = began.elapsed().as_secs_f64();
    store.close().await;

    let stats = store.stats();
    waits.sort_unstable();
    let percentile = |p: usize| waits.get(waits.len() * p / 100).copied().unwrap_or_default();
    println!("{sessions} sessions, {elapsed:.1} s, in {directory}");
    println!("{:.0} events/s in {:.0} commits/s", stats.events as f64 / elapsed, stats.commits as f64 / elapsed);
    println!("{:.1} events in a commit", stats.events as f64 / stats.commits.max(1) as f64);
    println!("{:.2} ms in a commit on average", stats.commit_us as f64 / 1000.0 / stats.commits.max(1) as f64);
    println!("waited for an acknowledgement: half {:?}, 99 % {:?} at most", percentile(50), percentile(99));
    Ok(())
}

/// Appends until the end; returns how long each append took.
async fn hold_class(store: Store, session: SessionId, end: Instant) -> Result<Vec<Duration>, StoreError> {
    let (tenant, person) = (TenantId::from("bench"), PersonId::from("u_1"));
    let policy = Policy {
        max_participants: 0,
        presence_grace_ms: 30_000,
        empty_timeout_ms: 300_000,
        departure_timeout_ms: 20_000,
        max_tracks_per_connection: 8,
        resume_window_ms: 0,
    };
    let (room, metadata) = (session.0.as_str().into(), String::new());
    let mut fact = Fact::SessionStarted { tenant: tenant.clone(), room, session: session.clone(), policy, metadata };
    let mut waits = Vec::new();
    let mut seq = Seq(1);
    while Instant::now() < end {
        let event = Event { seq, at: UnixMs(seq.0), mono_ms: seq.0, actor: Some(person.clone()), cause: None, fact };
        let asked = Instant::now();
        store.append(tenant.clone(), session.clone(), vec![event], vec![]).await?;
        waits.push(asked.elapsed());
        seq = seq.next();
        let track = TrackId::from("TR_microphone_0001");
        fact = if seq.0.is_multiple_of(2) {
            Fact::TrackMuted { person: person.clone(), track }
        } else {
            Fact::TrackUnmuted { person: person.clone(), track }
        };
    }
    Ok(waits)
}
