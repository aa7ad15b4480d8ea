//! What people do in a class, each by what their page shows at that moment.

use super::World;
use lyceum_session::class::{
    Answer, Answers, BreakoutMode, ClassCommand, GroupPlan, HandIntent, LatePolicy, PolicyPatch, PollSpec,
    PublishDetail, Target, To,
};
use lyceum_session::{PersonId, Role, Seq, Text};
use serde_json::Value;

/// Something that a person does. Who may not, or sees nothing to do it with, is refused or does nothing.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Act {
    Drafts,
    Answers,
    Chats,
    WritesToStaff,
    WritesTo(PersonId),
    RaisesHand,
    LowersHand,
    Asks,
    Upvotes,
    Reacts,
    ChoosesGroup,
    GoesBack,
    AsksForHelp,
    LosesSocket { for_ms: u64 },
    SaysGoodbye,
    ComesIn,
    MakesPoll(Box<PollSpec>),
    OpensPoll,
    ClosesPoll { grace_ms: Option<u64> },
    PublishesPoll,
    AdmitsLate,
    PlansGroups { mode: BreakoutMode, groups: usize },
    OpensGroups { late_policy: LatePolicy },
    MovesSomebody,
    ClosesGroups,
    Visits,
    SetsRole { person: PersonId, role: Role },
    SetsPolicy(Box<PolicyPatch>),
    CallsHand,
    LetsEverybodyIn,
    MutesEverybody,
    EndsClass,
}

impl World {
    pub(super) fn acts(&mut self, index: usize, act: Act) {
        match act {
            Act::LosesSocket { for_ms } => return self.loses_screen(index, for_ms),
            Act::SaysGoodbye => return self.says_goodbye(index),
            Act::ComesIn => return self.enters(super::Page(index)),
            _ => {}
        }
        if !self.screens[index].wants_in {
            return;
        }
        if let Some((command, expect)) = self.means(index, act) {
            self.commands(index, command, expect);
        }
    }

