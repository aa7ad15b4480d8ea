import { describe, expect, it } from "vitest";
import { ClassroomError } from "./errors.js";
import { acceptInvite, inviteLink, parseInviteLink, readInvite, roomOfPath } from "./invite.js";

const origin = "https://class.example.org";

/** An unsigned invite as the server would make it. */
function inviteOf(claims: unknown): string {
  const part = (value: unknown) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  return `${part({ alg: "HS256" })}.${part(claims)}.signature`;
}

function answering(status: number, body: unknown): { fetch: typeof fetch; asked: Request[] } {
  const asked: Request[] = [];
  const answer: typeof fetch = (input, init) => {
    asked.push(new Request(input, init));
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return Promise.resolve(new Response(text, { status }));
  };
  return { fetch: answer, asked };
}

async function refusalOf(status: number, body: unknown): Promise<ClassroomError> {
  const server = answering(status, body);
  const error: unknown = await acceptInvite(
    origin,
    { invite: "i", name: "Amara", returning: null },
    server.fetch,
  ).catch((thrown: unknown) => thrown);
  if (!(error instanceof ClassroomError)) throw new Error(`expected a ClassroomError, got ${String(error)}`);
  return error;
}

describe("an invite link", () => {
  it("is read with and without its host", () => {
    expect(parseInviteLink("https://class.example.org/c/physics#abc.def.ghi", "http://other")).toEqual({
      origin,
      room: "physics",
      invite: "abc.def.ghi",
    });
    expect(parseInviteLink(" /c/physics#abc ", origin)).toEqual({ origin, room: "physics", invite: "abc" });
  });

  it("keeps the name of a class in any script", () => {
    const link = inviteLink(origin, "Física 10/ق", "abc");
    expect(parseInviteLink(link, origin)?.room).toBe("Física 10/ق");
  });

  it.each([
    "",
    "hello",
    "https://class.example.org/c/physics",
    "https://class.example.org/#abc",
    "javascript:/c/a#b",
    "/c/%E0%A4%A#x",
  ])("is not %j", (text) => {
    expect(parseInviteLink(text, origin)).toBeNull();
  });

  it("has its room in the path alone", () => {
    expect(roomOfPath("/c/a%20b")).toBe("a b");
    expect(roomOfPath("/c/a/b")).toBeNull();
    expect(roomOfPath("/")).toBeNull();
  });
});

describe("what an invite says of itself", () => {
  it("is its room, role and end", () => {
    const invite = inviteOf({
      exp: 1_700_000_000,
      lyceum: { invite: { room: "Física", role: "instructor" } },
    });
    expect(readInvite(invite)).toEqual({
      room: "Física",
      role: "instructor",
      expiresAtMs: 1_700_000_000_000,
    });
  });

  it.each([
    "",
    "a.b.c",
    "a.!!.c",
    inviteOf(null),
    inviteOf([1]),
    inviteOf({ lyceum: 3 }),
    inviteOf({ lyceum: { invite: { role: "king" } } }),
  ])("is nothing for %j", (invite) => {
    expect(readInvite(invite)).toEqual({ room: null, role: null, expiresAtMs: null });
  });
});

describe("accepting an invite", () => {
  const granted = {
    room: "physics",
    identity: "amara-1",
    name: "Amara",
    role: "learner",
    token: "t.t.t",
    server_url: null,
    share_invite: "s.s.s",
  };

  it("gives a pass", async () => {
    const server = answering(200, granted);
    const pass = await acceptInvite(origin, { invite: "i", name: "Amara", returning: null }, server.fetch);
    expect(pass).toEqual({
      room: "physics",
      identity: "amara-1",
      name: "Amara",
      role: "learner",
      token: "t.t.t",
      serverUrl: null,
      shareInvite: "s.s.s",
    });
    expect(server.asked[0]?.url).toBe(`${origin}/api/v1/invites/accept`);
    expect(await server.asked[0]?.json()).toEqual({ invite: "i", name: "Amara" });
  });

  it("shows the earlier token of somebody who returns", async () => {
    const server = answering(200, granted);
    await acceptInvite(origin, { invite: "i", name: "Amara", returning: "old" }, server.fetch);
    expect(await server.asked[0]?.json()).toEqual({ invite: "i", name: "Amara", returning: "old" });
  });

  it("passes on the server's own words", async () => {
    const error = await refusalOf(401, {
      code: "invite_expired",
      message: "This invite ended. Ask for a new one.",
    });
    expect(error.code).toBe("invite_expired");
    expect(error.message).toBe("This invite ended. Ask for a new one.");
    expect(error.retryable).toBe(false);
  });

  it("is worth another try when the class is full or the server is starting", async () => {
    expect((await refusalOf(503, { code: "room_full", message: "Full." })).retryable).toBe(true);
    expect((await refusalOf(502, "<html>Bad gateway</html>")).code).toBe("unavailable");
    expect((await refusalOf(429, { code: "slow_down", message: "Too many." })).retryable).toBe(true);
  });

  it("is not worth another try when the server refuses in words we do not know", async () => {
    expect((await refusalOf(403, { code: "banned", message: "No." })).retryable).toBe(false);
  });

  it("tells an answer that makes no sense from a pass", async () => {
    expect((await refusalOf(200, { room: "physics" })).code).toBe("unexpected");
    expect((await refusalOf(200, "not json")).code).toBe("unexpected");
  });

  it("tells that the server cannot be reached", async () => {
    const offline: typeof fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    await expect(
      acceptInvite(origin, { invite: "i", name: "A", returning: null }, offline),
    ).rejects.toMatchObject({
      code: "unreachable",
    });
  });
});
