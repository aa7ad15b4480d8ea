//! Configuration: what wins over what, and what a person is told who got it wrong.

use lyceum::config::{Config, Problem, SETTINGS, Sources, load, sample};
use std::path::Path;
use tempfile::NamedTempFile;

const GOOD_KEYS: &str = "[keys]\nmyapp = \"0123456789abcdefghijklmnopqrstuv\"\n";

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn from_file(text: &str) -> Result<Config, Vec<Problem>> {
    let file = file(text);
    load(&Sources { file: Some(file.path().to_owned()), ..Sources::default() })
}

/// The problems, one a line, without the path of the temporary file.
fn problems(text: &str) -> String {
    let all: Vec<String> = from_file(text).unwrap_err().iter().map(ToString::to_string).collect();
    let line = |text: &String| text.split_once(".toml:").map_or(text.clone(), |(_, rest)| rest.to_owned());
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = file(&format!("[rooms]\nmax_participants = 1\nempty_timeout_s = 1\nmax_tracks = 1\n{GOOD_KEYS}"));
    let config = load(&Sources {
        file: Some(file.path().to_owned()),
        environment: pairs(&[
            ("LYCEUM_ROOMS_MAX_PARTICIPANTS", "2"),
            ("LYCEUM_ROOMS_EMPTY_TIMEOUT_S", "2"),
            ("HOME", "/"),
        ]),
        flags: pairs(&[("rooms.max_participants", "3")]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!((config.rooms.max_participants, config.rooms.empty_timeout_s, config.rooms.max_tracks), (3, 2, 1));
}

#[test]
fn each_problem_is_shown_with_its_line_and_what_would_be_right() {
    let wrong = "[http]\nbind = [\"here\"]\nmax_conections = 5\nhead_timeout_s = 0\n\n[rooms]\nauto_create = \"yes\"\n\n[htpp]\nx = 1\n";
    assert_eq!(
        problems(wrong),
        "2: http.bind is [\"here\"], expected a list of addresses with ports such as [\"0.0.0.0:7880\", \"[::]:7880\"]\n\
         3: http.max_conections is no setting; did you mean \"max_connections\"? [http] knows bind, public_url, \
         max_connections, max_body_bytes, max_head_bytes, head_timeout_s, idle_timeout_s\n\
         4: http.head_timeout_s is 0, expected a whole number from 1 to 120\n\
         7: rooms.auto_create is \"yes\", expected true or false\n\
         9: [htpp] is no section; did you mean \"http\"?",
    );
}

#[test]
fn a_file_that_is_no_toml_says_where_it_breaks() {
    let text = problems("[http]\nbind = [\n\n[rooms]\n");
    assert!(text.contains("is not TOML"), "{text}");
    let missing = load(&Sources { file: Some("/nowhere/lyceum.toml".into()), ..Sources::default() }).unwrap_err();
    assert!(missing[0].to_string().contains("/nowhere/lyceum.toml: cannot be read"), "{}", missing[0]);
}

#[test]
fn an_environment_variable_that_is_no_setting_is_a_problem() {
    let environment = pairs(&[
        ("LYCEUM_HTTP_BINT", "127.0.0.1:1"),
        ("LYCEUM_HTTP_MAX_BODY_BYTES", "many"),
        ("LYCEUM_BINARY", "of somebody else"),
    ]);
    let wrong = load(&Sources { environment, dev: true, ..Sources::default() }).unwrap_err();
    assert_eq!(
        wrong[0].to_string(),
        "environment variable LYCEUM_HTTP_BINT: is no setting; did you mean \"LYCEUM_HTTP_BIND\"?"
    );
    assert!(
        wrong[1]
            .to_string()
            .ends_with("http.max_body_bytes is \"many\", expected a whole number from 1024 to 67108864")
    );
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn without_a_key_or_with_a_weak_one_there_is_no_server() {
    assert!(problems("").contains("there is no API key"));
    assert!(problems("[keys]\na = \"short\"\n").contains("has 5 characters, but needs at least 32"));
    assert!(problems("[keys]\ndevkey = \"secret\"\n").contains("which everybody knows"));
    assert!(problems(&format!("[keys]\na = \"{}\"\n", "ab".repeat(20))).contains("only 2 different characters"));
    assert!(problems("[keys]\na = 5\n").contains("expected a secret"));
    let shown = problems("[keys]\na = \"aVerySecretThing\"\n");
    assert!(!shown.contains("aVerySecretThing"), "a message must not show the secret: {shown}");
}

#[test]
fn keys_have_a_tenant_of_their_own_if_they_say_so() {
    let config = from_file(&format!(
        "{GOOD_KEYS}school = {{ secret = \"9876543210abcdefghijklmnopqrstuv\", tenant = \"school\" }}\n"
    ))
    .unwrap();
    assert_eq!((config.keys["myapp"].tenant.as_str(), config.keys["school"].tenant.as_str()), ("default", "school"));
    let environment =
        pairs(&[("LYCEUM_KEYS", "one: 0123456789abcdefghijklmnopqrstuv, two: 9876543210abcdefghijklmnopqrstuv")]);
    assert_eq!(load(&Sources { environment, ..Sources::default() }).unwrap().keys.len(), 2);
}

#[test]
fn dev_keys_stay_on_this_machine_unless_somebody_insists() {
    let sources = |anywhere| Sources {
        dev: true,
        dev_keys_anywhere: anywhere,
        flags: pairs(&[("http.bind", "127.0.0.1:7880, 0.0.0.0:7880")]),
        ..Sources::default()
    };
    let refused = load(&sources(false)).unwrap_err();
    assert!(refused[0].message.contains("--allow-dev-keys-anywhere") && refused[0].message.contains("0.0.0.0:7880"));
    let open = load(&sources(true)).unwrap();
    assert!(open.media.udp_bind.is_unspecified() && open.media.advertise.is_empty(), "media can be reached as well");
    let closed = load(&Sources { dev: true, ..Sources::default() }).unwrap();
    assert!(closed.media.udp_bind.is_loopback() && closed.media.tcp_bind.unwrap().ip().is_loopback());
}

#[test]
fn halves_and_contradictions_are_problems() {
    assert!(problems(&format!("[tls]\ncert_file = \"x.pem\"\n{GOOD_KEYS}")).contains("only one is set"));
    assert!(problems(&format!("[signal]\nsilence_timeout_s = 5\n{GOOD_KEYS}")).contains("must be greater than"));
    assert!(problems(&format!("[http]\nbind = []\n{GOOD_KEYS}")).contains("nobody could connect"));
    assert!(problems(&format!("[media]\nudp_port = 65530\n{GOOD_KEYS}")).contains("too few ports"));
}

#[test]
fn the_sample_file_is_up_to_date_and_good() {
    let checked_in = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../lyceum.example.toml"));
    let text = std::fs::read_to_string(checked_in).unwrap();
    assert_eq!(text, sample(), "run `lyceum config sample > lyceum.example.toml`");
    // Every setting taken out of its comment has the value that it has without the file.
    let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.split_once(" = ").is_some_and(|(key, _)| is_setting(key)) => setting,
        _ => line,
    });
    let all =
        format!("{}\n{}", uncommented.collect::<Vec<_>>().join("\n"), "spare = \"0123456789abcdefghijklmnopqrstuv\"\n");
    assert_eq!(from_file(&all).unwrap().settings, from_file(GOOD_KEYS).unwrap().settings);
    for setting in SETTINGS {
        assert!(all.contains(&format!("\n{} = ", setting.key)), "{} is not in the sample", setting.path());
        assert!(!setting.doc.is_empty(), "{} is not explained", setting.path());
    }
}

fn is_setting(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key == key)
}
