//! What a poll, a quiz or a survey asks, what an answer may look like, how answers are counted and scored. Whole numbers
//! only; nothing here knows who may ask or when.

use crate::command::Reject;
use crate::event::Role;
use crate::ids::{PersonId, SpaceName, Text};
use serde::{Deserialize, Serialize};

/// What is asked, and by which rules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollSpec {
    /// What it is for.
    #[serde(default)]
    pub mode: PollMode,
    /// Its heading.
    #[serde(default)]
    pub title: Text,
    /// What is asked, in order.
    pub items: Vec<Item>,
    /// Who learns who answered what.
    #[serde(default)]
    pub anonymity: Anonymity,
    /// Whether people may change their answer while it is open; never if it is anonymous.
    #[serde(default = "yes")]
    pub allow_change: bool,
    /// Whether answers that come too late are kept for the teacher.
    #[serde(default = "yes")]
    pub keep_late: bool,
    /// How long answers are still taken after the close.
    #[serde(default = "grace")]
    pub grace_ms: u64,
    /// What happens at the close to answers that were not submitted.
    #[serde(default)]
    pub drafts: DraftPolicy,
    /// Whether counts are shown while it is open.
    #[serde(default)]
    pub live_results: bool,
    /// Whose answers are asked for.
    #[serde(default = "learners")]
    pub roles: Vec<Role>,
}

fn yes() -> bool {
    true
}

fn grace() -> u64 {
    5_000
}

fn learners() -> Vec<Role> {
    vec![Role::Learner]
}

/// What it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PollMode {
    #[default]
    Poll,
    Quiz,
    Survey,
}

/// Who learns who answered what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Anonymity {
    /// Staff, and everybody once names are published.
    #[default]
    Named,
    /// Staff.
    StaffNamed,
    /// Nobody: who answered and what was answered are never written down together.
    Anonymous,
}

/// What happens at the close to answers that were not submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DraftPolicy {
    /// Complete ones count; others are kept for the teacher.
    #[default]
    Submit,
    /// They are kept for the teacher.
    Keep,
    /// They are thrown away, and the log says whose.
    Discard,
}

/// One question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    /// What kind of answer it takes.
    #[serde(flatten)]
    pub kind: ItemKind,
    /// What is asked.
    pub text: Text,
    /// What can be chosen, put in order, or matched.
    #[serde(default)]
    pub options: Vec<Text>,
    /// The right answer. Learners never see it before it is revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Answer>,
    /// What the right answer is worth.
    #[serde(default)]
    pub points: u32,
}

/// What kind of answer a question takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum ItemKind {
    Single,
    Multi,
    TrueFalse,
    YesNo {
        /// Whether one may abstain: a third option.
        #[serde(default)]
        abstain: bool,
    },
    /// From the first number to the last.
    Scale {
        from: i32,
        to: i32,
    },
    /// A number in units of `10^-decimals`.
    Numeric {
        #[serde(default)]
        decimals: u8,
    },
    ShortText,
    LongText,
    Ordering,
    /// Option `n` of the first half belongs to one of the second half.
    Matching,
    /// A point of a picture, in thousandths of its width and height.
    Hotspot,
}

/// An answer to one question.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum Answer {
    /// Which options: one, a set in order, or an order.
    Options { options: Vec<u16> },
    /// A number.
    Number { number: i64 },
    /// Words.
    Text { text: Text },
    /// A point.
    Point { x: u16, y: u16 },
}

/// Answers to all questions, in their order; `None` where there is none.
pub type Answers = Vec<Option<Answer>>;

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(missing_docs)]
pub enum Target {
    /// Everybody.
    #[default]
    Session,
    /// Who is placed in these Spaces.
    Spaces { spaces: Vec<SpaceName> },
    /// These.
    Persons { persons: Vec<PersonId> },
}

/// What is shown of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PublishDetail {
    /// Counts.
    #[default]
    Aggregate,
    /// Who answered what; never of a poll that hides it.
    Names,
}

/// How many people chose what: for each question, for each of its options. Questions without options count who answered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tally {
    /// People counted.
    pub people: u32,
    /// By question and option.
    pub items: Vec<Vec<u32>>,
}

