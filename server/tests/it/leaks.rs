//! Who came and went leaves nothing behind: counted, not timed. The server has a process of its own, so that its counts are
//! its own.

use crate::classroom::Device;
use crate::ears::Ears;
use crate::harness::*;
use livekit_protocol::signal_request::Message as Ask;

const ROUNDS: usize = 50;
const PEOPLE: usize = 10;

#[tokio::test]
async fn five_hundred_joins_and_leaves_leave_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let settings = ["rooms.departure_timeout_s=1", "signal.max_joins_per_min=0", "media.shards=2"];
    let server = Process::start(data.path(), &settings);
    // What the first round sets up once for all is no leak.
    round(&server, 0).await;
    nothing_is_left(&server).await;
    let files = files_open(&server).await;

    for number in 0..ROUNDS {
        round(&server, number).await;
    }
    assert!(metric(server.address, "lyceum_joins_total").await >= (ROUNDS * PEOPLE) as f64);
    assert!(metric(server.address, "lyceum_media_received_datagrams_total").await > (ROUNDS * PEOPLE) as f64);
    nothing_is_left(&server).await;
    let left = files_open(&server).await;
    assert!(left <= files, "{left} files are open, and {files} were at the beginning");
    let never = ["lyceum_session_panics_total", "lyceum_store_failures_total", "lyceum_media_events_dropped_total"];
    for counter in never {
        assert_eq!(metric(server.address, counter).await, 0.0, "{counter}");
    }
}

/// A class comes together, half of it with media and with state sockets, and everybody goes in their own way: with a goodbye, without one, while talking, or because they came
/// in once more from elsewhere.
async fn round(server: &Process, number: usize) {
    let room = format!("room-{}", number % 5);
    let mut people = Vec::new();
    for person in 0..PEOPLE {
        let mut joined = server.join(&room, &format!("person-{person}")).await;
        let ears = if person % 2 == 0 { Some(Ears::open(&mut joined).await) } else { None };
        people.push((joined, ears));
    }
    let mut devices = Vec::new();
    for person in 0..PEOPLE / 2 {
        let identity = format!("person-{}", person * 2);
        devices.push(Device::enters(server.address, &room, &identity, "learner").await);
    }
    for (index, device) in devices.into_iter().enumerate() {
        if index % 2 == 0 { device.vanishes() } else { device.leaves().await }
    }
    for (index, (mut person, _ears)) in people.into_iter().enumerate() {
        match index / 2 % 4 {
            0 => person.leaves().await,
            1 => person.vanishes(),
            2 => {
                person.says(Ask::Ping(1)).await;
                person.leaves().await;
            }
            _ => {
                let again = server.join(&room, &format!("person-{index}")).await;
                person.is_closed().await;
                again.leaves().await;
            }
        }
    }
}

/// Open files when nobody but whoever asks is connected.
async fn files_open(server: &Process) -> f64 {
    let alone = async {
        loop {
            let text = get(server.address, "/metrics").await.text;
            if number(&text, "lyceum_http_connections") == 1.0 {
                return number(&text, "process_open_fds");
            }
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.expect("the other connections close")
}

async fn nothing_is_left(server: &Process) {
    let levels = [
        "lyceum_clients",
        "lyceum_state_sockets",
        "lyceum_sessions",
        "lyceum_tasks",
        "lyceum_store_waiting_bytes",
        "lyceum_media_connections",
        "lyceum_media_tracks",
        "lyceum_media_subscriptions",
        "lyceum_media_addresses",
        "lyceum_media_timers",
        "lyceum_media_routes",
        "lyceum_media_tcp_connections",
    ];
    for level in levels {
        metric_becomes(server.address, level, 0.0).await;
    }
}
