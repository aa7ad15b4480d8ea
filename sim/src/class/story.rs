//! A seed's own story: a class comes together, storms pass over it, and it ends. In small worlds chance has the storms fall into
//! one another; a large class goes through each of them.

use super::{Act, Page, World};
use livekit_protocol::TrackSource;
use lyceum_node::Limits;
use lyceum_session::class::{
    Anonymity, BreakoutMode, Cap, Caps, ChatMode, Devices, DraftPolicy, Item, ItemKind, LatePolicy, LobbyMode,
    PolicyPatch, PollMode, PollSpec, Unattended,
};
use lyceum_session::{PersonId, Role};

/// A class in the making: who is in it, and the lots that are drawn.
struct Story {
    world: World,
    rng: fastrand::Rng,
    teacher: Page,
    helper: Page,
    learners: Vec<Page>,
    tabs: Vec<usize>,
    groups: usize,
}

/// Runs a small world of a seed to its end and returns it.
pub fn small(seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0xc1a5);
    let mut limits = Limits::standard();
    if rng.u8(0..5) == 0 {
        limits.outstanding_events = 24;
    }
    let learners = rng.usize(4..13);
    let mut story = Story::of(seed, rng, limits, learners, 3);
    if story.rng.u8(0..4) == 0 {
        story.world.slows_disk_to(1..600);
    }
    story.comes_together(2_000);
    for _ in 0..story.rng.usize(2..5) {
        for _ in 0..story.rng.usize(1..4) {
            story.has_a_storm();
        }
        story.is_noisy(10, 4_000);
        if story.rng.u8(0..3) == 0 {
            story.has_a_fault(4_000);
        }
        let for_ms = story.rng.u64(1_000..9_000);
        story.world.runs_for(for_ms);
        if story.rng.bool() {
            story.world.settles();
        }
    }
    story.ends()
}

/// Runs a class of so many in so many groups through every storm, and returns its world.
pub fn full(seed: u64, learners: usize, groups: usize) -> World {
    let rng = fastrand::Rng::with_seed(seed ^ 0xf011);
    let mut story = Story::of(seed, rng, Limits::standard(), learners, groups);
    story.comes_together(3_000);
    story.world.settles();
    story.draws_up_groups(BreakoutMode::Random);
    story.answers_a_poll(2_000);
    story.world.runs_for(1_000);
    story.reconnects(2, 1_500);
    story.is_noisy(learners / 2, 2_000);
    story.world.runs_for(1_200);
    story.world.is_killed(1_500);
    story.world.settles();
    story.moves_people();
    story.has_other_roles();
    story.answers_a_poll(1_500);
    story.reconnects(2, 1_000);
    story.world.runs_for(2_500);
    story.closes_groups();
    story.is_noisy(learners / 2, 1_000);
    story.world.settles();
    story.ends()
}

impl Story {
    fn of(seed: u64, rng: fastrand::Rng, limits: Limits, learners: usize, groups: usize) -> Self {
        let mut world = World::new(seed, limits);
        let teacher = world.page("teacher", Role::Instructor);
        let helper = world.page("helper", Role::TeachingAssistant);
        let mut pages: Vec<Page> =
            (1..=learners).map(|number| world.page(&format!("l{number}"), Role::Learner)).collect();
        // One has a second device.
        pages.push(world.page("l1", Role::Learner));
        let tabs = ["teacher", "l1", "l2"].map(|person| world.media_tab(person)).to_vec();
        Self { world, rng, teacher, helper, learners: pages, tabs, groups }
    }

    fn comes_together(&mut self, within_ms: u64) {
        self.world.enters(self.teacher);
        let others: Vec<Page> = self.learners.iter().copied().chain([self.helper]).collect();
        for page in others {
            self.soon(within_ms, page, Act::ComesIn);
        }
        self.world.runs_for(200);
        for tab in self.tabs.clone() {
            self.world.joins(tab);
            self.world.publishes(tab, TrackSource::Microphone);
        }
        self.world.runs_for(within_ms);
    }

    /// Sometime from now on.
    fn soon(&mut self, within_ms: u64, page: Page, act: Act) {
        let after_ms = self.rng.u64(1..within_ms);
        self.world.soon(after_ms, page, act);
    }

