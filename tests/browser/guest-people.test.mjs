// Who comes, who goes and who they are, with LiveKit's SDK for browsers.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meet, newClass, withGuests } from "./guests.mjs";
import { accessToken } from "./server.mjs";

let server, ada, bo, cleo, ways;

withGuests(
  "guest-people",
  (cast) => ({ server, ada, bo, cleo, ways } = cast),
  () => {
    /** How somebody fares who tries to join: null, or what the SDK's error says. */
    const refusal = (person, room, how) =>
      person
        .joins(server, room, how)
        .then(() => null)
        .catch((error) => String(error));

    describe("coming in", () => {
      it("is by version 0 of the protocol, when version 1 is not found", async () => {
        for (const person of [ada, bo]) {
          await person.joins(server, newClass());
          assert.equal(await person.does(() => room.state), "connected");
          assert.equal(await person.does(() => room.engine.client.useV0SignalPath), true);
        }
      });

      it("shows what the token says of the person and of the room", async () => {
        const room = newClass();
        await bo.joins(server, room, {
          claims: { roomConfig: { metadata: "of algebra", maxParticipants: 7 } },
        });
        await ada.joins(server, room, {
          claims: { metadata: "tall", attributes: { seat: "1" }, kind: "agent", name: "Ada L." },
        });
        await bo.meets(ada);
        const seen = await bo.does(() => {
          const { name, metadata, attributes, kind, isAgent } = person("ada");
          return { name, metadata, seat: attributes.seat, kind, isAgent };
        });
        assert.deepEqual(seen, { name: "Ada L.", metadata: "tall", seat: "1", kind: 4, isAgent: true });
        for (const person of [ada, bo]) {
          assert.equal(await person.does(() => room.metadata), "of algebra");
          assert.match(await person.does(() => room.getSid()), /^RM_/);
        }
      });

      it("is refused with a bad token, without the grant, and to a full class", async () => {
        const room = newClass();
        await ada.joins(server, room, { claims: { roomConfig: { maxParticipants: 1 } } });
        for (const how of [{ claims: { ttl: -3_600 } }, { video: { roomJoin: false } }, {}]) {
          assert.match(await refusal(bo, room, how), /ConnectionError/);
        }
        assert.equal(await ada.does(() => room.remoteParticipants.size), 0);
      });

      it("of a hidden person is seen by nobody, and they see all", async () => {
        await ada.joins(server, newClass().concat("-open"));
        const room = await ada.does(() => room.name);
        await bo.joins(server, room, { video: { hidden: true, canPublish: false } });
        await bo.meets(ada);
        await cleo.joins(server, room);
        await ada.meets(cleo);
        await cleo.meets(ada);
        await bo.meets(ada, cleo);
      });
    });

    describe("what people say of themselves", () => {
      it("reaches the others: name, metadata, attributes", async () => {
        for (const [one, other] of ways) {
          const video = { canUpdateOwnMetadata: true };
          await meet(server, [one, other], { [one.identity]: { video } });
          await one.does(async () => {
            await room.localParticipant.setName("A new name");
            await room.localParticipant.setMetadata("likes chess");
            await room.localParticipant.setAttributes({ hand: "up", seat: "2" });
            await room.localParticipant.setAttributes({ seat: "" });
          });
          for (const watcher of [one, other]) {
            await watcher.eventually(
              (who) => {
                const { name, metadata, attributes } = room.getParticipantByIdentity(who);
                return (
                  name === "A new name" &&
                  metadata === "likes chess" &&
                  attributes.hand === "up" &&
                  !attributes.seat
                );
              },
              "seeing all of it",
              one.identity,
            );
          }
          assert.ok(await other.does(() => told("participantNameChanged").length > 0));
          assert.ok(await other.does(() => told("participantMetadataChanged").length > 0));
          assert.ok(await other.does(() => told("participantAttributesChanged").length > 0));
        }
      });

      it("is refused without the right to it", async () => {
        for (const [one, other] of ways) {
          await meet(server, [one, other]);
          for (const method of ["setName", "setMetadata"]) {
            const error = await one.does(
              (method) =>
                room.localParticipant[method]("x").then(
                  () => null,
                  (error) => error.name,
                ),
              method,
            );
            assert.equal(error, "SignalRequestError");
          }
          assert.equal(await other.does((who) => person(who).name, one.identity), one.name);
        }
      });
    });

    describe("going", () => {
      const disconnected = (person) =>
        person.eventually(() => told("disconnected")[0], "being told of the end").then(([reason]) => reason);
      const reasons = () => ada.does(() => LivekitClient.DisconnectReason);

      it("is seen by the others, and told to oneself as one's own wish", async () => {
        for (const [one, other] of ways) {
          await meet(server, [one, other]);
          await one.leaves();
          assert.equal(await disconnected(one), (await reasons()).CLIENT_INITIATED);
          const [who] = await other.eventually(() => told("participantDisconnected")[0], "seeing them leave");
          assert.equal(who, one.identity);
          await other.meets();
        }
      });

      it("is one's lot when the same identity joins again", async () => {
        for (const [one, other] of ways) {
          const room = await meet(server, [one, other]);
          await cleo.joins(server, room, { claims: { identity: one.identity, name: one.name } });
          assert.equal(await disconnected(one), (await reasons()).DUPLICATE_IDENTITY);
          await cleo.meets(other);
          await other.meets(one);
          await cleo.does(() => room.localParticipant.setMicrophoneEnabled(true));
          await other.hears({ name: one.name, hz: cleo.hz });
          await cleo.leaves();
        }
      });
    });

    describe("a token", () => {
      it("is refreshed while its owner is there, and good to join again with", async () => {
        for (const [one, other] of ways) {
          const room = newClass();
          await one.joins(server, room);
          const first = await one.does(() => window.joinedWith);
          const fresh = await one.eventually(
            () => room.engine.token !== window.joinedWith && room.engine.token,
            "a fresh token",
          );
          assert.notEqual(fresh, first);
          assert.equal((await fetch(`${server.url}/rtc/validate?access_token=${fresh}`)).status, 200);
          await one.leaves();
          await one.joins(server, room, { token: fresh });
          await other.joins(server, room);
          await other.meets(one);
        }
      });
    });

    describe("the door of browsers", () => {
      it("says what is wrong with a token in a way that a page of another site can read", async () => {
        for (const person of [ada, bo]) {
          const asks = (path, token) =>
            person.does(async (url) => {
              const answer = await fetch(url);
              return { status: answer.status, text: await answer.text() };
            }, `${server.url}${path}?access_token=${token}`);
          const good = accessToken({ identity: "x", video: { roomJoin: true, room: "door" } });
          assert.deepEqual(await asks("/rtc/validate", good), { status: 200, text: "success" });
          assert.equal((await asks("/rtc/validate", "a.b.c")).status, 401);
          assert.equal((await asks("/rtc/v1/validate", good)).status, 404);
        }
      });
    });
  },
);
