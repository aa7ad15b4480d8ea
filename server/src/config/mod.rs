//! Configuration: flags over environment over one TOML file over defaults. Every problem is collected with its place, so that
//! one run of `lyceum config check` shows all of them.

mod file;
mod keys;
mod sample;
mod settings;
mod value;

pub use keys::{ApiKey, ApiKeys, DEFAULT_TENANT, DEV_KEY, DEV_SECRET};
pub use sample::sample;
pub use settings::{
    Files, Http, Limits, Log, Lrs, Media, Rooms, SECTIONS, SETTINGS, Setting, Settings, Signal, Store, Tls, Tokens,
};
pub use value::{LogFormat, Raw};

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The file that is read if it exists and no other is named.
pub const DEFAULT_FILE: &str = "lyceum.toml";

/// The environment variable that names the file.
pub const FILE_VARIABLE: &str = "LYCEUM_CONFIG";

/// The environment variable that holds API keys.
pub const KEYS_VARIABLE: &str = "LYCEUM_KEYS";

/// A complete, checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// The API keys.
    pub keys: ApiKeys,
    /// `--dev`: demo keys and a demo room.
    pub dev: bool,
    /// The program that reads files of strangers in a process of its own: `lyceum` itself.
    pub program: PathBuf,
}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that was asked for; it must exist.
    pub file: Option<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// `section.key` and value, from flags.
    pub flags: Vec<(String, String)>,
    /// `--dev`.
    pub dev: bool,
    /// Dev keys may listen off loopback.
    pub dev_keys_anywhere: bool,
}

/// Something that is wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where it is written.
    pub place: Place,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Where a value is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the file.
    File {
        /// Which.
        path: PathBuf,
        /// From 1; `None` if the whole file is meant.
        line: Option<usize>,
    },
    /// In an environment variable.
    Environment(String),
    /// In a flag.
    Flag(String),
    /// In the combination of values.
    Whole,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line: Some(line) } => write!(f, "{}:{line}: {}", path.display(), self.message),
            Place::File { path, line: None } => write!(f, "{}: {}", path.display(), self.message),
            Place::Environment(name) => write!(f, "environment variable {name}: {}", self.message),
            Place::Flag(name) => write!(f, "flag {name}: {}", self.message),
            Place::Whole => f.write_str(&self.message),
        }
    }
}

/// Reads and checks the configuration.
pub fn load(sources: &Sources) -> Result<Config, Vec<Problem>> {
    let (settings, keys) = (Settings::default(), ApiKeys::new());
    let mut config = Config { settings, keys, dev: sources.dev, program: own_program() };
    let mut problems = Vec::new();
    if sources.dev {
        dev_defaults(&mut config);
    }
    if let Some(path) = file_of(sources) {
        file::read(&path, &mut config, &mut problems);
    }
    read_environment(&sources.environment, &mut config, &mut problems);
    read_flags(&sources.flags, &mut config, &mut problems);
    if problems.is_empty() {
        check_whole(&config, sources, &mut problems);
        if sources.dev && config.http.bind.iter().any(|address| !address.ip().is_loopback()) {
            open_dev_media(&mut config.settings.media);
        }
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// The file that `load` reads for these sources, if any.
pub fn file_of(sources: &Sources) -> Option<PathBuf> {
    let named = sources.environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| PathBuf::from(path));
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    sources.file.clone().or(named).or_else(default)
}

/// This program, even if a newer one lies at its path by now.
fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().unwrap_or_default()
    }
}

fn dev_defaults(config: &mut Config) {
    config.keys = keys::dev_keys();
    config.settings.media = dev_media();
}

/// With demo keys media stays on this machine, too.
fn dev_media() -> Media {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let usual = Media::default();
    Media {
        udp_bind: loopback,
        tcp_bind: usual.tcp_bind.map(|address| (loopback, address.port()).into()),
        advertise: vec![loopback],
        ..usual
    }
}

/// Others are let in although the keys are for demonstrations: what was not set otherwise then lets their media in as well.
fn open_dev_media(media: &mut Media) {
    let (dev, usual) = (dev_media(), Media::default());
    if media.udp_bind == dev.udp_bind {
        media.udp_bind = usual.udp_bind;
    }
    if media.tcp_bind == dev.tcp_bind {
        media.tcp_bind = usual.tcp_bind;
    }
    if media.advertise == dev.advertise {
        media.advertise = usual.advertise;
    }
}

