//! Loads a record store on this machine: `bench ADDRESS PROCESS [SECONDS]`, with the store at `http://ADDRESS/xapi` (as `serve` makes it)
//! and the number of its process, whose time on the processor is counted. One line for each number of connections and length of batch.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, process, seconds) = match arguments.as_slice() {
        [address, process] => (address, process, 5),
        [address, process, seconds] => (address, process, seconds.parse()?),
        _ => return Err("usage: bench ADDRESS PROCESS [SECONDS]".into()),
    };
    println!("connections  batch  statements/s   p50 ms   p99 ms  CPU ms/statement  errors");
    for batch in [1, 50, 500] {
        for connections in [1, 4, 16] {
            run(address, process, connections, batch, Duration::from_secs(seconds))?;
        }
    }
    Ok(())
}

/// Statements made so far, so that no two are alike.
static MADE: AtomicU64 = AtomicU64::new(0);

fn run(address: &str, process: &str, connections: usize, batch: usize, time: Duration) -> Result<(), Box<dyn Error>> {
    let cpu_before = cpu_ms(process)?;
    let begin = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let address = address.to_owned();
            std::thread::spawn(move || client(&address, batch, time).map_err(|error| error.to_string()))
        })
        .collect();
    let (mut latencies, mut errors) = (Vec::new(), 0);
    for thread in threads {
        let (mut more, wrong) = thread.join().map_err(|_| "a client stopped")??;
        latencies.append(&mut more);
        errors += wrong;
    }
    let took = begin.elapsed().as_secs_f64();
    latencies.sort();
    let statements = (latencies.len() * batch) as f64;
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies.get(place.min(latencies.len().saturating_sub(1))).map_or(0.0, |one| one.as_secs_f64() * 1000.0)
    };
    println!(
        "{connections:11}  {batch:5}  {:12.0}  {:7.1}  {:7.1}  {:16.3}  {errors:6}",
        statements / took,
        at(0.5),
        at(0.99),
        (cpu_ms(process)? - cpu_before) / statements
    );
    Ok(())
}

/// Posts batches until the time is over. Returns how long each took, and how many were refused.
fn client(address: &str, batch: usize, time: Duration) -> Result<(Vec<Duration>, u64), Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let begin = Instant::now();
    while begin.elapsed() < time {
        let statements: Vec<String> = (0..batch).map(|_| statement(MADE.fetch_add(1, Relaxed))).collect();
        let body = format!("[{}]", statements.join(","));
        let head = format!(
            "POST /xapi/statements HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic dGVzdGVyOnNlY3JldA==\r\n\
             X-Experience-API-Version: 2.0.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let sent = Instant::now();
        writer.write_all(format!("{head}{body}").as_bytes())?;
        let status = answer(&mut reader)?;
        latencies.push(sent.elapsed());
        errors += u64::from(!status.contains(" 200 "));
    }
    Ok((latencies, errors))
}

/// Reads an answer to its end; returns its first line.
fn answer(reader: &mut BufReader<TcpStream>) -> Result<String, Box<dyn Error>> {
    let mut status = String::new();
    reader.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(status)
}

/// One of forty learners answers one of two hundred questions of a class.
fn statement(number: u64) -> String {
    let (learner, question) = (number % 40, number % 200);
    format!(
        r#"{{"actor":{{"objectType":"Agent","account":{{"homePage":"https://school.example","name":"learner-{learner}"}}}},
        "verb":{{"id":"http://adlnet.gov/expapi/verbs/answered","display":{{"en":"answered"}}}},
        "object":{{"objectType":"Activity","id":"https://school.example/xapi/activities/question/{question}",
        "definition":{{"type":"http://adlnet.gov/expapi/activities/cmi.interaction","interactionType":"choice","name":{{"en":"Question {question}"}}}}}},
        "result":{{"response":"b","success":true,"duration":"PT{}S","score":{{"scaled":0.5,"raw":5,"min":0,"max":10}}}},
        "context":{{"registration":"5f6bb4f0-1fd1-4a7d-8f1e-0b6a1c9c1111","platform":"Lyceum","language":"en",
        "contextActivities":{{"parent":[{{"id":"https://school.example/xapi/activities/quiz/7"}}],
        "grouping":[{{"id":"https://school.example/xapi/activities/room/3"}}],
        "category":[{{"id":"https://w3id.org/xapi/virtual-classroom"}}]}},
        "extensions":{{"https://school.example/xapi/extensions/sequence":{number}}}}},
        "timestamp":"2026-03-01T10:00:00.000Z"}}"#,
        number % 60
    )
}

/// The time that a process has spent on the processor, in milliseconds.
fn cpu_ms(process: &str) -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // Fields 14 and 15, of which the first two stand before; a tick is ten milliseconds.
    Ok((ticks(11) + ticks(12)) * 10.0)
}
