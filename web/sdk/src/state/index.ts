/** The state of a class without any media: what `@lyceum/sdk/state` is, for programs that neither see nor hear. */
export {
  StateConnection,
  StateEnded,
  type CommandArguments,
  type CommandOptions,
  type DocumentLine,
  type DocumentListener,
  type Socket,
  type StateCounters,
  type StateOptions,
  type StateStatus,
} from "./connection.js";
export { ServerClock } from "./clock.js";
export type { Answers } from "./drafts.js";
export type { Accepted, LocalCode, Outcome, Pending, Rejected } from "./outbox.js";
export { Store, type Collection, type EntityChange } from "./store.js";
export type {
  ByeCode,
  ClassEvent,
  CollectionName,
  CommandType,
  DocClosed,
  DocPulse,
  FactType,
  Signal,
} from "./wire.js";
/** Commands, facts and entities, generated from the server's types. `Class.Role` has more roles than those of invites. */
export type * as Class from "../generated/class.js";
