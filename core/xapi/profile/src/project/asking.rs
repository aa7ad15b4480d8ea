//! Polls, quizzes, surveys and checkpoints: what was asked, who answered, what counts. Of an anonymous poll it is told that somebody
//! answered and how often each option was chosen, as the log has it; never who chose what.

use super::{Desk, Draft, plain};
use crate::iri::{Verb, extensions as ext, types, verbs};
use crate::make::{in_language, list, object, share, whole};
use lyceum_session::class::{
    Anonymity, Answer, Answers, ClassFact, Draft as Unsubmitted, Item, ItemKind, Poll, PollMode, PollSpec, Tally,
};
use lyceum_session::{Fact, PersonId, Seq, Text, UnixMs};
use lyceum_xapi::{Json, Object};
use std::collections::BTreeMap;

/// What was asked and answered so far.
#[derive(Default)]
pub(super) struct Asked {
    opened: BTreeMap<Seq, UnixMs>,
    given: BTreeMap<(Seq, PersonId), Given>,
    checkpoint: Option<(Seq, UnixMs)>,
}

/// What somebody answered last.
struct Given {
    /// From 1.
    revision: u64,
    at: UnixMs,
    /// Where each question's statement is.
    statements: BTreeMap<usize, (Seq, String)>,
}

pub(super) fn after(desk: &mut Desk<'_>, asked: &mut Asked) {
    let Fact::Class(fact) = &desk.event.fact else { return };
    let at = desk.at();
    match fact {
        ClassFact::CheckpointAsked { author, .. } => {
            asked.checkpoint = Some((desk.event.seq, at));
            let question = desk.checkpoint(desk.event.seq);
            desk.tell(Draft::new("asked", author.as_ref(), verbs::ASKED, question).with(ext::MODE, "checkpoint"));
        }
        ClassFact::CheckpointAnswered { person, mood } => {
            if let Some((id, since)) = asked.checkpoint {
                let answered = Draft::new("answered", Some(person), verbs::ANSWERED, desk.checkpoint(id))
                    .result("response", plain(mood))
                    .lasted(at.0.saturating_sub(since.0));
                desk.tell(answered);
            }
        }
        ClassFact::CheckpointClosed { tally } => {
            if let Some((id, since)) = asked.checkpoint.take() {
                let counts = tally.iter().map(|(mood, count)| (plain(mood), whole(u64::from(*count)))).collect();
                let closed = Draft::new("closed", desk.actor(), verbs::CLOSED, desk.checkpoint(id))
                    .lasted(at.0.saturating_sub(since.0))
                    .outcome(ext::TALLY, Json::Object(counts));
                desk.tell(closed);
            }
        }
        _ => {
            let Some(poll) = poll_of(fact) else { return };
            let state = desk.state;
            if let Some(known) = state.class.polls.get(&poll) {
                let mut about = About { desk, asked, poll, known };
                about.tell(fact);
            }
        }
    }
}

fn poll_of(fact: &ClassFact) -> Option<Seq> {
    match fact {
        ClassFact::PollOpened { poll, .. }
        | ClassFact::PollResponded { poll, .. }
        | ClassFact::PollResponseLate { poll, .. }
        | ClassFact::PollClosed { poll, .. }
        | ClassFact::PollRevised { poll, .. }
        | ClassFact::PollPublished { poll, .. }
        | ClassFact::QuizGraded { poll, .. } => Some(*poll),
        _ => None,
    }
}

/// One poll, as it is after the event.
struct About<'d, 'a> {
    desk: &'d mut Desk<'a>,
    asked: &'d mut Asked,
    poll: Seq,
    known: &'a Poll,
}

/// How an answer came about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Sent {
        late: bool,
    },
    FromDraft,
    /// It does not count, unless somebody lets it in.
    TooLate,
}

