//! The TOML file: tables of settings, and `[keys]`. Unknown names are problems too, with the nearest known name.

use super::keys::{ApiKey, DEFAULT_TENANT};
use super::{Config, Place, Problem, Raw, SECTIONS, SETTINGS, did_you_mean, in_file, set};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The table of API keys.
const KEYS: &str = "keys";

pub fn read(path: &Path, config: &mut Config, problems: &mut Vec<Problem>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return problems.push(in_file(path, None, format!("cannot be read: {error}"))),
    };
    let line_of = |offset: usize| Some(1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count());
    let root = match DeTable::parse(&text) {
        Ok(root) => root,
        Err(error) => {
            let line = error.span().and_then(|span| line_of(span.start));
            return problems.push(in_file(path, line, format!("is not TOML: {}", error.message())));
        }
    };
    let mut report = |offset: usize, message: String| problems.push(in_file(path, line_of(offset), message));

    for (section, table) in root.get_ref() {
        let at = section.span().start;
        let section = section.get_ref().as_ref();
        let known = SECTIONS.iter().any(|known| known.name == section) || section == KEYS;
        if !known {
            let names = SECTIONS.iter().map(|section| section.name.to_owned()).chain([KEYS.to_owned()]);
            report(at, format!("[{section}] is no section{}", did_you_mean(section, names)));
            continue;
        }
        let DeValue::Table(table) = table.get_ref() else {
            report(at, format!("{section} is {}, expected a table: [{section}]", raw(table.get_ref()).describe()));
            continue;
        };
        for (key, value) in table {
            let outcome = if section == KEYS {
                read_key(key.get_ref(), value, config)
            } else {
                read_setting(section, key.get_ref(), value, config)
            };
            if let Err(message) = outcome {
                report(key.span().start, message);
            }
        }
    }
    // Tables come sorted by name; people read from the top.
    problems.sort_by_key(|problem| match problem.place {
        Place::File { line, .. } => line,
        _ => None,
    });
}

fn read_setting(section: &str, key: &str, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Result<(), String> {
    let mut of_section = SETTINGS.iter().filter(|setting| setting.section == section);
    match of_section.clone().find(|setting| setting.key == key) {
        Some(setting) => set(setting, &raw(value.get_ref()), config),
        None => {
            let near = did_you_mean(key, of_section.clone().map(|setting| setting.key.to_owned()));
            let all: Vec<&str> = of_section.by_ref().map(|setting| setting.key).collect();
            Err(format!("{section}.{key} is no setting{near} [{section}] knows {}", all.join(", ")))
        }
    }
}

/// `name = "secret"` or `name = { secret = "…", tenant = "…" }`. Secrets never enter a message.
fn read_key(name: &str, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Result<(), String> {
    let expected = "expected a secret, or { secret = \"…\", tenant = \"…\" }";
    let mut key = ApiKey { secret: String::new(), tenant: DEFAULT_TENANT.to_owned() };
    match value.get_ref() {
        DeValue::String(secret) => key.secret = secret.to_string(),
        DeValue::Table(table) => {
            for (field, value) in table {
                let DeValue::String(text) = value.get_ref() else {
                    return Err(format!("keys.{name}.{} is no text; {expected}", field.get_ref()));
                };
                match field.get_ref().as_ref() {
                    "secret" => key.secret = text.to_string(),
                    "tenant" => key.tenant = text.to_string(),
                    other => return Err(format!("keys.{name}.{other} is not known; {expected}")),
                }
            }
        }
        _ => return Err(format!("keys.{name} is neither a text nor a table; {expected}")),
    }
    if key.secret.is_empty() {
        return Err(format!("keys.{name} has no secret; {expected}"));
    }
    if key.tenant.is_empty() {
        return Err(format!("keys.{name}.tenant is empty; leave it out for {DEFAULT_TENANT:?}"));
    }
    config.keys.insert(name.to_owned(), key);
    Ok(())
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a whole number out of range"), Raw::Integer),
        DeValue::Boolean(flag) => Raw::Boolean(*flag),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map_or(Raw::Other("a list with something else than texts"), Raw::List),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
