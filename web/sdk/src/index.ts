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
export * from "./state/index.js";