fn read_environment(environment: &[(String, String)], config: &mut Config, problems: &mut Vec<Problem>) {
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with("LYCEUM_")) {
        let problem = |message| Problem { place: Place::Environment(name.clone()), message };
        if name == FILE_VARIABLE {
            continue;
        }
        if name == KEYS_VARIABLE {
            match keys::parse_list(text) {
                Ok(keys) => config.keys.extend(keys),
                Err(message) => problems.push(problem(message)),
            }
            continue;
        }
        match SETTINGS.iter().find(|setting| setting.env() == *name) {
            Some(setting) => {
                if let Err(message) = set(setting, &Raw::Text(text.clone()), config) {
                    problems.push(problem(message));
                }
            }
            // Other programs around the server may use the prefix as well; what looks like a slip of the pen is one.
            None => {
                let known = SETTINGS.iter().map(Setting::env).chain([FILE_VARIABLE.into(), KEYS_VARIABLE.into()]);
                let near = did_you_mean(name, known);
                let in_section = SECTIONS
                    .iter()
                    .any(|section| name.to_lowercase().starts_with(&format!("lyceum_{}_", section.name)));
                if in_section || !near.is_empty() {
                    problems.push(problem(format!("is no setting{near}")));
                }
            }
        }
    }
}

fn read_flags(flags: &[(String, String)], config: &mut Config, problems: &mut Vec<Problem>) {
    for (path, text) in flags {
        let outcome = match SETTINGS.iter().find(|setting| setting.path() == *path) {
            Some(setting) => set(setting, &Raw::Text(text.clone()), config),
            None => Err(format!("is no setting{}", did_you_mean(path, SETTINGS.iter().map(Setting::path)))),
        };
        if let Err(message) = outcome {
            problems.push(Problem { place: Place::Flag(path.clone()), message });
        }
    }
}

/// Sets one value; the error says what was expected.
fn set(setting: &Setting, raw: &Raw, config: &mut Config) -> Result<(), String> {
    if (setting.set)(&mut config.settings, raw) {
        return Ok(());
    }
    Err(format!("{} is {}, expected {}", setting.path(), raw.describe(), (setting.accepts)()))
}

/// What no single value shows.
fn check_whole(config: &Config, sources: &Sources, problems: &mut Vec<Problem>) {
    let mut wrong = |message: String| problems.push(Problem { place: Place::Whole, message });
    if config.http.bind.is_empty() {
        wrong("http.bind is empty, so nobody could connect; expected at least one address".to_owned());
    }
    let (cert, key) = (&config.tls.cert_file, &config.tls.key_file);
    if cert.as_os_str().is_empty() != key.as_os_str().is_empty() {
        wrong("tls.cert_file and tls.key_file belong together, but only one is set".to_owned());
    }
    if config.signal.silence_timeout_s <= config.signal.ping_interval_s {
        wrong(format!(
            "signal.silence_timeout_s ({}) must be greater than signal.ping_interval_s ({}), or clients that answer every \
             ping would count as lost",
            config.signal.silence_timeout_s, config.signal.ping_interval_s
        ));
    }
    let (udp_port, shards) = (usize::from(config.media.udp_port), config.media.shards);
    if udp_port > 0 && udp_port + shards.max(64) > 65_536 {
        wrong(format!(
            "media.udp_port is {udp_port}, which leaves too few ports above it: each media thread takes one"
        ));
    }
    if config.keys.is_empty() {
        wrong(format!(
            "there is no API key, so no token could be valid: add one under [keys] in the file or in {KEYS_VARIABLE}, for \
             example made by `openssl rand -hex 32`, or start with --dev to try things out"
        ));
    }
    for (name, key) in &config.keys {
        let known_dev = config.dev && name == DEV_KEY && key.secret == DEV_SECRET;
        if let Some(weakness) = keys::weakness(&key.secret).filter(|_| !known_dev) {
            wrong(format!("the secret of API key {name:?} {weakness}; make one by `openssl rand -hex 32`"));
        }
    }
    let exposed = config.http.bind.iter().find(|address| !address.ip().is_loopback());
    if let Some(address) = exposed.filter(|_| config.dev && !sources.dev_keys_anywhere) {
        wrong(format!(
            "--dev uses the API secret \"{DEV_SECRET}\", which everybody knows, so whoever reaches {address} could enter \
             every class. Listen on 127.0.0.1, or configure [keys] and leave out --dev, or, on a network that you trust, \
             add --allow-dev-keys-anywhere"
        ));
    }
}

/// `; did you mean "x"?`, if something is near enough.
fn did_you_mean(written: &str, known: impl Iterator<Item = String>) -> String {
    // The prefix of every variable says nothing about nearness.
    let telling = |name: &str| name.to_lowercase().trim_start_matches("lyceum_").to_owned();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&telling(written), &telling(candidate));
    known
        .map(|candidate| (distance(&candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + telling(candidate).len() / 3)
        .min()
        .map(|(_, candidate)| format!("; did you mean {candidate:?}?"))
        .unwrap_or_default()
}

/// Path for messages.
fn in_file(path: &Path, line: Option<usize>, message: String) -> Problem {
    Problem { place: Place::File { path: path.to_owned(), line }, message }
}