impl<'a> About<'_, 'a> {
    fn tell(&mut self, fact: &'a ClassFact) {
        match fact {
            ClassFact::PollOpened { eligible, .. } => {
                self.asked.opened.insert(self.poll, self.desk.at());
                let (mode, eligible) = (plain(&self.known.spec.mode), eligible.len() as u64);
                let anonymous = self.is_anonymous();
                self.of_each("asked", verbs::ASKED, |draft, item| {
                    let several = item.map(|item| Json::Bool(item.kind == ItemKind::Multi));
                    draft
                        .with(ext::MODE, mode.as_str())
                        .with(ext::ANONYMOUS, Json::Bool(anonymous))
                        .with(ext::ELIGIBLE, whole(eligible))
                        .maybe_with(ext::MULTI_SELECT, several)
                });
            }
            ClassFact::PollResponded { person, answers: Some(answers), late, .. } => {
                self.answered(person, answers, "answered", Way::Sent { late: *late });
            }
            // What they chose is nowhere in the log.
            ClassFact::PollResponded { person, answers: None, .. } => self.took_part(person),
            ClassFact::PollResponseLate { person, answers, .. } => {
                self.answered(person, answers, "answered", Way::TooLate);
            }
            ClassFact::PollClosed { tally, counted, eligible, submitted, .. } => {
                self.closed(tally.as_ref(), *counted, u64::from(*eligible), submitted);
            }
            ClassFact::PollRevised { revision, tally, counted, .. } => {
                let (open_ms, revision, counted) = (self.open_ms(), u64::from(*revision), u64::from(*counted));
                self.of_all("revised", verbs::CLOSED, Some(tally), |draft| {
                    draft.lasted_if(open_ms).with(ext::REVISION, whole(revision)).outcome(ext::COUNTED, whole(counted))
                });
            }
            ClassFact::PollPublished { detail, .. } => {
                let detail = plain(detail);
                self.of_each("shared", verbs::SHARED, |draft, _| draft.with(ext::DETAIL, detail.as_str()));
            }
            ClassFact::QuizGraded { person, item, points, .. } => self.graded(person, *item, *points),
            _ => {}
        }
    }

    fn is_anonymous(&self) -> bool {
        self.known.spec.anonymity == Anonymity::Anonymous
    }

    fn is_quiz(&self) -> bool {
        self.known.spec.mode == PollMode::Quiz
    }

    /// For how long people could answer.
    fn open_ms(&self) -> Option<u64> {
        let opened = self.asked.opened.get(&self.poll)?;
        let until = self.known.closes_at.unwrap_or(self.desk.at()).min(self.desk.at());
        Some(until.0.saturating_sub(opened.0))
    }

    /// The quiz itself.
    fn assessment(&self) -> Json {
        let spec = &self.known.spec;
        let mut definition = Object::default();
        definition.set("type", types::ASSESSMENT.into());
        if let Some(title) = self.desk.told(self.desk.settings.texts.polls, &spec.title) {
            definition.set("name", in_language("und", title));
        }
        self.desk.activity("quiz", self.poll, definition)
    }

    /// One of its questions.
    fn question(&self, place: usize, item: &Item) -> Json {
        let definition = definition(self.desk, item);
        self.desk.activity("poll-item", format_args!("{}/{place}", self.poll), definition)
    }

    fn of_question(&self, draft: Draft) -> Draft {
        if self.is_quiz() { draft.part_of(self.assessment()) } else { draft }
    }

    /// Says something of the quiz, or of each question of a poll.
    fn of_each(&mut self, part: &str, verb: Verb, say: impl Fn(Draft, Option<&Item>) -> Draft) {
        let actor = self.desk.actor();
        if self.is_quiz() {
            let draft = say(Draft::new(part, actor, verb, self.assessment()), None);
            self.desk.tell(draft);
            return;
        }
        let spec: &PollSpec = &self.known.spec;
        for (place, item) in spec.items.iter().enumerate() {
            let question = self.question(place, item);
            let draft = say(Draft::new(format!("{part}/{place}"), actor, verb, question), Some(item));
            self.desk.tell(draft);
        }
    }

    /// The same with the counts of each question.
    fn of_all(&mut self, part: &str, verb: Verb, tally: Option<&Tally>, say: impl Fn(Draft) -> Draft) {
        let actor = self.desk.actor();
        let counts = |items: &[u32]| list(items.iter().map(|count| whole(u64::from(*count))));
        if self.is_quiz() {
            let mut draft = say(Draft::new(part, actor, verb, self.assessment()));
            if let Some(tally) = tally {
                let items = list(tally.items.iter().map(|items| counts(items)));
                let tally = object([("people", whole(u64::from(tally.people))), ("items", items)]);
                draft = draft.outcome(ext::TALLY, tally);
            }
            self.desk.tell(draft);
            return;
        }
        let spec: &PollSpec = &self.known.spec;
        for (place, item) in spec.items.iter().enumerate() {
            let question = self.question(place, item);
            let mut draft = say(Draft::new(format!("{part}/{place}"), actor, verb, question));
            if let Some((tally, items)) = tally.and_then(|tally| Some((tally, tally.items.get(place)?))) {
                let tally = object([("people", whole(u64::from(tally.people))), ("counts", counts(items))]);
                draft = draft.outcome(ext::TALLY, tally);
            }
            self.desk.tell(draft);
        }
    }

    fn answered(&mut self, person: &PersonId, answers: &Answers, part: &str, way: Way) {
        let at = self.desk.at();
        let before = self.asked.given.remove(&(self.poll, person.clone()));
        let revision = before.as_ref().map_or(1, |before| before.revision + 1);
        let opened = self.asked.opened.get(&self.poll);
        let took_ms = opened.map(|opened| at.0.saturating_sub(opened.0));
        let points = self.known.points(person).unwrap_or_default();
        let mut statements = BTreeMap::new();
        for (place, (item, answer)) in self.known.spec.items.iter().zip(answers).enumerate() {
            let Some(answer) = answer else { continue };
            let part = format!("{part}/{place}");
            let earlier = before.as_ref().and_then(|before| before.statements.get(&place));
            let earlier = earlier.map(|(seq, part)| self.desk.names.statement(*seq, part));
            statements.insert(place, (self.desk.event.seq, part.clone()));
            let question = self.question(place, item);
            let mut answered = Draft::new(part, Some(person), verbs::ANSWERED, question)
                .about(earlier)
                .maybe_with(ext::REVISION, (revision > 1).then(|| whole(revision)));
            if let Some(response) = response(self.desk, item, answer) {
                answered = answered.result("response", response);
            }
            answered = judged(answered, item, answer, points.get(place).copied().flatten());
            answered = answered.lasted_if(took_ms);
            answered = match way {
                Way::Sent { late: false } => answered,
                Way::Sent { late: true } => answered.with(ext::LATE, "counted"),
                Way::TooLate => answered.with(ext::LATE, "not-counted"),
                Way::FromDraft => answered.with(ext::FROM_DRAFT, Json::Bool(true)),
            };
            let answered = self.of_question(answered);
            self.desk.tell(answered);
        }
        self.asked.given.insert((self.poll, person.clone()), Given { revision, at, statements });
    }

    /// Somebody answered an anonymous poll.
    fn took_part(&mut self, person: &PersonId) {
        for (place, item) in self.known.spec.items.iter().enumerate() {
            let question = self.question(place, item);
            let answered = Draft::new(format!("answered/{place}"), Some(person), verbs::ANSWERED, question)
                .with(ext::ANONYMOUS, Json::Bool(true));
            let answered = self.of_question(answered);
            self.desk.tell(answered);
        }
    }

    fn closed(&mut self, tally: Option<&Tally>, counted: u32, eligible: u64, submitted: &'a [Unsubmitted]) {
        for (place, draft) in submitted.iter().enumerate() {
            self.answered(&draft.person, &draft.answers, &format!("submitted/{place}"), Way::FromDraft);
        }
        if self.is_quiz() && !self.is_anonymous() {
            for (place, person) in self.known.responses.keys().enumerate() {
                self.completed(place, person);
            }
        }
        let open_ms = self.open_ms();
        self.of_all("closed", verbs::CLOSED, tally, |draft| {
            draft
                .lasted_if(open_ms)
                .with(ext::ELIGIBLE, whole(eligible))
                .outcome(ext::COUNTED, whole(u64::from(counted)))
        });
    }

    /// Somebody's quiz as a whole. Where somebody has to read an answer first, it has no score yet.
    fn completed(&mut self, place: usize, person: &PersonId) {
        let opened = self.asked.opened.get(&self.poll);
        let given = self.asked.given.get(&(self.poll, person.clone()));
        let took_ms = opened.zip(given).map(|(opened, given)| given.at.0.saturating_sub(opened.0));
        let items = &self.known.spec.items;
        let points = self.known.points(person).unwrap_or_default();
        let most: u64 = items.iter().map(|item| u64::from(item.points)).sum();
        let all = items.iter().zip(&points).filter(|(item, _)| item.points > 0);
        let raw = all.map(|(_, points)| points.map(u64::from)).sum::<Option<u64>>();
        let mut completed = Draft::new(format!("completed/{place}"), Some(person), verbs::COMPLETED, self.assessment())
            .result("completion", Json::Bool(true))
            .lasted_if(took_ms);
        if let Some(raw) = raw.filter(|_| most > 0 && points.len() == items.len()) {
            completed = completed.result("score", score(raw, most));
        }
        self.desk.tell(completed);
    }

    fn graded(&mut self, person: &PersonId, place: u16, points: u32) {
        let place = usize::from(place);
        let Some(item) = self.known.spec.items.get(place) else { return };
        let question = self.question(place, item);
        let by = self.desk.agent_or_server(self.desk.actor());
        let scored = Draft::new("scored", Some(person), verbs::SCORED, question)
            .result("score", score(u64::from(points), u64::from(item.points)))
            .with(ext::GRADED_BY, by);
        let scored = self.of_question(scored);
        self.desk.tell(scored);
    }
}

