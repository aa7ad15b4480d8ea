//! The command line, and what is wrong with it.

use crate::clip::{Speech, VideoCodec};
use crate::layout::Layout;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Synthetic learners for any server of the LiveKit protocol: they join a room over real sockets, publish voices and pictures,
/// watch each other in a layout, and report joins, tracks, losses, latencies and what the server needed for it.
#[derive(Clone, Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub instead: Option<Instead>,

    /// The server.
    #[arg(long, value_name = "URL", default_value = "ws://localhost:7880", value_parser = server)]
    pub url: Url,
    /// The API key whose secret signs the learners' tokens.
    #[arg(long, value_name = "KEY", env = "LIVEKIT_API_KEY", default_value = "devkey")]
    pub api_key: String,
    /// The secret of the API key.
    #[arg(long, value_name = "SECRET", env = "LIVEKIT_API_SECRET", default_value = "secret", hide_env_values = true)]
    pub api_secret: String,
    /// The room to join.
    #[arg(long, value_name = "NAME", default_value = "load")]
    pub room: String,

    /// People with camera and microphone.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub publishers: u16,
    /// People with a microphone only.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub audio_publishers: u16,
    /// How many of those have their microphone muted; the last ones.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub muted: u16,
    /// Publishers hear and see the others too.
    #[arg(long)]
    pub publishers_watch: bool,
    /// People who only hear and see; with --churn, how many of them at a time.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub subscribers: u32,

    /// What a viewer shows.
    #[arg(long, value_enum, default_value_t = Layout::Speaker)]
    pub layout: Layout,
    /// How cameras are coded.
    #[arg(long, value_enum, default_value_t = VideoCodec::Vp8)]
    pub codec: VideoCodec,
    /// How much people speak.
    #[arg(long, value_enum, default_value_t = Speech::Spurts)]
    pub speech: Speech,
    /// Publishers go on with layers that the server says nobody looks at.
    #[arg(long)]
    pub no_dynacast: bool,

    /// How long to measure once everybody is there.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// How many join per second.
    #[arg(long, value_name = "N/s", default_value = "50/s", value_parser = per_second)]
    pub ramp: f64,

    /// Instead: so many subscribers join and leave, one after the other, then measure what stays behind.
    #[arg(long, value_name = "JOINS")]
    pub churn: Option<u32>,
    /// With --churn: each loses its socket so many times and resumes.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "churn")]
    pub resumes: u32,
    /// With --churn: they are so many different people, who come again and again.
    #[arg(long, value_name = "N", requires = "churn", value_parser = clap::value_parser!(u32).range(1..))]
    pub people: Option<u32>,
    /// With --churn: how long each stays once it is connected, and again after each resume.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration, requires = "churn")]
    pub stay: Duration,

    /// Threads of this program; the server needs the rest.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,
    /// The server's process, for its processor time and memory: a number, `auto` (whoever listens on the URL's port of this
    /// machine), or `none`.
    #[arg(long, value_name = "PID", default_value = "auto", value_parser = pid)]
    pub server_pid: ServerPid,
    /// Write the report here as JSON too; `-` writes JSON instead of the table.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Another kind of load.
#[derive(Clone, Debug, Subcommand)]
pub enum Instead {
    /// People on Lyceum's state socket: what they do is answered, shown to all, and taken up again after a break.
    State(StateArgs),
}

/// See [`crate::state`].
#[derive(Clone, Debug, clap::Args)]
pub struct StateArgs {
    /// The server.
    #[arg(long, value_name = "URL", default_value = "ws://localhost:7880", value_parser = server)]
    pub url: Url,
    /// The API key whose secret signs the people's tokens.
    #[arg(long, value_name = "KEY", env = "LIVEKIT_API_KEY", default_value = "devkey")]
    pub api_key: String,
    /// The secret of the API key.
    #[arg(long, value_name = "SECRET", env = "LIVEKIT_API_SECRET", default_value = "secret", hide_env_values = true)]
    pub api_secret: String,
    /// The room of the first class, such as one that is loaded with media at the same time; the others have names of their own.
    #[arg(long, value_name = "NAME", default_value = "load")]
    pub room: String,
    /// How many classes they are in.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub classes: u16,
    /// How many they are in all, teachers included.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub people: u32,
    /// How many come per second.
    #[arg(long, value_name = "N/s", default_value = "50/s", value_parser = per_second)]
    pub ramp: f64,
    /// How long the class is as it usually is.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// How many commands come then, of all together.
    #[arg(long, value_name = "N/s", default_value = "50/s", value_parser = per_second)]
    pub rate: f64,
    /// How long everybody answers, and then drafts, as fast as they may.
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = humantime::parse_duration)]
    pub flood: Duration,
    /// How many answers each sends then; a server takes a hundred in ten seconds.
    #[arg(long, value_name = "N/s", default_value = "9/s", value_parser = per_second)]
    pub answers_each: f64,
    /// How many drafts each sends then.
    #[arg(long, value_name = "N/s", default_value = "45/s", value_parser = per_second)]
    pub drafts_each: f64,
    /// How often a right is taken away and given again.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub fences: u16,
    /// Threads of this program; the server needs the rest.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,
    /// The server's process, for its processor time and memory: a number, `auto` (whoever listens on the URL's port of this
    /// machine), or `none`.
    #[arg(long, value_name = "PID", default_value = "auto", value_parser = pid)]
    pub server_pid: ServerPid,
    /// Write the report here as JSON too; `-` writes JSON instead of the table.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl StateArgs {
    /// What does not fit together.
    pub fn check(&self) -> Result<(), String> {
        let least = 2 * u32::from(self.classes);
        if self.people < least {
            return Err(format!(
                "--people needs to be {least} at least: somebody who teaches and somebody who learns in each class"
            ));
        }
        Ok(())
    }
}