    /// The command for an act, and the revision that it expects.
    fn means(&mut self, index: usize, act: Act) -> Option<(ClassCommand, Option<Seq>)> {
        let lot = self.rng.usize(..1_000);
        let screen = &self.screens[index];
        let of = |number: usize| lot % number.max(1);
        let text = |what: &str| Text(format!("{what} {} {}", screen.device, screen.commands_made));
        let groups = || -> Vec<String> {
            let groups = screen.sees("breakouts", "").map(|seen| seen["groups"].clone()).unwrap_or_default();
            groups.as_object().map(|groups| groups.keys().cloned().collect()).unwrap_or_default()
        };
        let people = || -> Vec<PersonId> { screen.sees_all("participants").map(|(id, _)| id.into()).collect() };
        let newest_poll =
            |status: &[&str]| screen.newest("polls", |poll| status.iter().any(|is| poll["status"] == *is));
        let command = match act {
            Act::LosesSocket { .. } | Act::SaysGoodbye | Act::ComesIn => return None,
            Act::Drafts => {
                let (poll, seen) = screen.newest("polls", is_asked)?;
                ClassCommand::PollSaveDraft { poll, answers: answers(seen, lot) }
            }
            Act::Answers => {
                let (poll, seen) = screen.newest("polls", is_asked)?;
                ClassCommand::PollRespond { poll, answers: answers(seen, lot) }
            }
            Act::Chats => ClassCommand::ChatSend { to: None, body: text("says"), reply_to: None },
            Act::WritesToStaff => {
                ClassCommand::ChatSend { to: Some(To::Staff), body: text("asks staff"), reply_to: None }
            }
            Act::WritesTo(person) => {
                ClassCommand::ChatSend { to: Some(To::Person { person }), body: text("whispers"), reply_to: None }
            }
            Act::RaisesHand => ClassCommand::HandRaise { intent: HandIntent::Question },
            Act::LowersHand => ClassCommand::HandLower {},
            Act::Asks => ClassCommand::QaAsk { body: text("wonders") },
            Act::Upvotes => {
                let (question, _) = screen.newest("questions", |_| true)?;
                ClassCommand::QaUpvote { question, up: lot.is_multiple_of(2) }
            }
            Act::Reacts => ClassCommand::ReactionSend { kind: "up".into() },
            Act::ChoosesGroup => {
                let groups = groups();
                ClassCommand::BreakoutsChoose { space: groups.get(of(groups.len()))?.as_str().into() }
            }
            Act::GoesBack => ClassCommand::BreakoutsReturn {},
            Act::AsksForHelp => ClassCommand::BreakoutsAskHelp {},
            Act::MakesPoll(spec) => ClassCommand::ActivityCreate { spec: *spec },
            Act::OpensPoll => {
                let (poll, _) = newest_poll(&["draft"])?;
                let groups = groups();
                let target = match groups.first() {
                    Some(space) if lot.is_multiple_of(4) => Target::Spaces { spaces: vec![space.as_str().into()] },
                    _ => Target::Session,
                };
                let duration_ms = lot.is_multiple_of(3).then_some(3_000);
                ClassCommand::PollOpen { poll, target, duration_ms }
            }
            Act::ClosesPoll { grace_ms } => {
                let (poll, seen) = newest_poll(&["open"])?;
                let rev = seen["rev"].as_u64().map(Seq);
                return Some((ClassCommand::PollClose { poll, grace_ms }, rev));
            }
            Act::PublishesPoll => {
                let (poll, _) = newest_poll(&["closed"])?;
                ClassCommand::PollPublish { poll, detail: PublishDetail::Aggregate, reveal: false }
            }
            Act::AdmitsLate => {
                let (poll, _) = newest_poll(&["closed"])?;
                let late = screen.sees_all("responses").filter_map(|(id, seen)| {
                    let (of, person) = id.split_once(':')?;
                    let is_late = seen["status"] == "late" || seen["status"] == "kept";
                    (is_late && of == poll.0.to_string()).then(|| person.into())
                });
                ClassCommand::PollAdmitLate { poll, persons: late.collect() }
            }
            Act::PlansGroups { mode, groups } => {
                let mut plans: Vec<GroupPlan> = (1..=groups)
                    .map(|number| GroupPlan {
                        space: format!("g{number}").as_str().into(),
                        title: String::new(),
                        capacity: if lot.is_multiple_of(2) { 0 } else { 30 },
                        persons: Vec::new(),
                    })
                    .collect();
                if mode == BreakoutMode::Manual {
                    for (place, person) in people().into_iter().enumerate() {
                        plans[(place + lot) % groups].persons.push(person);
                    }
                }
                let seed = lot as u64;
                return Some((ClassCommand::BreakoutsPlan { mode, groups: plans, seed }, screen.rev("breakouts", "")));
            }
            Act::OpensGroups { late_policy } => {
                let open = ClassCommand::BreakoutsOpen { closes_at: None, late_policy, allow_return: true };
                return Some((open, screen.rev("breakouts", "")));
            }
            Act::MovesSomebody => {
                let (groups, people) = (groups(), people());
                let to = groups.get(of(groups.len() + 1)).map_or("main", String::as_str).into();
                let moved = people.into_iter().enumerate().filter(|(place, _)| (place + lot).is_multiple_of(5));
                let persons = moved.map(|(_, person)| person).collect();
                return Some((ClassCommand::BreakoutsMove { persons, to }, screen.rev("breakouts", "")));
            }
            Act::ClosesGroups => {
                return Some((ClassCommand::BreakoutsClose { warn_s: 0 }, screen.rev("breakouts", "")));
            }
            Act::Visits => {
                let groups = groups();
                ClassCommand::BreakoutsVisit {
                    space: groups.get(of(groups.len() + 1)).map(|space| space.as_str().into()),
                }
            }
            Act::SetsRole { person, role } => {
                let rev = screen.rev("participants", &person.0)?;
                return Some((ClassCommand::ParticipantSetRole { person, role }, Some(rev)));
            }
            Act::SetsPolicy(patch) => {
                return Some((ClassCommand::PolicySet { patch: *patch }, screen.rev("session", "")));
            }
            Act::CallsHand => {
                let person = screen.sees_all("hands").map(|(id, _)| id).nth(of(3))?.into();
                ClassCommand::HandCall { person }
            }
            Act::LetsEverybodyIn => ClassCommand::LobbyAdmit { persons: Vec::new(), all: true },
            Act::MutesEverybody => ClassCommand::ParticipantMute { persons: Vec::new(), all_except: Some(Vec::new()) },
            Act::EndsClass => {
                let end = ClassCommand::SessionEnd { confirm: super::SESSION.into() };
                return Some((end, screen.rev("session", "")));
            }
        };
        Some((command, None))
    }
}

fn is_asked(poll: &Value) -> bool {
    poll["asked"] == true && (poll["status"] == "open" || poll["status"] == "closing")
}

fn answers(poll: &Value, lot: usize) -> Answers {
    let options = poll["spec"]["items"][0]["options"].as_array().map_or(1, Vec::len);
    let option = u16::try_from(lot % options.max(1)).unwrap_or(0);
    vec![Some(Answer::Options { options: vec![option] })]
}