const MOST_ITEMS: usize = 100;
const MOST_OPTIONS: usize = 100;
const TEXT_BYTES: usize = 4_000;
const ANSWER_BYTES: usize = 20_000;
const LONGEST_GRACE_MS: u64 = 600_000;

impl PollSpec {
    pub(super) fn check(&self) -> Result<(), Reject> {
        if self.items.is_empty() || self.items.len() > MOST_ITEMS {
            return Err(Reject::Limit("a poll has 1 to 100 questions"));
        }
        if self.title.0.len() > TEXT_BYTES || self.grace_ms > LONGEST_GRACE_MS || self.roles.is_empty() {
            return Err(Reject::Invalid("the title or the grace is too long, or nobody's role is asked"));
        }
        self.items.iter().try_for_each(Item::check)
    }

    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut Text> {
        let items = self.items.iter_mut().flat_map(|item| {
            let key = match &mut item.key {
                Some(Answer::Text { text }) => Some(text),
                _ => None,
            };
            std::iter::once(&mut item.text).chain(&mut item.options).chain(key)
        });
        std::iter::once(&mut self.title).chain(items)
    }

    /// The same without the right answers.
    pub(super) fn without_keys(&self) -> Self {
        let items = self.items.iter().map(|item| Item { key: None, ..item.clone() }).collect();
        Self { items, ..self.clone() }
    }

    /// Answers that fit the questions, in their one form; at least one of them must be there.
    pub(super) fn check_answers(&self, answers: &Answers, complete: bool) -> Result<Answers, Reject> {
        if answers.len() != self.items.len() {
            return Err(Reject::Invalid("there must be one answer for each question, or null"));
        }
        if answers.iter().all(Option::is_none) {
            return Err(Reject::Invalid("nothing is answered"));
        }
        let mut checked = Vec::with_capacity(answers.len());
        for (item, answer) in self.items.iter().zip(answers) {
            checked.push(answer.as_ref().map(|answer| item.check_answer(answer)).transpose()?);
        }
        if complete && self.mode == PollMode::Poll && checked.iter().any(Option::is_none) {
            return Err(Reject::Invalid("a poll's questions are all answered at once"));
        }
        Ok(checked)
    }

    pub(super) fn is_complete(&self, answers: &Answers) -> bool {
        answers.len() == self.items.len() && answers.iter().all(Option::is_some)
    }

    /// Counts people, not options and not devices.
    pub(super) fn tally<'a>(&self, responses: impl Iterator<Item = &'a Answers>) -> Tally {
        let mut tally = Tally { people: 0, items: self.items.iter().map(|item| vec![0; item.columns()]).collect() };
        for answers in responses {
            tally.people += 1;
            for ((item, answer), counts) in self.items.iter().zip(answers).zip(&mut tally.items) {
                for column in answer.iter().flat_map(|answer| item.columns_of(answer)) {
                    if let Some(count) = counts.get_mut(column) {
                        *count += 1;
                    }
                }
            }
        }
        tally
    }

    /// Points for each question that has a right answer; `None` where somebody must read it.
    pub(super) fn score(&self, answers: &Answers) -> Vec<Option<u32>> {
        let scored = self.items.iter().zip(answers).map(|(item, answer)| {
            let key = item.key.as_ref()?;
            if matches!(item.kind, ItemKind::LongText | ItemKind::Hotspot) {
                return None;
            }
            Some(if answer.as_ref().is_some_and(|answer| item.is_right(answer, key)) { item.points } else { 0 })
        });
        scored.collect()
    }
}

impl Item {
    fn check(&self) -> Result<(), Reject> {
        let texts = std::iter::once(&self.text).chain(&self.options);
        if texts.into_iter().any(|text| text.0.len() > TEXT_BYTES) || self.options.len() > MOST_OPTIONS {
            return Err(Reject::Limit("a question's texts are too long, or it has too many options"));
        }
        let fits = match self.kind {
            ItemKind::Single | ItemKind::Multi | ItemKind::Ordering => self.options.len() >= 2,
            ItemKind::Matching => self.options.len() >= 2 && self.options.len().is_multiple_of(2),
            ItemKind::Scale { from, to } => from < to && i64::from(to) - i64::from(from) <= 100,
            ItemKind::Numeric { decimals } => decimals <= 9,
            ItemKind::TrueFalse | ItemKind::YesNo { .. } => {
                self.options.is_empty() || self.options.len() == self.choices()
            }
            ItemKind::ShortText | ItemKind::LongText | ItemKind::Hotspot => self.options.is_empty(),
        };
        if !fits {
            return Err(Reject::Invalid("a question's options do not fit its kind"));
        }
        self.key.as_ref().map_or(Ok(()), |key| self.check_answer(key).map(|_| ()))
    }

