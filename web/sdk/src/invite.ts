/**
 * Invites: reading a link somebody pasted, and exchanging the invite for an access token at the server.
 * An invite travels in the fragment of a link, so that it never reaches a server log; only the server
 * can say whether it is genuine, and what is read from it here serves display alone.
 */
import { ClassroomError, type ErrorCode } from "./errors.js";

export type Role = "instructor" | "co_instructor" | "teaching_assistant" | "learner" | "observer";

const roles: readonly string[] = [
  "instructor",
  "co_instructor",
  "teaching_assistant",
  "learner",
  "observer",
] satisfies Role[];

export function asRole(value: unknown): Role | null {
  return typeof value === "string" && roles.includes(value) ? (value as Role) : null;
}

export interface InviteLink {
  /** Origin of the server the link leads to, such as `https://class.example.org`. */
  origin: string;
  room: string;
  invite: string;
}

/** Reads `https://host/c/{room}#{invite}`, also without the host; `null` if the text is no invite link. */
export function parseInviteLink(text: string, base: string): InviteLink | null {
  let url: URL;
  try {
    url = new URL(text.trim(), base);
  } catch {
    return null;
  }
  const room = roomOfPath(url.pathname);
  const invite = url.hash.slice(1);
  if (room === null || invite === "" || !/^https?:$/.test(url.protocol)) return null;
  return { origin: url.origin, room, invite };
}

/** The room in `/c/{room}`; `null` on every other path. */
export function roomOfPath(pathname: string): string | null {
  const match = /^\/c\/([^/]+)\/?$/.exec(pathname);
  if (match?.[1] === undefined) return null;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return null;
  }
}

export function inviteLink(origin: string, room: string, invite: string): string {
  return `${origin}/c/${encodeURIComponent(room)}#${invite}`;
}

/** What an invite claims about itself. Unverified: for words on the page, never for a decision. */
export interface InviteClaims {
  room: string | null;
  role: Role | null;
  expiresAtMs: number | null;
}

export function readInvite(invite: string): InviteClaims {
  const claims: InviteClaims = { room: null, role: null, expiresAtMs: null };
  const payload = decodeJwtPayload(invite);
  if (payload === null) return claims;
  if (typeof payload.exp === "number") claims.expiresAtMs = payload.exp * 1000;
  const lyceum = payload.lyceum;
  const inner = isRecord(lyceum) ? lyceum.invite : undefined;
  if (isRecord(inner)) {
    claims.room = typeof inner.room === "string" ? inner.room : null;
    claims.role = asRole(inner.role);
  }
  return claims;
}

/** What the server gives for an accepted invite: everything needed to be in the class. */
export interface Pass {
  room: string;
  identity: string;
  name: string;
  role: Role | null;
  /** LiveKit access token. A secret: it never belongs in a log or a link. */
  token: string;
  /** Where the media server is; `null` means the server that answered. */
  serverUrl: string | null;
  /** A fresh invite for learners, to hand on. */
  shareInvite: string;
}

export interface AcceptRequest {
  invite: string;
  name: string;
  /** The access token held earlier, even an expired one: brings back the same identity. */
  returning: string | null;
}

/** Longest wait for the server's answer, in milliseconds. */
const acceptTimeoutMs = 10_000;

export async function acceptInvite(
  apiUrl: string,
  request: AcceptRequest,
  fetchFn: typeof fetch = fetch,
): Promise<Pass> {
  const body: Record<string, string> = { invite: request.invite, name: request.name };
  if (request.returning !== null) body.returning = request.returning;

  let response: Response;
  try {
    response = await fetchFn(`${apiUrl}/api/v1/invites/accept`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(acceptTimeoutMs),
    });
  } catch (cause) {
    throw new ClassroomError(
      "unreachable",
      "We cannot reach the class. Check your network, then try again.",
      {
        cause,
      },
    );
  }

  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response.status, answer);
  const pass = asPass(answer);
  if (pass === null) {
    throw new ClassroomError(
      "unexpected",
      "The server answered in a way this page does not understand. Reload the page.",
    );
  }
  return pass;
}

const refusalCodes: readonly string[] = [
  "invite_invalid",
  "invite_expired",
  "name_invalid",
  "room_full",
  "unavailable",
] satisfies ErrorCode[];

function refusal(status: number, answer: unknown): ClassroomError {
  if (isRecord(answer) && typeof answer.code === "string" && typeof answer.message === "string") {
    const { code, message } = answer;
    if (refusalCodes.includes(code)) return new ClassroomError(code as ErrorCode, message);
    if (status >= 400 && status < 500 && status !== 429) return new ClassroomError("invite_invalid", message);
    return new ClassroomError("unavailable", message);
  }
  // A proxy in front of a server that is starting answers like this.
  return new ClassroomError(
    "unavailable",
    `The class cannot take people at the moment (status ${status}). Try again soon.`,
  );
}

function asPass(answer: unknown): Pass | null {
  if (!isRecord(answer)) return null;
  const { room, identity, name, role, token, server_url: serverUrl, share_invite: shareInvite } = answer;
  if (typeof room !== "string" || typeof identity !== "string" || typeof token !== "string") return null;
  return {
    room,
    identity,
    name: typeof name === "string" ? name : identity,
    role: asRole(role),
    token,
    serverUrl: typeof serverUrl === "string" ? serverUrl : null,
    shareInvite: typeof shareInvite === "string" ? shareInvite : "",
  };
}

function decodeJwtPayload(jwt: string): Record<string, unknown> | null {
  const payload = jwt.split(".")[1];
  if (payload === undefined) return null;
  try {
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
