//! `lyceum-load`: synthetic learners that join a class of any server of the LiveKit protocol over real sockets, and report how the
//! server did. Traffic goes to the given URL and to the media addresses that this server names, and nowhere else.

mod cli;
mod clip;
mod layout;
mod learner;
mod machine;
mod measure;
mod peer;
mod progress;
mod publish;
mod report;
mod run;
mod scrape;
mod signal;
mod stamp;
mod state;
mod token;
mod view;

use clap::Parser;
use std::path::Path;
use std::process::ExitCode;

/// Somebody failed to join, was lost, or missed a track; the report says who and why.
const INCOMPLETE: u8 = 2;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    match play(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(INCOMPLETE),
        Err(error) => {
            eprintln!("lyceum-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &cli::Args) -> Result<bool, String> {
    args.check()?;
    // Another provider can only be there if somebody installed it, and then it serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match &args.instead {
        None => {
            let report = threads(args.threads)?.block_on(run::run(args)).map_err(|error| error.to_string())?;
            tell(&report, &report.table(), args.json.as_deref())?;
            Ok(report.complete)
        }
        Some(cli::Instead::State(args)) => {
            let report = threads(args.threads)?.block_on(state::run(args)).map_err(|error| error.to_string())?;
            tell(&report, &report.table(), args.json.as_deref())?;
            Ok(report.complete)
        }
    }
}

fn threads(number: u16) -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(number.into()).enable_all().build();
    runtime.map_err(|error| format!("the threads could not be started: {error}"))
}

/// The table goes to where people read, the same as JSON to where they wished it.
fn tell(report: &impl serde::Serialize, table: &str, json: Option<&Path>) -> Result<(), String> {
    let text = || serde_json::to_string_pretty(report).map_err(|error| format!("the report is no JSON: {error}"));
    match json {
        Some(file) if file == Path::new("-") => println!("{}", text()?),
        Some(file) => {
            print!("{table}");
            let written = std::fs::write(file, text()? + "\n");
            written.map_err(|error| format!("{} could not be written: {error}", file.display()))?;
        }
        None => print!("{table}"),
    }
    Ok(())
}