    fn somebody(&mut self) -> Page {
        self.learners[self.rng.usize(..self.learners.len())]
    }

    fn person(&mut self) -> PersonId {
        let page = self.somebody();
        self.world.screen(page).person.clone()
    }

    fn has_a_storm(&mut self) {
        match self.rng.u8(0..10) {
            0..3 => self.answers_a_poll(2_500),
            3..5 => {
                let for_ms = self.rng.u64(1..6_000);
                self.reconnects(2, for_ms);
            }
            5..7 => {
                let modes =
                    [BreakoutMode::Random, BreakoutMode::Manual, BreakoutMode::SelfSelect, BreakoutMode::Balanced];
                let mode = modes[self.rng.usize(..modes.len())];
                self.draws_up_groups(mode);
                self.moves_people();
            }
            7 => self.closes_groups(),
            8 => self.has_other_roles(),
            _ => self.has_other_rules(),
        }
    }

    /// A poll is made, opened and closed while everybody drafts and answers, some again, some too late.
    fn answers_a_poll(&mut self, within_ms: u64) {
        let spec = self.spec();
        self.world.soon(1, self.teacher, Act::MakesPoll(Box::new(spec)));
        self.world.soon(300, self.teacher, Act::OpensPoll);
        for page in self.learners.clone() {
            for _ in 0..self.rng.usize(0..3) {
                let after_ms = self.rng.u64(400..within_ms);
                self.world.soon(after_ms, page, Act::Drafts);
            }
            for _ in 0..self.rng.usize(0..3) {
                let after_ms = self.rng.u64(400..within_ms + 300);
                self.world.soon(after_ms, page, Act::Answers);
            }
        }
        let grace_ms = [None, Some(0), Some(500)][self.rng.usize(..3)];
        self.world.soon(within_ms - within_ms / 8, self.teacher, Act::ClosesPoll { grace_ms });
        self.world.soon(within_ms + 2_000, self.teacher, Act::AdmitsLate);
        self.world.soon(within_ms + 2_500, self.teacher, Act::PublishesPoll);
    }

    fn spec(&mut self) -> PollSpec {
        let options = (0..self.rng.usize(2..5)).map(|number| format!("option {number}").as_str().into());
        let (text, options) = ("which?".into(), options.collect());
        let item = Item { kind: ItemKind::Single, text, options, key: None, points: 0 };
        let policies = [DraftPolicy::Submit, DraftPolicy::Keep, DraftPolicy::Discard];
        let names = [Anonymity::Named, Anonymity::StaffNamed, Anonymity::Anonymous];
        PollSpec {
            mode: PollMode::Poll,
            title: "a poll".into(),
            items: vec![item],
            anonymity: names[self.rng.usize(..names.len())],
            allow_change: self.rng.bool(),
            keep_late: self.rng.bool(),
            grace_ms: self.rng.u64(0..1_500),
            drafts: policies[self.rng.usize(..policies.len())],
            live_results: self.rng.bool(),
            roles: vec![Role::Learner],
        }
    }

    /// One in so many loses the server and comes back; media sometimes too.
    fn reconnects(&mut self, one_in: usize, for_ms: u64) {
        for page in self.learners.clone() {
            if self.rng.usize(..one_in) == 0 {
                let for_ms = self.rng.u64(0..for_ms + 1);
                self.soon(500, page, Act::LosesSocket { for_ms });
            }
        }
        if self.rng.u8(0..4) == 0 {
            self.soon(500, self.teacher, Act::LosesSocket { for_ms });
            self.soon(500, self.helper, Act::LosesSocket { for_ms });
        }
        for tab in self.tabs.clone() {
            if self.rng.bool() {
                self.world.loses_tab(tab, for_ms);
            }
        }
    }

    fn draws_up_groups(&mut self, mode: BreakoutMode) {
        let groups = self.groups;
        self.world.soon(1, self.teacher, Act::PlansGroups { mode, groups });
        let policies = [LatePolicy::HoldMain, LatePolicy::LeastFull, LatePolicy::SelfSelect];
        let late_policy = policies[self.rng.usize(..policies.len())];
        self.world.soon(300, self.teacher, Act::OpensGroups { late_policy });
    }

