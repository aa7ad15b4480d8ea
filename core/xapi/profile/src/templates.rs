//! Statements held against the templates of an xAPI Profile, by the algorithm of the Profile specification (part three, 2.1). It knows no
//! particular profile. Of JSONPath it knows what that specification allows, without recursive descent.

use lyceum_xapi::Json;

/// The statement templates of a profile.
pub struct Templates(Vec<Template>);

/// What came of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It follows these templates, by their ids.
    Follows(Vec<String>),
    /// It is one of these, and breaks their rules.
    Fails(Vec<Unfit>),
    /// It is like none of the templates.
    Unmatched,
}

/// A rule that a statement breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    /// Whose rule.
    pub template: String,
    /// Where the rule looks, or which property of the template it is.
    pub at: String,
    /// What it asks for.
    pub rule: &'static str,
}

/// Why something is no profile that statements could be held against.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct BadProfile {
    /// Which template, or which part of the profile.
    pub at: String,
    /// What is wrong.
    pub problem: &'static str,
}

struct Template {
    id: String,
    verb: Option<String>,
    object_type: Option<String>,
    /// Lists of context activities, and the types that must be in them.
    context: Vec<(&'static str, Vec<String>)>,
    attachments: Vec<String>,
    object_refs: Vec<String>,
    context_refs: Vec<String>,
    rules: Vec<Rule>,
}

struct Rule {
    location: String,
    path: Path,
    selector: Option<Path>,
    presence: Option<Presence>,
    any: Option<Vec<Json>>,
    all: Option<Vec<Json>>,
    none: Option<Vec<Json>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Included,
    Excluded,
    Recommended,
}

/// Which lists of context activities decide whether a template is meant.
const CONTEXT: [(&str, &str); 4] = [
    ("contextGroupingActivityType", "grouping"),
    ("contextParentActivityType", "parent"),
    ("contextOtherActivityType", "other"),
    ("contextCategoryActivityType", "category"),
];

impl Templates {
    /// The templates of a profile.
    pub fn of(profile: &Json) -> Result<Self, BadProfile> {
        let templates = profile.get("templates").and_then(Json::as_array);
        let templates = templates.ok_or_else(|| BadProfile {
            at: "templates".to_owned(),
            problem: "the profile has no list of templates",
        })?;
        templates.iter().map(Template::read).collect::<Result<_, _>>().map(Self)
    }

    /// Holds a statement against the templates. Statements that it refers to are asked for by their ids; those that are not known are
    /// not looked into.
    pub fn check<'s>(&self, statement: &Json, known: &dyn Fn(&str) -> Option<&'s Json>) -> Verdict {
        let (mut follows, mut fails) = (Vec::new(), Vec::new());
        for template in self.0.iter().filter(|template| template.is_meant_by(statement)) {
            match self.broken_rule(template, statement, known) {
                None => follows.push(template.id.clone()),
                Some((at, rule)) => fails.push(Unfit { template: template.id.clone(), at, rule }),
            }
        }
        match (follows.is_empty(), fails.is_empty()) {
            (_, false) => Verdict::Fails(fails),
            (false, true) => Verdict::Follows(follows),
            (true, true) => Verdict::Unmatched,
        }
    }

    fn broken_rule<'s>(
        &self,
        template: &Template,
        statement: &Json,
        known: &dyn Fn(&str) -> Option<&'s Json>,
    ) -> Option<(String, &'static str)> {
        let about = statement.get("context").and_then(|context| context.get("statement"));
        let refs = [
            ("objectStatementRefTemplate", &template.object_refs, statement.get("object")),
            ("contextStatementRefTemplate", &template.context_refs, about),
        ];
        for (name, allowed, reference) in refs {
            if !allowed.is_empty()
                && let Err(rule) = self.refers_to(allowed, reference, known)
            {
                return Some((name.to_owned(), rule));
            }
        }
        template.rules.iter().find_map(|rule| Some((rule.location.clone(), rule.broken_by(statement)?)))
    }

    fn refers_to<'s>(
        &self,
        allowed: &[String],
        reference: Option<&Json>,
        known: &dyn Fn(&str) -> Option<&'s Json>,
    ) -> Result<(), &'static str> {
        let reference = reference.filter(|value| value.get_str("objectType") == Some("StatementRef"));
        let id = reference.and_then(|reference| reference.get_str("id")).ok_or("there must be a StatementRef")?;
        let Some(other) = known(id) else { return Ok(()) };
        // One step is looked at: what the other statement refers to is its own matter.
        let is_one = self.0.iter().any(|template| {
            allowed.contains(&template.id)
                && template.is_meant_by(other)
                && template.rules.iter().all(|rule| rule.broken_by(other).is_none())
        });
        if is_one { Ok(()) } else { Err("the statement that is referred to follows none of the templates") }
    }
}

