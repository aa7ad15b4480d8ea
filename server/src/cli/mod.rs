//! The command line. Each command is a file; every error is a sentence on standard error and a status of 1, or 2 for a
//! configuration that cannot be used.

mod config;
mod records;
mod room;
mod serve;
mod token;

pub(crate) use room::percent_encode;

use crate::config::{Problem, Sources};
use crate::files::sandbox;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The open classroom server.
#[derive(Parser)]
#[command(name = "lyceum", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Make tokens for LiveKit clients
    #[command(subcommand)]
    Token(token::Token),
    /// Make and list rooms of a running server
    #[command(subcommand)]
    Room(room::Room),
    /// Learning records of classes
    #[command(subcommand)]
    Records(records::Records),
    /// Check the configuration, or show every setting
    #[command(subcommand)]
    Config(config::Config),
    /// Say which version this is
    Version,
    /// Read a file of slides from standard input, within bounds (the server runs this)
    #[command(name = sandbox::COMMAND, hide = true)]
    ReadFile {
        /// What it was announced as
        mime_type: String,
    },
}

/// Flags that every command understands which reads the configuration.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigFlags {
    /// Read this TOML file (otherwise lyceum.toml, if it is there)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the demo API key `devkey` with the secret `secret`, on this machine only
    #[arg(long)]
    dev: bool,
    /// Set any setting, such as rooms.auto_create=false; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(serve) => serve::run(serve),
        Command::Token(token) => token::run(token),
        Command::Room(room) => room::run(room),
        Command::Records(records) => records::run(records),
        Command::Config(config) => config::run(config),
        Command::Version => {
            println!("lyceum {}", env!("CARGO_PKG_VERSION"));
            println!("speaks LiveKit's client protocol as of LiveKit server {}", lyceum_node::SERVER_VERSION);
            ExitCode::SUCCESS
        }
        Command::ReadFile { mime_type } => match sandbox::read_file(&mime_type) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        },
    }
}

impl ConfigFlags {
    /// Where the configuration comes from, with the flags of a command in front.
    fn sources(&self, flags: Vec<(String, String)>) -> Result<Sources, Vec<Problem>> {
        let mut sources = Sources {
            file: self.config.clone(),
            environment: std::env::vars().collect(),
            flags,
            dev: self.dev,
            dev_keys_anywhere: false,
        };
        for setting in &self.set {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                let place = crate::config::Place::Flag("--set".to_owned());
                vec![Problem {
                    place,
                    message: format!("{setting:?} is not KEY=VALUE, such as rooms.auto_create=false"),
                }]
            })?;
            sources.flags.push((key.trim().to_owned(), value.to_owned()));
        }
        Ok(sources)
    }
}

/// Tells what is wrong with the configuration.
fn complain(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("lyceum: {problem}");
    }
    ExitCode::from(2)
}

/// Tells what went wrong.
fn fail(message: impl std::fmt::Display) -> ExitCode {
    eprintln!("lyceum: {message}");
    ExitCode::FAILURE
}