    fn moves_people(&mut self) {
        for _ in 0..3 {
            self.soon(3_000, self.teacher, Act::MovesSomebody);
            self.soon(3_000, self.helper, Act::Visits);
        }
        for page in self.learners.clone() {
            let act = match self.rng.u8(0..6) {
                0 => Act::GoesBack,
                1 | 2 => Act::ChoosesGroup,
                3 => Act::AsksForHelp,
                _ => continue,
            };
            self.soon(3_000, page, act);
        }
    }

    fn closes_groups(&mut self) {
        self.soon(2_000, self.teacher, Act::ClosesGroups);
    }

    fn has_other_roles(&mut self) {
        for _ in 0..3 {
            let person = self.person();
            let roles = [Role::Observer, Role::CoInstructor, Role::TeachingAssistant, Role::Learner];
            let role = roles[self.rng.usize(..roles.len())];
            self.soon(2_000, self.teacher, Act::SetsRole { person: person.clone(), role });
            self.world.soon(3_000, self.teacher, Act::SetsRole { person, role: Role::Learner });
        }
    }

    fn has_other_rules(&mut self) {
        let mut patch = PolicyPatch::default();
        match self.rng.u8(0..6) {
            0 => patch.hide_roster = Some(self.rng.bool()),
            1 => patch.chat = Some(if self.rng.bool() { ChatMode::Moderated } else { ChatMode::Open }),
            2 => patch.locks = Some(if self.rng.bool() { Caps::of(&[Cap::ChatSend]) } else { Caps::NONE }),
            3 => {
                patch.unattended = Some(if self.rng.bool() { Unattended::Lock } else { Unattended::Continue });
                patch.unattended_grace_ms = Some(self.rng.u64(1..2_000));
            }
            4 => patch.devices = Some(if self.rng.bool() { Devices::Takeover } else { Devices::Multi }),
            _ => patch.lobby = Some(if self.rng.bool() { LobbyMode::Ask } else { LobbyMode::Open }),
        }
        self.soon(1_000, self.teacher, Act::SetsPolicy(Box::new(patch)));
        self.soon(6_000, self.helper, Act::LetsEverybodyIn);
    }

    /// People say things, raise hands, go home and come again.
    fn is_noisy(&mut self, acts: usize, within_ms: u64) {
        for _ in 0..acts {
            let (page, person) = (self.somebody(), self.person());
            let act = match self.rng.u8(0..20) {
                0..5 => Act::Chats,
                5 => Act::WritesToStaff,
                6 => Act::WritesTo(person),
                7..10 => Act::RaisesHand,
                10 => Act::LowersHand,
                11 => Act::Asks,
                12 => Act::Upvotes,
                13..15 => Act::Reacts,
                15 => {
                    let after_ms = self.rng.u64(within_ms..within_ms + 20_000);
                    self.world.soon(after_ms, page, Act::ComesIn);
                    Act::SaysGoodbye
                }
                16 => Act::LosesSocket { for_ms: self.rng.u64(0..8_000) },
                17 => {
                    self.soon(within_ms, self.teacher, Act::CallsHand);
                    continue;
                }
                18 => {
                    self.soon(within_ms, self.teacher, Act::MutesEverybody);
                    continue;
                }
                _ => {
                    self.soon(within_ms, self.helper, Act::Chats);
                    continue;
                }
            };
            self.soon(within_ms, page, act);
        }
    }

    /// After a while something happens to the server.
    fn has_a_fault(&mut self, within_ms: u64) {
        let after_ms = self.rng.u64(1..within_ms);
        self.world.runs_for(after_ms);
        let for_ms = self.rng.u64(1..4_000);
        match self.rng.u8(0..4) {
            0 => self.world.shuts_down(for_ms),
            1 => self.world.store_fails(),
            _ => self.world.is_killed(for_ms),
        }
    }

    /// The teacher ends the class, and everything adds up.
    fn ends(mut self) -> World {
        self.world.settles();
        self.world.soon(1, self.teacher, Act::EndsClass);
        self.world.runs_for(40_000);
        assert!(self.world.class().ended, "a class that was ended goes on");
        self.world.adds_up();
        self.world
    }
}