impl Template {
    fn read(json: &Json) -> Result<Self, BadProfile> {
        let id = json.get_str("id").unwrap_or_default().to_owned();
        let bad = |problem| BadProfile { at: id.clone(), problem };
        if id.is_empty() {
            return Err(bad("a template has no id"));
        }
        let texts = |name: &str| -> Vec<String> {
            let items = json.get(name).and_then(Json::as_array).unwrap_or_default();
            items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let rules = json.get("rules").and_then(Json::as_array).unwrap_or_default();
        let template = Self {
            verb: json.get_str("verb").map(str::to_owned),
            object_type: json.get_str("objectActivityType").map(str::to_owned),
            context: CONTEXT.iter().map(|(name, list)| (*list, texts(name))).collect(),
            attachments: texts("attachmentUsageType"),
            object_refs: texts("objectStatementRefTemplate"),
            context_refs: texts("contextStatementRefTemplate"),
            rules: rules.iter().map(|rule| Rule::read(rule).map_err(bad)).collect::<Result<_, _>>()?,
            id: id.clone(),
        };
        if template.object_type.is_some() && !template.object_refs.is_empty() {
            return Err(bad("a template has both objectActivityType and objectStatementRefTemplate"));
        }
        Ok(template)
    }

    /// Whether the statement has everything that decides that it is one of this template.
    fn is_meant_by(&self, statement: &Json) -> bool {
        let type_of = |activity: &Json| {
            activity.get("definition").and_then(|definition| definition.get_str("type")).map(str::to_owned)
        };
        let verb = statement.get("verb").and_then(|verb| verb.get_str("id"));
        let object_type = statement.get("object").and_then(type_of);
        let lists = statement.get("context").and_then(|context| context.get("contextActivities"));
        let has_types = |(list, types): &(&str, Vec<String>)| {
            let activities = lists.and_then(|lists| lists.get(list)).and_then(Json::as_array).unwrap_or_default();
            let found: Vec<_> = activities.iter().filter_map(type_of).collect();
            types.iter().all(|wanted| found.contains(wanted))
        };
        let attachments = statement.get("attachments").and_then(Json::as_array).unwrap_or_default();
        let usages: Vec<_> = attachments.iter().filter_map(|one| one.get_str("usageType")).collect();
        self.verb.as_deref().is_none_or(|wanted| verb == Some(wanted))
            && self.object_type.as_ref().is_none_or(|wanted| object_type.as_ref() == Some(wanted))
            && self.context.iter().all(has_types)
            && self.attachments.iter().all(|wanted| usages.contains(&wanted.as_str()))
    }
}

impl Rule {
    fn read(json: &Json) -> Result<Self, &'static str> {
        let location = json.get_str("location").ok_or("a rule has no location")?;
        let values = |name: &str| json.get(name).and_then(Json::as_array).map(<[Json]>::to_vec);
        let presence = match json.get_str("presence") {
            None => None,
            Some("included") => Some(Presence::Included),
            Some("excluded") => Some(Presence::Excluded),
            Some("recommended") => Some(Presence::Recommended),
            Some(_) => return Err("presence is included, excluded or recommended"),
        };
        let rule = Self {
            location: location.to_owned(),
            path: Path::parse(location)?,
            selector: json.get_str("selector").map(Path::parse).transpose()?,
            presence,
            any: values("any"),
            all: values("all"),
            none: values("none"),
        };
        if rule.presence.is_none() && rule.any.is_none() && rule.all.is_none() && rule.none.is_none() {
            return Err("a rule has presence, any, all or none");
        }
        Ok(rule)
    }