/// What an answer was worth.
fn judged(draft: Draft, item: &Item, answer: &Answer, points: Option<u32>) -> Draft {
    let right = item.judges(answer);
    let draft = match right {
        Some(right) => draft.result("success", Json::Bool(right)),
        None => draft,
    };
    match points {
        Some(points) if item.points > 0 => draft.result("score", score(u64::from(points), u64::from(item.points))),
        _ => draft,
    }
}

fn score(raw: u64, most: u64) -> Json {
    if most == 0 {
        return object([("raw", whole(raw))]);
    }
    object([("scaled", share(raw, most)), ("raw", whole(raw)), ("min", whole(0)), ("max", whole(most))])
}

/// What a question is to xAPI. Options are named by their place, from 0.
fn definition(desk: &Desk<'_>, item: &Item) -> Object {
    let texts = desk.settings.texts.polls;
    let mut definition = Object::default();
    definition.set("type", types::INTERACTION.into());
    if let Some(text) = desk.told(texts, &item.text) {
        definition.set("name", in_language("und", text));
    }
    let component = |id: String, text: Option<&Text>| {
        let text = text.and_then(|text| desk.told(texts, text));
        match text {
            Some(text) => object([("id", id.into()), ("description", in_language("und", text))]),
            None => object([("id", id.into())]),
        }
    };
    let options = || item.options.iter().enumerate().map(|(place, text)| component(place.to_string(), Some(text)));
    let mut is = |interaction: &str| definition.set("interactionType", interaction.into());
    match item.kind {
        ItemKind::Single | ItemKind::Multi => {
            is("choice");
            definition.set("choices", list(options()));
        }
        ItemKind::TrueFalse => is("true-false"),
        ItemKind::YesNo { abstain } => {
            is("choice");
            let words = YES_NO.iter().take(2 + usize::from(abstain)).enumerate();
            let choices = words.map(|(place, word)| component((*word).to_owned(), item.options.get(place)));
            definition.set("choices", list(choices));
        }
        ItemKind::Scale { from, to } => {
            is("likert");
            definition.set("scale", list((from..=to).map(|step| component(step.to_string(), None))));
        }
        ItemKind::Numeric { .. } => is("numeric"),
        ItemKind::ShortText => is("fill-in"),
        ItemKind::LongText => is("long-fill-in"),
        ItemKind::Ordering => {
            is("sequencing");
            definition.set("choices", list(options()));
        }
        ItemKind::Matching => {
            is("matching");
            let half = item.options.len() / 2;
            let places = |from: usize| {
                item.options
                    .iter()
                    .skip(from)
                    .take(half)
                    .enumerate()
                    .map(|(place, text)| component(place.to_string(), Some(text)))
            };
            definition.set("source", list(places(0)));
            definition.set("target", list(places(half)));
        }
        ItemKind::Hotspot => is("other"),
    }
    // What stands in words of the teacher is told where such words are.
    let key = item.key.as_ref().filter(|key| !matches!(key, Answer::Text { .. }) || texts);
    if let Some(pattern) = key.and_then(|key| written(item, key)).filter(|text| *text != desk.settings.erased) {
        definition.set("correctResponsesPattern", list([pattern.into()]));
    }
    definition
}