/// How many others have come before somebody comes again, for each who is there at a time.
const RETURN_AFTER: u32 = 4;

/// Whose processor time is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerPid {
    Auto,
    None,
    Of(u32),
}

impl Args {
    /// What does not fit together.
    pub fn check(&self) -> Result<(), String> {
        if let Some(Instead::State(args)) = &self.instead {
            return args.check();
        }
        if self.all_publishers() == 0 && self.subscribers == 0 {
            return Err("nobody would join: give --publishers, --audio-publishers or --subscribers".to_owned());
        }
        if self.muted > self.all_publishers() {
            return Err(format!("--muted {} is more than there are publishers", self.muted));
        }
        if self.churn.is_some() && self.subscribers == 0 {
            return Err("--churn needs --subscribers: how many are there at a time".to_owned());
        }
        if let Some(people) = self.people
            && people < RETURN_AFTER.saturating_mul(self.subscribers)
        {
            return Err(format!(
                "--people needs at least {RETURN_AFTER} times --subscribers, so that nobody is there twice"
            ));
        }
        Ok(())
    }

    pub fn all_publishers(&self) -> u16 {
        self.publishers.saturating_add(self.audio_publishers)
    }
}

fn server(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("{error}; expected something like ws://localhost:7880"))?;
    let scheme = match url.scheme() {
        "ws" | "wss" => return Ok(url).and_then(with_host),
        "http" => "ws",
        "https" => "wss",
        other => return Err(format!("the scheme is `{other}`, expected ws, wss, http or https")),
    };
    // From one special scheme to another it always works.
    url.set_scheme(scheme).map_err(|()| "the scheme cannot be used".to_owned())?;
    with_host(url)
}

fn with_host(url: Url) -> Result<Url, String> {
    if url.has_host() { Ok(url) } else { Err("there is no host in it".to_owned()) }
}

fn per_second(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("expected a number of joins per second, such as 50/s".to_owned()),
    }
}

fn pid(text: &str) -> Result<ServerPid, String> {
    match text {
        "auto" => Ok(ServerPid::Auto),
        "none" => Ok(ServerPid::None),
        number => number.parse().map(ServerPid::Of).map_err(|_| "expected a process id, `auto` or `none`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, String> {
        let args = Args::try_parse_from(format!("lyceum-load {line}").split_whitespace());
        args.map_err(|error| error.to_string()).and_then(|args| args.check().map(|()| args))
    }

    #[test]
    fn a_full_command_line_is_understood() {
        let line = "--url https://school.test --room maths --publishers 25 --subscribers 0 --layout 5x5 --codec h264 \
            --duration 2m --ramp 20/s --server-pid none --publishers-watch";
        let args = args(line).expect("understood");
        assert_eq!(args.url.as_str(), "wss://school.test/");
        assert_eq!((args.layout, args.codec), (Layout::Grid5, VideoCodec::H264));
        assert_eq!((args.duration, args.ramp), (Duration::from_secs(120), 20.0));
        assert_eq!(args.server_pid, ServerPid::None);
    }

    #[test]
    fn nonsense_is_named() {
        for (line, said) in [
            ("--url nowhere", "ws://localhost:7880"),
            ("--url ftp://x", "expected ws"),
            ("--ramp fast", "50/s"),
            ("--ramp 0/s", "50/s"),
            ("--publishers 0 --subscribers 0", "nobody would join"),
            ("--muted 2", "--muted 2"),
            ("--churn 5 --subscribers 0", "--churn needs"),
            ("--resumes 5", "--churn"),
            ("--people 5", "--churn"),
            ("--churn 50 --subscribers 5 --people 19", "4 times"),
            ("--server-pid x", "process id"),
            ("state --publishers 3", "unexpected argument"),
            ("state --classes 3 --people 5", "6 at least"),
        ] {
            let error = args(line).expect_err(line);
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
