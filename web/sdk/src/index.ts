/**
 * Headless client of a Lyceum classroom: join by invite, watch one immutable state, act. It knows no user interface;
 * the class page of Lyceum is one user of it, yours may be another.
 */
export {
  Classroom,
  type ClassroomOptions,
  type ClassroomState,
  type Connection,
  type EndReason,
  type JoinOptions,
  type Me,
} from "./classroom.js";
export {
  canShareScreen,
  listDevices,
  mediaDevices,
  noDevices,
  watchDevices,
  type DeviceChoice,
  type DeviceChoices,
  type DeviceKind,
  type DeviceProblem,
  type DeviceProblemCode,
} from "./devices.js";
export { ClassroomError, type ErrorCode } from "./errors.js";
export {
  acceptInvite,
  inviteLink,
  parseInviteLink,
  readInvite,
  roomOfPath,
  type InviteClaims,
  type InviteLink,
  type Pass,
  type Role,
} from "./invite.js";
export { measureLoudness, type LoudnessMeter } from "./meter.js";
export type { OwnDeviceState } from "./own-device.js";
export type { MicrophoneState, Network, Person, Picture, Presence } from "./people.js";
export {
  StateConnection,
  StateEnded,
  type CommandArguments,
  type CommandOptions,
  type Socket,
  type StateCounters,
  type StateOptions,
  type StateStatus,
} from "./state/connection.js";
export type { Answers } from "./state/drafts.js";
export type { Accepted, LocalCode, Outcome, Pending, Rejected } from "./state/outbox.js";
export { Store, type Collection, type EntityChange } from "./state/store.js";
export type { ByeCode, ClassEvent, CollectionName, CommandType, FactType, Signal } from "./state/wire.js";
/** Commands, facts and entities, generated from the server's types; `Class.Role` is wider than `Role` of invites. */
export type * as Class from "./generated/class.js";
