//! Prints the profile, as it is kept in `profile.jsonld`.

#![allow(clippy::disallowed_macros, reason = "what it prints is what it makes")]

fn main() -> Result<(), serde_json::Error> {
    let profile: serde_json::Value = serde_json::from_str(&lyceum_profile::document())?;
    println!("{}", serde_json::to_string_pretty(&profile)?);
    Ok(())
}