const YES_NO: [&str; 3] = ["yes", "no", "abstain"];

/// An answer as xAPI writes it; one in words only where the tenant wants them told.
fn response(desk: &Desk<'_>, item: &Item, answer: &Answer) -> Option<String> {
    match answer {
        Answer::Text { text } => desk.told(desk.settings.texts.answers, text).map(str::to_owned),
        _ => written(item, answer),
    }
}

/// An answer in the format of its kind of interaction; `None` if it is not one of this question's.
fn written(item: &Item, answer: &Answer) -> Option<String> {
    let joined = |parts: Vec<String>| parts.join("[,]");
    Some(match (item.kind, answer) {
        (ItemKind::TrueFalse, Answer::Options { options }) => match options[..] {
            [0] => "true".to_owned(),
            [1] => "false".to_owned(),
            _ => return None,
        },
        (ItemKind::YesNo { .. }, Answer::Options { options }) => {
            let words: Option<Vec<_>> =
                options.iter().map(|option| YES_NO.get(usize::from(*option)).map(|word| (*word).to_owned())).collect();
            joined(words?)
        }
        (ItemKind::Matching, Answer::Options { options }) => {
            joined(options.iter().enumerate().map(|(source, target)| format!("{source}[.]{target}")).collect())
        }
        (_, Answer::Options { options }) => joined(options.iter().map(u16::to_string).collect()),
        (ItemKind::Numeric { decimals }, Answer::Number { number }) => decimal(*number, decimals),
        (_, Answer::Number { number }) => number.to_string(),
        (_, Answer::Point { x, y }) => joined(vec![x.to_string(), y.to_string()]),
        (_, Answer::Text { text }) => text.0.clone(),
    })
}

/// A number in units of `10^-decimals`.
fn decimal(number: i64, decimals: u8) -> String {
    let digits = number.unsigned_abs().to_string();
    let decimals = usize::from(decimals);
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let sign = if number < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl Desk<'_> {
    fn checkpoint(&self, id: Seq) -> Json {
        let choices = ["fine", "unsure", "lost"].map(|mood| object([("id", mood.into())]));
        let mut definition = Object::default();
        definition.set("type", types::INTERACTION.into());
        definition.set("interactionType", "choice".into());
        definition.set("choices", list(choices));
        self.activity("checkpoint", id, definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_decimals() {
        for (number, decimals, text) in
            [(5, 0, "5"), (-5, 0, "-5"), (5, 2, "0.05"), (-1234, 2, "-12.34"), (i64::MIN, 0, "-9223372036854775808")]
        {
            assert_eq!(decimal(number, decimals), text);
        }
    }
}
