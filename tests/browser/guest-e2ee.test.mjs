// End-to-end encryption of LiveKit's SDK for browsers goes through the server untouched: who has the key hears, sees and reads.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meet, withGuests } from "./guests.mjs";

let server, ada, bo, cleo, ways;

withGuests(
  "guest-e2ee",
  (cast) => ({ server, ada, bo, cleo, ways } = cast),
  () => {
    describe("a class whose members encrypt for each other", () => {
      it("is heard, seen and read by those who have the key, and by nobody else", async () => {
        for (const [sender, receiver] of ways) {
          const key = { passphrase: "correct horse battery staple" };
          const wrong = { passphrase: "another one" };
          await meet(server, [sender, receiver, cleo], {
            [sender.identity]: key,
            [receiver.identity]: key,
            cleo: wrong,
          });
          await sender.does(() => room.localParticipant.enableCameraAndMicrophone());
          await receiver.hears(sender);
          await receiver.getsPicture(sender);
          for (const source of ["microphone", "camera"]) {
            assert.ok(
              await receiver.does(
                ([who, source]) => publication(who, source).isEncrypted,
                [sender.identity, source],
              ),
            );
          }

          await sender.does(() =>
            room.localParticipant.publishData(new TextEncoder().encode("a secret"), { reliable: true }),
          );
          await receiver.eventually(
            () => told("dataReceived").some(([text]) => text === "a secret"),
            "the message",
          );
          assert.deepEqual(await cleo.does(() => told("dataReceived")), []);

          // What is encrypted arrives at Cleo as well, and she can do nothing with it.
          const arrived = () =>
            cleo.does(async (who) => {
              const [sound] = await stats(publication(who, "microphone")?.track, "inbound-rtp");
              return sound?.packetsReceived ?? 0;
            }, sender.identity);
          await cleo.until(async () => (await arrived()) > 100, "packets of the voice", arrived);
          await cleo.hearsNothingFrom(sender);
          assert.equal((await cleo.picture(sender)).frames, 0);
          assert.ok(
            (await cleo.does(() => told("encryptionError").length)) > 0,
            "the SDK says that it cannot read",
          );
        }
      });
    });
  },
);
