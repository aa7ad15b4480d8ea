// What people choose to receive with LiveKit's SDK for browsers, and what the server tells them of it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meet, withGuests } from "./guests.mjs";

let server, ada, bo, cleo, ways;

withGuests(
  "guest-receiving",
  (cast) => ({ server, ada, bo, cleo, ways } = cast),
  () => {
    const showsCamera = (person) =>
      person.does(() =>
        room.localParticipant.setCameraEnabled(true, {
          resolution: LivekitClient.VideoPresets.h720.resolution,
        }),
      );

    /** Does something with the publication of somebody's camera. */
    const camera = (receiver, sender, method, argument) =>
      receiver.does(
        ([who, method, argument]) => publication(who, "camera")[method](argument),
        [sender.identity, method, argument],
      );

    const width = async (receiver, sender) => (await receiver.picture(sender)).width;

    const gets = (receiver, sender, wanted, what) =>
      receiver.until(
        async () => wanted(await width(receiver, sender)),
        `a picture ${what}`,
        () => width(receiver, sender),
      );

    /** Waits until a whole second brings no frame. */
    const getsNoPicture = (receiver, sender) => {
      let before = -1;
      return receiver.until(async () => {
        const { frames } = await receiver.picture(sender);
        const same = frames === before;
        before = frames;
        await new Promise((aSecondLater) => setTimeout(aSecondLater, 1_000));
        return same;
      }, `no more of ${sender.name}`);
    };

    describe("subscriptions", () => {
      it("begin and end when the receiver wishes", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver], {
            [receiver.identity]: { connect: { autoSubscribe: false } },
          });
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          await receiver.eventually(
            (who) => publication(who, "microphone"),
            "knowing of the voice",
            sender.identity,
          );
          assert.equal(
            await receiver.does((who) => publication(who, "microphone").isSubscribed, sender.identity),
            false,
          );
          const wishes = (wish) =>
            receiver.does(
              ([who, wish]) => publication(who, "microphone").setSubscribed(wish),
              [sender.identity, wish],
            );
          await wishes(true);
          await receiver.hears(sender);
          await wishes(false);
          await receiver.eventually(() => told("trackUnsubscribed").length === 1, "the end");
          await wishes(true);
          await receiver.hears(sender);
        }
      });

      it("can rest, and go on", async () => {
        for (const [sender, receiver] of ways.slice(0, 1)) {
          await meet(server, [sender, receiver]);
          await showsCamera(sender);
          await receiver.getsPicture(sender);
          await camera(receiver, sender, "setEnabled", false);
          await getsNoPicture(receiver, sender);
          await camera(receiver, sender, "setEnabled", true);
          await receiver.getsPicture(sender);
        }
      });

      it("bring the quality or the size that is wished", async () => {
        for (const [sender, receiver] of ways.slice(0, 1)) {
          await meet(server, [sender, receiver]);
          await showsCamera(sender);
          await gets(receiver, sender, (width) => width >= 1_000, "of the highest quality");
          const { LOW, HIGH } = await receiver.does(() => LivekitClient.VideoQuality);
          await camera(receiver, sender, "setVideoQuality", LOW);
          await gets(receiver, sender, (width) => width <= 320, "of low quality");
          await camera(receiver, sender, "setVideoQuality", HIGH);
          await gets(receiver, sender, (width) => width >= 1_000, "of high quality");
          await camera(receiver, sender, "setVideoDimensions", { width: 640, height: 360 });
          await gets(receiver, sender, (width) => width === 640, "of the size that was wished");
          await receiver.getsPicture(sender);
        }
      });

      it("follow the size of the element that shows the picture", async () => {
        for (const [sender, receiver] of ways.slice(0, 1)) {
          await meet(server, [sender, receiver], {
            [receiver.identity]: { options: { adaptiveStream: true } },
          });
          await showsCamera(sender);
          const shownAt = (size) =>
            receiver.eventually(
              (size) => {
                const video = document.querySelector("video");
                if (video !== null)
                  Object.assign(video.style, { width: size, display: size === "0" ? "none" : "" });
                return video !== null;
              },
              "an element",
              size,
            );
          await shownAt("160px");
          await gets(receiver, sender, (width) => width > 0 && width <= 320, "for a small element");
          await shownAt("960px");
          await gets(receiver, sender, (width) => width >= 640, "for a large element");
          await shownAt("0");
          await getsNoPicture(receiver, sender);
          await shownAt("320px");
          await receiver.getsPicture(sender);
        }
      });

      it("to what is not there are answered", async () => {
        await meet(server, [ada, bo]);
        const answered = await bo.does(
          () =>
            new Promise((answered) => {
              room.engine.once("subscriptionError", ({ trackSid, err }) => answered({ trackSid, err }));
              room.engine.client.sendUpdateSubscription({ trackSids: ["TR_nothing"], subscribe: true });
            }),
        );
        assert.equal(answered.trackSid, "TR_nothing");
        assert.equal(answered.err, 2, "SE_TRACK_NOTFOUND");
      });

      it("are refused to those who may not subscribe, who can still publish", async () => {
        await meet(server, [ada, bo], { bo: { video: { canSubscribe: false } } });
        for (const person of [ada, bo])
          await person.does(() => room.localParticipant.setMicrophoneEnabled(true));
        await ada.hears(bo);
        await bo.eventually(() => publication("ada", "microphone"), "knowing of Ada's voice");
        assert.equal(await bo.does(() => publication("ada", "microphone").isSubscribed), false);
      });
    });

    describe("a publisher", () => {
      it("chooses who receives what it publishes, and may choose anew", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver, cleo]);
          await sender.does((only) => {
            room.localParticipant.setTrackSubscriptionPermissions(false, [
              { participantIdentity: only, allowAll: true },
            ]);
            return room.localParticipant.setMicrophoneEnabled(true);
          }, receiver.identity);
          await receiver.hears(sender);
          await cleo.eventually(
            (who) => publication(who, "microphone"),
            "knowing of the voice",
            sender.identity,
          );
          assert.equal(
            await cleo.does((who) => publication(who, "microphone").isSubscribed, sender.identity),
            false,
          );
          await sender.does(() => room.localParticipant.setTrackSubscriptionPermissions(true));
          await cleo.hears(sender);
          await sender.does(() => room.localParticipant.setTrackSubscriptionPermissions(false));
          for (const person of [receiver, cleo]) {
            await person.eventually(
              (who) => !publication(who, "microphone").isSubscribed,
              "the end of the subscription",
              sender.identity,
            );
          }
        }
      });

      it("says more of a track that is published", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver]);
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          await receiver.hears(sender);
          // What the SDK does when its filter for noise is turned on.
          await sender.does(() => {
            const { track } = room.localParticipant.getTrackPublication("microphone");
            track.handleKrispNoiseFilterEnable();
          });
          await receiver.eventually(
            (who) =>
              publication(who, "microphone").trackInfo.audioFeatures.includes(
                5 /* TF_ENHANCED_NOISE_CANCELLATION */,
              ),
            "hearing of the filter",
            sender.identity,
          );
        }
      });
    });

    describe("what the server tells", () => {
      it("of who speaks", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver]);
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          const speaks = (person, wanted) =>
            person.eventually(
              ([who, wanted]) => room.activeSpeakers.some(({ identity }) => identity === who) === wanted,
              `${sender.name} shown as ${wanted ? "speaking" : "silent"}`,
              [sender.identity, wanted],
            );
          for (const person of [receiver, sender]) await speaks(person, true);
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(false));
          for (const person of [receiver, sender]) await speaks(person, false);
        }
      });

      it("of how good the connections are", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver]);
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          for (const person of [sender, receiver]) {
            await person.eventually(
              (who) => {
                const { connectionQuality } = room.getParticipantByIdentity(who);
                return ["excellent", "good", "poor"].includes(connectionQuality);
              },
              `the quality of ${sender.name}`,
              sender.identity,
            );
          }
        }
      });

      it("to a publisher, when somebody receives", async () => {
        for (const [sender, receiver] of ways) {
          await meet(server, [sender, receiver]);
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          await receiver.hears(sender);
          await sender.eventually(() => told("localTrackSubscribed").length > 0, "being told");
        }
      });
    });
  },
);
