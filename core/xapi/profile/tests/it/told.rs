//! What is told of a log, checked on the way.

use lyceum_profile::{Projector, Settings, Templates, Texts, Verdict, iri, profile};
use lyceum_session::Event;
use lyceum_xapi::{Json, Version, validate};
use std::collections::{BTreeMap, BTreeSet};

pub fn settings() -> Settings {
    Settings {
        home_page: "https://school.example".to_owned(),
        tenant_key: [7; 32],
        texts: Texts::default(),
        erased: "[erased]".to_owned(),
        attended_percent: None,
    }
}

pub fn with_texts() -> Settings {
    Settings { texts: Texts { chat: true, polls: true, answers: true }, attended_percent: Some(50), ..settings() }
}

/// The statements of a log, each valid by the Experience API and by the profile.
pub struct Told(pub Vec<Json>);

impl Told {
    pub fn of(log: &[Event]) -> Self {
        Self::with(log, settings())
    }

    pub fn with(log: &[Event], settings: Settings) -> Self {
        let statements = project(log, settings);
        check(&statements);
        Self(statements)
    }

    pub fn text(&self) -> String {
        self.0.iter().map(|statement| statement.to_text() + "\n").collect()
    }

    /// In short: the template of each statement after the first, in order.
    pub fn kinds(&self) -> Vec<String> {
        let templates = Templates::of(&profile()).unwrap();
        self.0.iter().map(|statement| kind(&templates, statement)).collect()
    }

    /// The statements of a kind.
    pub fn all(&self, name: &str) -> Vec<&Json> {
        let templates = Templates::of(&profile()).unwrap();
        self.0.iter().filter(|statement| kind(&templates, statement) == name).collect()
    }

    #[track_caller]
    pub fn one(&self, name: &str) -> &Json {
        let found = self.all(name);
        assert_eq!(found.len(), 1, "{name} among {:?}", self.kinds());
        found[0]
    }
}

pub fn project(log: &[Event], settings: Settings) -> Vec<Json> {
    let mut projector = Projector::new(settings);
    log.iter().flat_map(|event| projector.project(event).expect("in order")).collect()
}

/// A value somewhere in a statement.
pub fn at<'j>(json: &'j Json, path: &[&str]) -> Option<&'j Json> {
    path.iter().try_fold(json, |json, name| match name.parse::<usize>() {
        Ok(place) => json.as_array()?.get(place),
        Err(_) => json.get(name),
    })
}

pub fn text<'j>(json: &'j Json, path: &[&str]) -> &'j str {
    at(json, path).and_then(Json::as_str).unwrap_or_else(|| panic!("no {path:?} in {}", json.to_text()))
}

pub fn number(json: &Json, path: &[&str]) -> f64 {
    match at(json, path) {
        Some(Json::Number(number)) => number.value(),
        other => panic!("no number at {path:?}: {other:?}"),
    }
}

pub fn context(json: &Json, extension: &str) -> Option<Json> {
    at(json, &["context", "extensions", extension]).cloned()
}

pub fn result(json: &Json, extension: &str) -> Option<Json> {
    at(json, &["result", "extensions", extension]).cloned()
}

pub fn duration_ms(json: &Json) -> u64 {
    let text = text(json, &["result", "duration"]);
    let seconds = text.strip_prefix("PT").and_then(|text| text.strip_suffix('S')).expect("seconds");
    (seconds.parse::<f64>().expect("a number") * 1000.0).round() as u64
}

/// The name of the template that tells most of a statement: of several that it follows, the one that fewest follow.
fn kind(templates: &Templates, statement: &Json) -> String {
    match templates.check(statement, &|_| None) {
        Verdict::Follows(ids) => {
            let id = ids.iter().find(|id| id.ends_with("/quiz-question-answered")).unwrap_or(&ids[0]);
            id.rsplit('/').next().expect("a name").to_owned()
        }
        other => panic!("{other:?}: {}", statement.to_text()),
    }
}

/// Holds statements against everything that is true of all of them.
pub fn check(statements: &[Json]) {
    let templates = Templates::of(&profile()).expect("our own profile");
    let concepts = concepts();
    let known: BTreeMap<&str, &Json> =
        statements.iter().map(|statement| (text(statement, &["id"]), statement)).collect();
    assert_eq!(known.len(), statements.len(), "ids are used once");
    let mut before = (0, String::new());
    for (place, statement) in statements.iter().enumerate() {
        let written = statement.to_text();
        if let Err(problems) = validate::statement(statement, Version::V2) {
            panic!("{problems:?}: {written}");
        }
        assert_eq!(Json::parse(written.as_bytes()).as_ref(), Ok(statement), "it reads as it was written");
        match templates.check(statement, &|id| known.get(id).copied()) {
            Verdict::Follows(ids) => {
                let first = ids.iter().any(|id| id.ends_with("/session-initialized"));
                let last = ids.iter().any(|id| id.ends_with("/session-terminated"));
                assert_eq!(first, place == 0, "the first statement alone begins a session: {written}");
                assert!(!last || place + 1 == statements.len(), "the last statement alone ends it: {written}");
            }
            other => panic!("{other:?}: {written}"),
        }
        // A reference leads to a statement that came before.
        if let Some(about) = at(statement, &["context", "statement", "id"]).and_then(Json::as_str) {
            let target = statements.iter().position(|other| other.get_str("id") == Some(about));
            assert!(target.is_some_and(|target| target < place), "it is about a statement that is there: {written}");
        }
        // The order of the log is the order of statements and of their times.
        let sequence = number(statement, &["context", "extensions", iri::extensions::SEQUENCE]) as u64;
        let now = (sequence, text(statement, &["timestamp"]).to_owned());
        assert!(now.0 >= before.0 && now.1 >= before.1, "in order: {written}");
        before = now;
        for (list, kind) in [("context", "ContextExtension"), ("result", "ResultExtension")] {
            let used = at(statement, &[list, "extensions"]).and_then(Json::as_object);
            for (name, _) in used.into_iter().flat_map(lyceum_xapi::Object::iter) {
                let ours = name.starts_with(iri::BASE);
                assert!(!ours || concepts.contains(&(name.to_owned(), kind)), "{name} is no {kind}: {written}");
            }
        }
        for own in [text(statement, &["verb", "id"])].into_iter().chain(types(statement)) {
            let ours = own.starts_with(iri::BASE);
            let described = ["Verb", "ActivityType"].iter().any(|kind| concepts.contains(&(own.to_owned(), *kind)));
            assert!(!ours || described, "the profile does not know {own}: {written}");
        }
    }
}

fn types(statement: &Json) -> Vec<&str> {
    at(statement, &["object", "definition", "type"]).and_then(Json::as_str).into_iter().collect()
}

fn concepts() -> BTreeSet<(String, &'static str)> {
    let kinds = ["Verb", "ActivityType", "ContextExtension", "ResultExtension"];
    let profile = profile();
    let concepts = profile.get("concepts").and_then(Json::as_array).expect("concepts").iter();
    concepts
        .map(|concept| {
            let kind = concept.get_str("type").expect("a type");
            let kind = kinds.into_iter().find(|known| *known == kind).expect("a kind of concept");
            (concept.get_str("id").expect("an id").to_owned(), kind)
        })
        .collect()
}
