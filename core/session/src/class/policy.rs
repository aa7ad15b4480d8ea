//! What the room allows everybody, whoever comes later included.

use super::Caps;
use crate::command::Reject;
use serde::{Deserialize, Serialize};

/// What the room allows, and how long it waits. All durations in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClassPolicy {
    /// Who waits before they are let in.
    pub lobby: LobbyMode,
    /// People who are not staff begin with their microphone muted.
    pub mute_on_join: bool,
    /// What nobody but staff may do, whatever their role says.
    pub locks: Caps,
    /// Whether messages wait for a moderator.
    pub chat: ChatMode,
    /// Who may write to whom alone.
    pub direct_messages: DirectMessages,
    /// Whether questions wait for a moderator.
    pub qa_moderated: bool,
    /// Learners see themselves and staff only.
    pub hide_roster: bool,
    /// What happens to a class without staff.
    pub unattended: Unattended,
    /// How long a class may be without staff.
    pub unattended_grace_ms: u64,
    /// How long a presenter's place is kept after their connection was lost.
    pub presenter_grace_ms: u64,
    /// Who presents after that.
    pub presenter_fallback: Fallback,
    /// How long an announced end can be taken back.
    pub end_undo_ms: u64,
    /// How long authors may change what they wrote.
    pub chat_edit_window_ms: u64,
    /// How long somebody who was called may speak.
    pub floor_ms: u64,
    /// How long somebody who waits may be without a connection.
    pub lobby_grace_ms: u64,
    /// With how many devices a person may be here.
    #[serde(default)]
    pub devices: Devices,
}

impl Default for ClassPolicy {
    fn default() -> Self {
        Self {
            lobby: LobbyMode::Open,
            mute_on_join: false,
            locks: Caps::NONE,
            chat: ChatMode::Open,
            direct_messages: DirectMessages::All,
            qa_moderated: false,
            hide_roster: false,
            unattended: Unattended::Continue,
            unattended_grace_ms: 120_000,
            presenter_grace_ms: 20_000,
            presenter_fallback: Fallback::CoInstructor,
            end_undo_ms: 30_000,
            chat_edit_window_ms: 900_000,
            floor_ms: 120_000,
            lobby_grace_ms: 60_000,
            devices: Devices::Multi,
        }
    }
}

/// Who waits before they are let in. Staff never does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LobbyMode {
    /// Nobody.
    Open,
    /// Everybody.
    Ask,
}

/// Whether messages wait for a moderator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChatMode {
    /// They do not.
    Open,
    /// Those of people who do not moderate do.
    Moderated,
}

/// Who may write to whom alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DirectMessages {
    /// Nobody to nobody.
    Off,
    /// Only from or to staff.
    Staff,
    /// Everybody to everybody.
    All,
}

/// What happens to a class without staff.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unattended {
    /// Nothing.
    Continue,
    /// Chat, media and boards are locked until staff is back.
    Lock,
    /// It ends this long after the grace.
    EndAfter {
        /// Milliseconds.
        ms: u64,
    },
}

/// Who presents when the presenter is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// Somebody who leads the class and is connected, if there is anybody.
    CoInstructor,
    /// Nobody.
    Nobody,
}

/// With how many devices a person may be here. Media is on one at a time whatever it says: the newest, or, with `reject_new`, the
/// oldest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// With several, as far as they are not too many.
    #[default]
    Multi,
    /// With one; a new one takes the place of the old one.
    Takeover,
    /// With one; a new one is refused while the old one is connected.
    RejectNew,
}

/// A change of policy: what is left out stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[allow(missing_docs)]
pub struct PolicyPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lobby: Option<LobbyMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mute_on_join: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locks: Option<Caps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_messages: Option<DirectMessages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qa_moderated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hide_roster: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unattended: Option<Unattended>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unattended_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presenter_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presenter_fallback: Option<Fallback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_undo_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_edit_window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lobby_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Devices>,
}

/// Longest wait that a policy may ask for: a day.
const LONGEST_WAIT_MS: u64 = 86_400_000;

impl PolicyPatch {
    pub(super) fn over(&self, old: &ClassPolicy) -> Result<ClassPolicy, Reject> {
        let waits = [
            self.unattended_grace_ms,
            self.presenter_grace_ms,
            self.end_undo_ms,
            self.chat_edit_window_ms,
            self.floor_ms,
            self.lobby_grace_ms,
            match self.unattended {
                Some(Unattended::EndAfter { ms }) => Some(ms),
                _ => None,
            },
        ];
        if waits.into_iter().flatten().any(|ms| ms > LONGEST_WAIT_MS) {
            return Err(Reject::Invalid("no wait of a policy is longer than a day"));
        }
        Ok(ClassPolicy {
            lobby: self.lobby.unwrap_or(old.lobby),
            mute_on_join: self.mute_on_join.unwrap_or(old.mute_on_join),
            locks: self.locks.unwrap_or(old.locks),
            chat: self.chat.unwrap_or(old.chat),
            direct_messages: self.direct_messages.unwrap_or(old.direct_messages),
            qa_moderated: self.qa_moderated.unwrap_or(old.qa_moderated),
            hide_roster: self.hide_roster.unwrap_or(old.hide_roster),
            unattended: self.unattended.unwrap_or(old.unattended),
            unattended_grace_ms: self.unattended_grace_ms.unwrap_or(old.unattended_grace_ms),
            presenter_grace_ms: self.presenter_grace_ms.unwrap_or(old.presenter_grace_ms),
            presenter_fallback: self.presenter_fallback.unwrap_or(old.presenter_fallback),
            end_undo_ms: self.end_undo_ms.unwrap_or(old.end_undo_ms),
            chat_edit_window_ms: self.chat_edit_window_ms.unwrap_or(old.chat_edit_window_ms),
            floor_ms: self.floor_ms.unwrap_or(old.floor_ms),
            lobby_grace_ms: self.lobby_grace_ms.unwrap_or(old.lobby_grace_ms),
            devices: self.devices.unwrap_or(old.devices),
        })
    }
}
