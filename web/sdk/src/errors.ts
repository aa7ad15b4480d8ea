/**
 * The errors a person in a classroom can meet. Each says in plain words what happened and what to do,
 * and whether trying the same again can help; showing it is the page's business.
 */

export type ErrorCode =
  /** The invite link is damaged or was not made by this server. */
  | "invite_invalid"
  /** The invite link was good once, its time is over. */
  | "invite_expired"
  | "name_invalid"
  /** The class has as many people as it may hold; somebody may leave. */
  | "room_full"
  /** The server is there but cannot take anybody at the moment. */
  | "unavailable"
  /** No answer from the server at all. */
  | "unreachable"
  /** The server answered something this SDK does not understand. */
  | "unexpected"
  /** The server took us in, and the connection for sound and video could not be made. */
  | "no_connection"
  /** Somebody in charge has not let us in, or removed us. */
  | "not_admitted"
  /** The class is over, or has moved to another window of ours. */
  | "class_over"
  /** The server took us for nobody it knows, or this makes no sense to it. */
  | "refused"
  | "unsupported_browser";

const retryable: ReadonlySet<ErrorCode> = new Set([
  "room_full",
  "unavailable",
  "unreachable",
  "unexpected",
  "no_connection",
]);

export class ClassroomError extends Error {
  override readonly name = "ClassroomError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return retryable.has(this.code);
  }
}