    /// What the rule asks for, if the statement does not have it.
    fn broken_by(&self, statement: &Json) -> Option<&'static str> {
        let mut found = self.path.find(statement);
        let mut unmatchable = false;
        if let Some(selector) = &self.selector {
            let selected: Vec<Vec<&Json>> = found.iter().map(|value| selector.find(value)).collect();
            unmatchable = selected.iter().any(Vec::is_empty);
            found = selected.concat();
        }
        let nothing = found.is_empty() && !unmatchable;
        match self.presence {
            Some(Presence::Included) if found.is_empty() || unmatchable => return Some("must be there"),
            Some(Presence::Excluded) if !found.is_empty() => return Some("must not be there"),
            Some(Presence::Excluded | Presence::Recommended) if nothing => return None,
            _ => {}
        }
        if self.any.as_ref().is_some_and(|any| !found.iter().any(|value| any.contains(value))) {
            return Some("must have one of the values of `any`");
        }
        if self.all.as_ref().is_some_and(|all| unmatchable || found.iter().any(|value| !all.contains(value))) {
            return Some("must have only values of `all`");
        }
        if self.none.as_ref().is_some_and(|none| found.iter().any(|value| none.contains(value))) {
            return Some("must have no value of `none`");
        }
        None
    }
}

/// A JSONPath without filters, scripts and recursive descent: alternatives, each of steps.
struct Path(Vec<Vec<Step>>);

enum Step {
    /// All members or items.
    All,
    /// Members by name, or items by place.
    These(Vec<Key>),
}

enum Key {
    Name(String),
    Place(usize),
}

impl Path {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut alternatives = Vec::new();
        let mut scan = Scan { rest: text.trim() };
        loop {
            alternatives.push(scan.steps()?);
            scan.rest = scan.rest.trim_start();
            if scan.rest.is_empty() {
                return Ok(Self(alternatives));
            }
            if !scan.take("|") {
                return Err("a JSONPath has steps `.name`, `.*`, `['name']`, `[0]` or `[*]`, and `|` between paths");
            }
            scan.rest = scan.rest.trim_start();
        }
    }

    fn find<'j>(&self, json: &'j Json) -> Vec<&'j Json> {
        let follow = |steps: &Vec<Step>| {
            steps.iter().fold(vec![json], |found, step| found.into_iter().flat_map(|value| step.of(value)).collect())
        };
        self.0.iter().flat_map(follow).collect()
    }
}

impl Step {
    fn of<'j>(&self, json: &'j Json) -> Vec<&'j Json> {
        match self {
            Step::All => match json {
                Json::Object(object) => object.iter().map(|(_, value)| value).collect(),
                Json::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            },
            Step::These(keys) => keys
                .iter()
                .filter_map(|key| match key {
                    Key::Name(name) => json.get(name),
                    Key::Place(place) => json.as_array()?.get(*place),
                })
                .collect(),
        }
    }
}

struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    fn steps(&mut self) -> Result<Vec<Step>, &'static str> {
        let mut steps = Vec::new();
        if !self.take("$") {
            // A path may begin with the name of a property.
            steps.push(self.dotted()?);
        }
        loop {
            if self.take("[") {
                steps.push(self.bracketed()?);
            } else if self.take(".") {
                steps.push(self.dotted()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn dotted(&mut self) -> Result<Step, &'static str> {
        if self.take("*") {
            return Ok(Step::All);
        }
        let end = self.rest.find(['.', '[', '|', ' ', ']', '\'', '"', '*']).unwrap_or(self.rest.len());
        let name = self.cut(end);
        if name.is_empty() {
            Err("a JSONPath lacks a name after a dot")
        } else {
            Ok(Step::These(vec![Key::Name(name.to_owned())]))
        }
    }

    fn bracketed(&mut self) -> Result<Step, &'static str> {
        let mut keys = Vec::new();
        let mut all = false;
        loop {
            self.rest = self.rest.trim_start();
            if self.take("*") {
                all = true;
            } else if let Some(quote) = ["'", "\""].into_iter().find(|quote| self.rest.starts_with(quote)) {
                self.take(quote);
                let end = self.rest.find(quote).ok_or("a JSONPath has a quote that does not end")?;
                keys.push(Key::Name(self.cut(end).to_owned()));
                self.take(quote);
            } else {
                let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
                keys.push(Key::Place(
                    self.cut(end).parse().map_err(|_| "a JSONPath has brackets around something else")?,
                ));
            }
            self.rest = self.rest.trim_start();
            if self.take("]") {
                return Ok(if all { Step::All } else { Step::These(keys) });
            }
            if !self.take(",") {
                return Err("a JSONPath has a bracket that does not end");
            }
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let taken = self.rest.strip_prefix(token);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn cut(&mut self, end: usize) -> &'t str {
        let (cut, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        cut
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_what_the_specification_says() {
        let json = Json::parse(br#"{"a":{"b c":[1,2,{"x":3}],"d":null},"e":5}"#).unwrap();
        for (path, found) in [
            ("$.a['b c'][*]", r#"[1,2,{"x":3}]"#),
            ("$.a['b c'][0,2]", r#"[1,{"x":3}]"#),
            ("a.d", "[null]"),
            ("$.e | $.a[\"b c\"][2].x", "[5,3]"),
            ("$.*", r#"[{"b c":[1,2,{"x":3}],"d":null},5]"#),
            ("$['e','nothing','e']", "[5,5]"),
            ("$.a.e", "[]"),
            ("$.e[0]", "[]"),
        ] {
            let values = Path::parse(path).unwrap().find(&json).into_iter().cloned().collect();
            assert_eq!(Json::Array(values).to_text(), found, "{path}");
        }
        for path in ["", "$..a", "$.a[", "$.a[?(@.b)]", "$.a['b", "$.a]", "$.a |", "$.[0]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn rules_are_judged_by_the_algorithm_of_the_specification() {
        let statement = Json::parse(br#"{"v":[{"n":1},{"n":2},{}]}"#).unwrap();
        for (rule, broken) in [
            (r#"{"location":"$.v","presence":"included"}"#, false),
            (r#"{"location":"$.w","presence":"included"}"#, true),
            (r#"{"location":"$.v","presence":"excluded"}"#, true),
            (r#"{"location":"$.w","presence":"excluded"}"#, false),
            (r#"{"location":"$.v[*].n","any":[2,9]}"#, false),
            (r#"{"location":"$.v[*].n","any":[9]}"#, true),
            (r#"{"location":"$.w","any":[9]}"#, true),
            (r#"{"location":"$.w","presence":"recommended","any":[9]}"#, false),
            (r#"{"location":"$.v[*].n","presence":"recommended","any":[9]}"#, true),
            (r#"{"location":"$.v[*].n","all":[1,2]}"#, false),
            (r#"{"location":"$.v[*].n","all":[1]}"#, true),
            (r#"{"location":"$.v[*]","selector":"$.n","all":[1,2]}"#, true),
            (r#"{"location":"$.v[*]","selector":"$.n","presence":"included"}"#, true),
            (r#"{"location":"$.v[0,1]","selector":"$.n","presence":"included"}"#, false),
            (r#"{"location":"$.v[*].n","none":[3]}"#, false),
            (r#"{"location":"$.v[*].n","none":[2]}"#, true),
        ] {
            let read = Rule::read(&Json::parse(rule.as_bytes()).unwrap()).unwrap();
            assert_eq!(read.broken_by(&statement).is_some(), broken, "{rule}");
        }
        assert!(Rule::read(&Json::parse(br#"{"location":"$.v"}"#).unwrap()).is_err(), "it asks for nothing");
    }
}
