//! `lyceum token create`: an access token, signed here with a key of the configuration; no server is asked.

use super::{ConfigFlags, complain, fail};
use crate::config::load;
use crate::control::now;
use crate::token::{Claims, Keyring, LyceumClaims, VideoGrant, grant_for, role_from_name, role_name};
use clap::{Args, Subcommand};
use lyceum_session::Role;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Subcommand)]
pub enum Token {
    /// Print an access token
    Create(Box<Create>),
}

#[derive(Args)]
pub struct Create {
    /// The room that it lets into (or administers)
    #[arg(long)]
    room: Option<String>,
    /// Who it stands for; needed to join
    #[arg(long)]
    identity: Option<String>,
    /// How they are shown to others
    #[arg(long, default_value = "")]
    name: String,
    /// instructor, co_instructor, teaching_assistant, learner, observer, captioner, agent or support
    #[arg(long, default_value = "learner")]
    role: String,
    /// LiveKit grants to add, comma separated: join, create, list, admin, record, hidden, recorder, agent, update-metadata,
    /// no-publish, no-subscribe, no-data
    #[arg(long, value_delimiter = ',')]
    grants: Vec<String>,
    /// What it may do with learning records, comma separated: statements/read, statements/write, statements/read/mine, state,
    /// profile, define, all/read, all
    #[arg(long, value_delimiter = ',')]
    scope: Vec<String>,
    /// How long it lives, such as 6h, 30m, 7d
    #[arg(long, default_value = "6h", value_parser = parse_duration)]
    ttl: Duration,
    /// The API key that signs it (otherwise the first of the configuration)
    #[arg(long)]
    key: Option<String>,
    /// Also print how to use it
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    config: ConfigFlags,
}

pub fn run(Token::Create(create): Token) -> ExitCode {
    let config = match create.config.sources(Vec::new()).and_then(|sources| load(&sources)) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let Some(key) = create.key.clone().or_else(|| config.keys.keys().next().cloned()) else {
        return fail("there is no API key to sign with");
    };
    let claims = match claims(&create, key) {
        Ok(claims) => claims,
        Err(message) => return fail(message),
    };
    match Keyring::new(config.keys).sign(&claims) {
        Ok(token) => {
            println!("{token}");
            if create.explain {
                eprintln!(
                    "\nConnect any LiveKit SDK to ws://localhost:7880 with this token, for example in JavaScript:"
                );
                eprintln!("  const room = new Room(); await room.connect(\"ws://localhost:7880\", token)");
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn claims(create: &Create, key: String) -> Result<Claims, String> {
    let role = role_from_name(&create.role).ok_or_else(|| format!("{:?} is no role; see --help", create.role))?;
    let joins = create.identity.is_some();
    if joins && create.room.is_none() {
        return Err("a token to join needs --room as well as --identity".to_owned());
    }
    let room = create.room.clone().unwrap_or_default();
    let mut video = if joins { grant_for(role, &room) } else { VideoGrant { room, ..VideoGrant::default() } };
    for grant in &create.grants {
        add(&mut video, grant.trim())?;
    }
    if video.room_join && !joins {
        return Err("a token to join needs --identity".to_owned());
    }
    if video.room_admin && video.room.is_empty() {
        return Err("the grant admin needs --room: it holds for one room".to_owned());
    }
    let scope = scope(&create.scope)?;
    if video == VideoGrant::default() && scope.is_empty() {
        let message = "this token would allow nothing: give --room and --identity to join, --grants, or --scope";
        return Err(message.to_owned());
    }
    let now_s = now().0 / 1000;
    Ok(Claims {
        iss: key,
        sub: create.identity.clone().unwrap_or_default(),
        name: create.name.clone(),
        kind: if role == Role::Agent { "agent".to_owned() } else { String::new() },
        nbf: now_s,
        exp: now_s + create.ttl.as_secs(),
        // A token for records alone is none for classes.
        video: Some(video).filter(|video| *video != VideoGrant::default()),
        scope,
        lyceum: joins.then(|| LyceumClaims { role: Some(role_name(role).to_owned()), ..LyceumClaims::default() }),
        ..Claims::default()
    })
}

/// The claim `scope`, of scopes that there are.
fn scope(names: &[String]) -> Result<String, String> {
    const SCOPES: [&str; 8] = [
        "statements/read",
        "statements/write",
        "statements/read/mine",
        "state",
        "profile",
        "define",
        "all/read",
        "all",
    ];
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    match names.iter().find(|name| !SCOPES.contains(name)) {
        Some(unknown) => Err(format!("{unknown:?} is no scope; see --help")),
        None => Ok(names.join(" ")),
    }
}

fn add(video: &mut VideoGrant, grant: &str) -> Result<(), String> {
    match grant {
        "join" => video.room_join = true,
        "create" => video.room_create = true,
        "list" => video.room_list = true,
        "admin" => video.room_admin = true,
        "record" => video.room_record = true,
        "hidden" => video.hidden = true,
        "recorder" => video.recorder = true,
        "agent" => video.agent = true,
        "update-metadata" => video.can_update_own_metadata = Some(true),
        "no-publish" => video.can_publish = Some(false),
        "no-subscribe" => video.can_subscribe = Some(false),
        "no-data" => video.can_publish_data = Some(false),
        other => return Err(format!("{other:?} is no grant; see --help")),
    }
    Ok(())
}

/// A whole number with a unit: s, m, h or d.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("expected a number with a unit: 90s, 30m, 6h or 7d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number with a unit: 90s, 30m, 6h or 7d".to_owned())?;
    // Ten years: later dates do not fit everywhere.
    match number.checked_mul(seconds).filter(|seconds| (1..=315_360_000).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("expected something between a second and ten years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert!(
            ["", "h", "6y", "-1s", "0s", "99999999999999999999d", "4000d"]
                .iter()
                .all(|bad| parse_duration(bad).is_err())
        );
    }
}
