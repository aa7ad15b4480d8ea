// What LiveKit's SDK for browsers goes through when connections break, and when the server does.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meet, withGuests } from "./guests.mjs";

let server, ada, bo, ways;

withGuests(
  "guest-recovery",
  (cast) => ({ server, ada, bo, ways } = cast),
  () => {
    const isBack = (person, times = 1) =>
      person.eventually(
        (times) => told("reconnected").length >= times && room.state === "connected",
        "being back",
        times,
      );

    /** Waits until both hear and see each other. */
    const bothAreThere = () =>
      Promise.all(
        [
          [ada, bo],
          [bo, ada],
        ].map(async ([one, other]) => {
          await one.meets(other);
          await one.hears(other);
          await one.getsPicture(other);
        }),
      );

    const meetWithMedia = async () => {
      const name = await meet(server, [ada, bo]);
      for (const person of [ada, bo])
        await person.does(() => room.localParticipant.enableCameraAndMicrophone());
      await bothAreThere();
      return name;
    };

    describe("a client", () => {
      it("whose socket breaks resumes: the same connection of the same person, and its media went on", async () => {
        for (const [one, other] of ways.slice(0, 1)) {
          await meetWithMedia();
          const sid = await one.does(() => room.localParticipant.sid);
          await one.does(() => room.simulateScenario("signal-reconnect"));
          await isBack(one);
          await bothAreThere();
          assert.equal(await one.does(() => room.localParticipant.sid), sid);
          assert.deepEqual(await other.does(() => told("participantDisconnected")), [], "nobody saw it go");
          assert.deepEqual(await other.does(() => told("trackUnpublished")), []);
        }
      });

      it("that has to join afresh is back as the same person, with all that it published", async () => {
        for (const [one, other] of ways.slice(0, 1)) {
          await meetWithMedia();
          await one.does(() => room.simulateScenario("full-reconnect"));
          await isBack(one);
          await bothAreThere();
          assert.equal(await other.does(() => room.remoteParticipants.size), 1);
        }
      });

      it("that was away catches up with what changed, and what it sends is not lost", async () => {
        for (const [one, other] of ways.slice(0, 1)) {
          await meetWithMedia();
          // The socket is taken away; what the others do and what one sends falls into the gap.
          const back = one.does(() => room.simulateScenario("signal-reconnect"));
          await other.does(() => room.localParticipant.setMicrophoneEnabled(false));
          await one.does(() =>
            room.localParticipant.publishData(new TextEncoder().encode("in the gap"), { reliable: true }),
          );
          await back;
          await isBack(one);
          await one.eventually(
            (who) => publication(who, "microphone").isMuted,
            "seeing the mute",
            other.identity,
          );
          await other.eventually(
            () => told("dataReceived").some(([text]) => text === "in the gap"),
            "the message",
          );
          assert.equal(await other.does(() => told("dataReceived").length), 1, "once");
        }
      });

      it("that the server sends away is told so", async () => {
        for (const [one, other] of ways.slice(0, 1)) {
          await meet(server, [one, other]);
          await one.does(() => room.simulateScenario("server-leave"));
          const [reason] = await one.eventually(() => told("disconnected")[0], "being told");
          assert.equal(reason, await ada.does(() => LivekitClient.DisconnectReason.SERVER_SHUTDOWN));
        }
      });

      it("can be shown as speaking for a while", async () => {
        for (const [one, other] of ways.slice(0, 1)) {
          await meet(server, [one, other]);
          await one.does(() => room.simulateScenario("speaker"));
          await one.eventually(() => room.localParticipant.isSpeaking, "being shown as speaking");
        }
      });
    });

    describe("a server", () => {
      it("that was killed and is there again has everybody back in the same class", async () => {
        await meetWithMedia();
        const session = await ada.does(() => room.getSid());
        await server.kill();
        await server.start();
        for (const person of [ada, bo]) await isBack(person);
        await bothAreThere();
        assert.equal(await ada.does(() => room.getSid()), session);
      });
    });
  },
);
