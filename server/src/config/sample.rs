//! The sample file `lyceum.example.toml`, written from the list of settings, so that every key is documented.

use super::{DEFAULT_FILE, FILE_VARIABLE, KEYS_VARIABLE, SECTIONS, SETTINGS};
use std::fmt::Write as _;

/// The text of the sample file. Every setting is there with its default, commented out.
pub fn sample() -> String {
    let mut out = format!(
        "# Every setting of Lyceum with its default. Save what you change as {DEFAULT_FILE}, or name the file by --config or\n\
         # {FILE_VARIABLE}. Flags come before environment variables, and those before this file. `lyceum config check`\n\
         # explains what is wrong. This file is made by `lyceum config sample`.\n"
    );
    for section in SECTIONS {
        out.push('\n');
        for line in section.doc {
            let _ = writeln!(out, "#{line}");
        }
        let _ = writeln!(out, "[{}]", section.name);
        for setting in SETTINGS.iter().filter(|setting| setting.section == section.name) {
            out.push('\n');
            for line in setting.doc {
                let _ = writeln!(out, "#{line}");
            }
            let _ = writeln!(out, "# {}. Environment: {}", capitalised(&(setting.accepts)()), setting.env());
            let _ = writeln!(out, "#{} = {}", setting.key, (setting.default)());
        }
    }
    let _ = write!(
        out,
        "\n# API keys: each signs the tokens of one application. The name goes into a token's `iss`. A secret has at least 32\n\
         # characters; make one by `openssl rand -hex 32`. Environment: {KEYS_VARIABLE}=\"name: secret, name: secret\"\n\
         [keys]\n\n\
         #myapp = \"…\"\n\n\
         # A key can belong to an organisation of its own, whose rooms no other key sees.\n\
         #school = {{ secret = \"…\", tenant = \"school\" }}\n"
    );
    out
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
