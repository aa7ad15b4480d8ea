//! The formats in which statements are given back: `exact` is what is stored; `ids` keeps of actors, activities, groups and verbs only
//! what identifies them; `canonical` takes the definitions of activities from the record store and one language of each language map.

use crate::actor::Identifier;
use crate::json::{Json, Object};
use crate::validate::is_activity;

/// The format of a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Only what identifies.
    Ids,
    /// As it was received.
    #[default]
    Exact,
    /// With the record store's definitions, in one language.
    Canonical,
}

impl Format {
    /// From the parameter's value.
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "ids" => Some(Self::Ids),
            "exact" => Some(Self::Exact),
            "canonical" => Some(Self::Canonical),
            _ => None,
        }
    }
}

/// Keeps what identifies, and nothing else, of everything in a statement that has an identity.
pub fn ids(statement: &mut Json) {
    let Some(object) = statement.as_object_mut() else { return };
    for (name, value) in object.iter_mut() {
        match name {
            "actor" | "authority" => ids_of_actor(value),
            "verb" => keep(value, &["id"]),
            "object" => match value.get_str("objectType") {
                Some("Agent" | "Group") => ids_of_actor(value),
                Some("SubStatement") => ids(value),
                Some("StatementRef") => {}
                _ => keep(value, &["id"]),
            },
            "context" => ids_of_context(value),
            _ => {}
        }
    }
}

fn ids_of_context(context: &mut Json) {
    for (name, value) in context.as_object_mut().into_iter().flat_map(Object::iter_mut) {
        match name {
            "instructor" | "team" => ids_of_actor(value),
            "contextActivities" => {
                for (_, list) in value.as_object_mut().into_iter().flat_map(Object::iter_mut) {
                    each(list, |activity| keep(activity, &["id"]));
                }
            }
            "contextAgents" | "contextGroups" => each(value, |role| {
                for (_, part) in role.as_object_mut().into_iter().flat_map(Object::iter_mut) {
                    if matches!(part, Json::Object(_)) {
                        ids_of_actor(part);
                    }
                }
            }),
            _ => {}
        }
    }
}

fn ids_of_actor(actor: &mut Json) {
    if Identifier::of(actor).is_some() {
        return keep(actor, &["objectType", "mbox", "mbox_sha1sum", "openid", "account"]);
    }
    keep(actor, &["objectType", "member"]);
    if let Some(members) = actor.as_object_mut().and_then(|group| group.get_mut("member")) {
        each(members, ids_of_actor);
    }
}

fn keep(value: &mut Json, names: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| names.contains(&name));
    }
}

fn each(list: &mut Json, mut change: impl FnMut(&mut Json)) {
    match list {
        Json::Array(items) => items.iter_mut().for_each(change),
        one => change(one),
    }
}

/// Every Activity in a statement, to be read or changed.
pub fn for_each_activity(statement: &mut Json, visit: &mut dyn FnMut(&mut Json)) {
    let Some(object) = statement.as_object_mut() else { return };
    if let Some(target) = object.get_mut("object") {
        if is_activity(target) {
            visit(target);
        } else if target.get_str("objectType") == Some("SubStatement") {
            for_each_activity(target, visit);
        }
    }
    let lists = object
        .get_mut("context")
        .and_then(Json::as_object_mut)
        .and_then(|context| context.get_mut("contextActivities"))
        .and_then(Json::as_object_mut);
    for (_, list) in lists.into_iter().flat_map(Object::iter_mut) {
        each(list, &mut *visit);
    }
}

/// Gives activities the definitions that the record store holds, and keeps one language of each language map. `definition` answers for
/// the id of an Activity.
pub fn canonical(statement: &mut Json, languages: &Languages, definition: &dyn Fn(&str) -> Option<Json>) {
    for_each_activity(statement, &mut |activity| {
        let known = activity.get_str("id").and_then(definition);
        let Some(object) = activity.as_object_mut() else { return };
        if let Some(known) = known {
            object.set("definition", known);
        }
        if let Some(definition) = object.get_mut("definition") {
            languages.choose_in_definition(definition);
        }
    });
    languages.choose_in_verbs(statement);
}

/// The languages that somebody wants, best first, as `Accept-Language` says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Languages(Vec<(String, f32)>);

impl Languages {
    /// From the header's value. What cannot be read is passed over; languages beyond the thirtieth are, too.
    pub fn parse(header: &str) -> Self {
        let mut wanted: Vec<(String, f32)> = header
            .split(',')
            .take(30)
            .filter_map(|range| {
                let mut parts = range.split(';');
                let tag = parts.next()?.trim().to_ascii_lowercase();
                let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
                let quality = quality.map_or(Some(1.0), |quality| quality.trim().parse::<f32>().ok())?;
                (!tag.is_empty() && quality > 0.0 && quality <= 1.0).then_some((tag, quality))
            })
            .collect();
        wanted.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Self(wanted)
    }

    /// Keeps one language of a language map: the best that is wanted, otherwise the first.
    pub fn choose(&self, map: &mut Json) {
        let Some(object) = map.as_object_mut() else { return };
        let tags: Vec<&str> = object.iter().map(|(tag, _)| tag).collect();
        let chosen = self.0.iter().find_map(|(wanted, _)| lookup(wanted, &tags)).or(tags.first().copied());
        if let Some(chosen) = chosen.map(str::to_owned) {
            object.retain(|tag, _| tag == chosen);
        }
    }

    /// In all language maps of an Activity's definition.
    pub fn choose_in_definition(&self, definition: &mut Json) {
        for (name, value) in definition.as_object_mut().into_iter().flat_map(Object::iter_mut) {
            match name {
                "name" | "description" => self.choose(value),
                "choices" | "scale" | "source" | "target" | "steps" => each(value, |component| {
                    if let Some(description) =
                        component.as_object_mut().and_then(|object| object.get_mut("description"))
                    {
                        self.choose(description);
                    }
                }),
                _ => {}
            }
        }
    }

    fn choose_in_verbs(&self, statement: &mut Json) {
        let Some(object) = statement.as_object_mut() else { return };
        let display = object.get_mut("verb").and_then(Json::as_object_mut).and_then(|verb| verb.get_mut("display"));
        if let Some(display) = display {
            self.choose(display);
        }
        if let Some(target) =
            object.get_mut("object").filter(|target| target.get_str("objectType") == Some("SubStatement"))
        {
            self.choose_in_verbs(target);
        }
    }
}

/// RFC 4647's lookup: the tag itself, otherwise a longer one of the same language, otherwise what is left when parts are cut off.
fn lookup<'a>(wanted: &str, tags: &[&'a str]) -> Option<&'a str> {
    let mut range = wanted;
    loop {
        let exact = tags.iter().find(|tag| tag.eq_ignore_ascii_case(range));
        let longer = || {
            tags.iter().find(|tag| {
                let tag = tag.to_ascii_lowercase();
                tag.strip_prefix(range).is_some_and(|rest| rest.starts_with('-'))
            })
        };
        if let Some(found) = exact.or_else(longer) {
            return Some(found);
        }
        range = range.rsplit_once('-')?.0;
    }
}