    /// How many options there are to choose from.
    fn choices(&self) -> usize {
        match self.kind {
            ItemKind::TrueFalse => 2,
            ItemKind::YesNo { abstain } => 2 + usize::from(abstain),
            ItemKind::Matching => self.options.len() / 2,
            _ => self.options.len(),
        }
    }

    fn columns(&self) -> usize {
        match self.kind {
            ItemKind::Single | ItemKind::Multi | ItemKind::TrueFalse | ItemKind::YesNo { .. } => self.choices(),
            ItemKind::Scale { from, to } => usize::try_from(i64::from(to) - i64::from(from) + 1).unwrap_or(1),
            _ => 1,
        }
    }

    fn columns_of(&self, answer: &Answer) -> Vec<usize> {
        match (&self.kind, answer) {
            (
                ItemKind::Single | ItemKind::Multi | ItemKind::TrueFalse | ItemKind::YesNo { .. },
                Answer::Options { options },
            ) => options.iter().map(|option| usize::from(*option)).collect(),
            (ItemKind::Scale { from, .. }, Answer::Number { number }) => number
                .checked_sub(i64::from(*from))
                .and_then(|column| usize::try_from(column).ok())
                .into_iter()
                .collect(),
            _ => vec![0],
        }
    }

    fn check_answer(&self, answer: &Answer) -> Result<Answer, Reject> {
        const UNFIT: Reject = Reject::Invalid("an answer does not fit its question");
        let choices = self.choices();
        match (&self.kind, answer) {
            (ItemKind::Single | ItemKind::TrueFalse | ItemKind::YesNo { .. }, Answer::Options { options }) => {
                match options[..] {
                    [option] if usize::from(option) < choices => Ok(answer.clone()),
                    _ => Err(UNFIT),
                }
            }
            (ItemKind::Multi, Answer::Options { options }) => {
                let set: std::collections::BTreeSet<u16> = options.iter().copied().collect();
                let fits = set.len() == options.len() && set.iter().all(|option| usize::from(*option) < choices);
                if fits { Ok(Answer::Options { options: set.into_iter().collect() }) } else { Err(UNFIT) }
            }
            (ItemKind::Ordering | ItemKind::Matching, Answer::Options { options }) => {
                let mut each = options.clone();
                each.sort_unstable();
                let is_each_once = each.iter().enumerate().all(|(at, option)| usize::from(*option) == at);
                if is_each_once && each.len() == choices { Ok(answer.clone()) } else { Err(UNFIT) }
            }
            (ItemKind::Scale { from, to }, Answer::Number { number })
                if (i64::from(*from)..=i64::from(*to)).contains(number) =>
            {
                Ok(answer.clone())
            }
            (ItemKind::Numeric { .. }, Answer::Number { .. }) => Ok(answer.clone()),
            (ItemKind::ShortText, Answer::Text { text }) if text.0.len() <= 500 => Ok(answer.clone()),
            (ItemKind::LongText, Answer::Text { text }) if text.0.len() <= ANSWER_BYTES => Ok(answer.clone()),
            (ItemKind::Hotspot, Answer::Point { x, y }) if *x <= 1_000 && *y <= 1_000 => Ok(answer.clone()),
            _ => Err(UNFIT),
        }
    }

    /// Whether an answer is the right one; `None` if there is none, or somebody must read it.
    pub fn judges(&self, answer: &Answer) -> Option<bool> {
        let key = self.key.as_ref()?;
        let is_for_people = matches!(self.kind, ItemKind::LongText | ItemKind::Hotspot);
        (!is_for_people).then(|| self.is_right(answer, key))
    }

    fn is_right(&self, answer: &Answer, key: &Answer) -> bool {
        match (answer, key) {
            (Answer::Text { text }, Answer::Text { text: key }) => {
                text.0.trim().to_lowercase() == key.0.trim().to_lowercase()
            }
            _ => answer == key,
        }
    }
}
