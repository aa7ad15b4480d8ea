//! `lyceum config`: check what would be read, or show what could be set.

use super::{ConfigFlags, complain};
use crate::config::{file_of, load, sample};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Config {
    /// Explain what is wrong with the configuration, and where
    Check {
        /// The file (otherwise --config, LYCEUM_CONFIG, or lyceum.toml)
        file: Option<PathBuf>,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Print a file with every setting, its default and what it does
    Sample,
}

pub fn run(command: Config) -> ExitCode {
    match command {
        Config::Sample => {
            print!("{}", sample());
            ExitCode::SUCCESS
        }
        Config::Check { file, mut flags } => {
            flags.config = file.or(flags.config);
            let sources = match flags.sources(Vec::new()) {
                Ok(sources) => sources,
                Err(problems) => return complain(&problems),
            };
            match load(&sources) {
                Ok(config) => {
                    match file_of(&sources) {
                        Some(file) => println!("{}: good", file.display()),
                        None => println!("no file; defaults and environment are good"),
                    }
                    let keys: Vec<&str> = config.keys.keys().map(String::as_str).collect();
                    println!("listens on {:?}, API keys {}", config.http.bind, keys.join(", "));
                    ExitCode::SUCCESS
                }
                Err(problems) => complain(&problems),
            }
        }
    }
}
